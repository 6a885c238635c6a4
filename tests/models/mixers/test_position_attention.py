import itertools

import pytest
import torch

from physlm.models.attention_mask import AttentionMask
from physlm.models.components import AttentionShape
from physlm.models.context import Context
from physlm.models.mixers.position_attention import PositionOnlyAttention
from physlm.models.relative_position import RelativePositions
from tests.models.test_transformers_format import scramble

WIDTH, N_HEADS, SEQ_LEN = 24, 4, 11
STARTS = [4, 7]


@pytest.fixture
def x():
    return torch.randn(2, SEQ_LEN, WIDTH, generator=torch.Generator().manual_seed(0))


def built(*, is_learned):
    shape = AttentionShape(WIDTH, N_HEADS, N_HEADS)
    return scramble(PositionOnlyAttention(shape, has_bias=True, is_learned=is_learned))


def first_seen(row, t):
    """Of two documents, which each row divides elsewhere."""
    return STARTS[row] if t >= STARTS[row] else 0


def context(*, is_masked, distances=None):
    documents = (torch.arange(SEQ_LEN) >= torch.tensor(STARTS)[:, None]).long()
    mask = AttentionMask(is_causal=True, segments=documents if is_masked else None)
    return Context(mask=mask, n_positions=SEQ_LEN, relative_positions=distances)


@torch.no_grad()
@pytest.mark.parametrize("is_masked", [False, True])
def test_uniform_heads_average_the_values_of_their_last_tokens(x, is_masked):
    attention = built(is_learned=False)
    values = attention.value(x).view(2, SEQ_LEN, N_HEADS, -1)
    expected = torch.empty_like(values)
    for row, t in itertools.product(range(2), range(SEQ_LEN)):
        for head, reach in enumerate((1, 2, 4, 8)):
            first = max(first_seen(row, t) if is_masked else 0, t - reach + 1)
            expected[row, t, head] = values[row, first : t + 1, head].mean(0)
    given = context(is_masked=is_masked)
    torch.testing.assert_close(attention(x, given), attention.out(expected.flatten(2)))


@torch.no_grad()
@pytest.mark.parametrize("is_masked", [False, True])
@pytest.mark.parametrize("seq_len", [5, SEQ_LEN])
def test_learned_weights_are_a_softmax_of_the_scores_of_distances(x, is_masked, seq_len):
    attention = built(is_learned=True)
    distances = scramble(RelativePositions(seq_len, WIDTH, is_causal=True))
    scores = distances.embedding.weight @ attention.distance_score.weight.T
    values = attention.value(x).view(2, SEQ_LEN, N_HEADS, -1)
    expected = torch.empty_like(values)
    for row, t in itertools.product(range(2), range(SEQ_LEN)):
        first = first_seen(row, t) if is_masked else 0
        back = [min(t - s, seq_len - 1) for s in range(first, t + 1)]
        weights = scores[back].softmax(0)
        expected[row, t] = (weights[..., None] * values[row, first : t + 1]).sum(0)
    given = context(is_masked=is_masked, distances=distances(SEQ_LEN))
    torch.testing.assert_close(attention(x, given), attention.out(expected.flatten(2)))
