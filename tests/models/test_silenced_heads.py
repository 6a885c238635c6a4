"""Heads of every kind of attention, silenced."""

import pytest
import torch

from physlm.errors import InputError
from physlm.models.context import Mixer
from physlm.models.transformer import without_heads
from tests.models.test_decoder import tokens
from tests.models.test_transformer import build

# Every kind of mixer, with shared keys and without.
KINDS = ["gpt2", "mistral", "relative mistral", "position only", "uniform", "encoder deberta"]
HEADS = [(0, 1), (1, 0), (1, 3)]


def silenced_by_hooks(model):
    """The same by another way: what enters the output projection is cut."""
    for layer, head in HEADS:
        attention = model.blocks[layer].attention

        def cut(_, given, own=attention.shape.head_width, first=head):
            (gathered,) = given
            keeps = torch.ones(gathered.shape[-1])
            keeps[first * own : (first + 1) * own] = 0
            return gathered * keeps

        attention.out.register_forward_pre_hook(cut)
    return model


@torch.no_grad()
@pytest.mark.parametrize("kind", KINDS)
def test_a_silenced_head_adds_nothing_and_the_model_itself_stays(kind):
    model, expected = build(kind), silenced_by_hooks(build(kind))
    before = model(tokens())
    quieter = without_heads(model, HEADS)
    torch.testing.assert_close(quieter(tokens()), expected(tokens()))
    torch.testing.assert_close(model(tokens()), before)
    assert not torch.allclose(quieter(tokens()), before)
    if model.is_causal:
        given = tokens()[:, :5], torch.tensor([3, 5]), 6
        (a, own), (b, hooked) = quieter.prefill(*given), expected.prefill(*given)
        torch.testing.assert_close(a, b)
        new = tokens()[:, 5]
        torch.testing.assert_close(quieter.decode(new, own), expected.decode(new, hooked))


class NoHeads(Mixer):
    """A mixer that is no attention."""

    def forward(self, x, context):
        return x


def test_heads_that_are_not_there_are_refused():
    model = build(KINDS[0])
    for heads, message in (
        ([(2, 0)], "layer 2 does not exist"),
        ([(0, 4)], "head 4 does not exist"),
    ):
        with pytest.raises(InputError, match=message):
            without_heads(model, heads)
    model.blocks[0].attention = NoHeads()
    with pytest.raises(InputError, match="NoHeads has no heads to silence; define silence"):
        without_heads(model, [(0, 0)])
