"""Decoding with early exit, against whole models, shorter models, and block by block by hand."""

import copy

import pytest
import torch

from physlm.analysis.depth.early_exit_decoder import EarlyExitDecoder
from physlm.analysis.depth.exit_rule import ExitRule
from physlm.analysis.lenses import LogitLens, TunedLens
from physlm.errors import InputError
from physlm.eval.generate import generate
from physlm.eval.sampling import Sampling
from physlm.models.architecture import EncoderConfig
from physlm.models.context import Mixer
from tests.analysis.depth.planted import PlantedModel
from tests.models.test_decoder import config

VOCABULARY = 20
EVEN = [[1, 2, 3], [4, 5, 6], [2, 3, 1], [9, 9, 8]]
MIXED = [[1], [2, 3, 4, 5, 6, 1, 8], [5, 4, 3], [6, 2, 11, 5, 9, 1, 0]]
GREEDY = Sampling(max_new_tokens=12, temperature=0.0)


def build(style="gpt2", n_layers=4):
    return config(style, n_layers=n_layers).build(VOCABULARY, 24, 0).eval()


def tuned(model):
    """A lens whose translators are not zero."""
    generator = torch.Generator().manual_seed(1)
    weight = 0.1 * torch.randn(model.n_layers, 32, 32, generator=generator)
    return TunedLens(model, weight, 0.1 * torch.randn(model.n_layers, 32, generator=generator))


def texts(model, prompts, sampling=GREEDY):
    return [row.tolist() for row in generate(model, prompts, sampling, seed=0).tokens]


def shorter(model, k):
    """The first k blocks, then the same readout."""
    first = copy.deepcopy(model)
    first.blocks = first.blocks[:k]
    return first


@pytest.mark.parametrize("style", ["gpt2", "learned", "relative mistral", "position only"])
def test_without_an_exit_text_is_that_of_the_model(style):
    model = build(style, n_layers=2)
    early = EarlyExitDecoder(tuned(model), ExitRule(states=(0, 1), threshold=1.01))
    assert texts(early, MIXED) == texts(model, MIXED)
    assert early.mean_blocks == 2


@pytest.mark.parametrize("k", [0, 2, 4])
def test_static_exit_is_the_model_of_the_first_blocks(k):
    model = build()
    early = EarlyExitDecoder(LogitLens(model), ExitRule.static(k))
    assert texts(early, MIXED) == texts(shorter(model, k), MIXED)
    assert early.mean_blocks == k


def by_hand(lens, rule, text, n_prompt):
    """Scores and exits of a text: every block reads the whole sequence of its inputs again."""
    model, n = lens.model, lens.n_layers
    states = model.residuals(torch.tensor([text[:n_prompt]]))
    scores, exits = [lens.logits(states[n][0, -1], n)], []
    for t in range(n_prompt, len(text)):
        own, left = [model.embed(torch.tensor([text[: t + 1]]))[:, -1:]], None
        for k in range(n + 1):
            found = lens.logits(own[k][0, 0], k)
            if left is None and (k == n or (k in rule.states and is_sure(found, rule))):
                left = k
                scores.append(found)
            if k < n:
                inputs = torch.cat([states[k], own[k]], dim=1)
                going_on = model.blocks[k](inputs, model.context(t + 1))[:, -1:]
                own.append(going_on if left is None else own[left])
        exits.append(left)
        states = torch.cat([states, torch.stack(own)], dim=2)
    return torch.stack(scores), exits


def is_sure(scores, rule):
    p = scores.softmax(-1)
    if rule.criterion == "probability":
        return p.max() >= rule.threshold
    return -(p * p.log()).sum() <= rule.threshold


@torch.no_grad()
@pytest.mark.parametrize(
    ("style", "rule"),
    [
        ("gpt2", ExitRule(states=(1, 2), threshold=0.5)),
        ("mistral", ExitRule(states=(1, 2), criterion="entropy", threshold=1.8)),
        ("relative mistral", ExitRule(states=(1, 2), threshold=0.5)),
        ("position only", ExitRule(states=(1,), threshold=0.3)),
        ("learned", ExitRule(states=(0, 1), criterion="entropy", threshold=1.0)),
    ],
)
def test_scores_and_exits_are_those_of_propagated_states(style, rule):
    early = EarlyExitDecoder(tuned(build(style, n_layers=3)), rule)
    counted = dict.fromkeys(early.n_left, 0)
    generator = torch.Generator().manual_seed(0)
    written = torch.randint(0, VOCABULARY, (3, 8), generator=generator)
    scores = early(written)
    for row, found in zip(written.tolist(), scores, strict=True):
        expected, exits = by_hand(early.lens, rule, row, 1)
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)
        for left in exits:
            counted[left] += 1
    assert early.n_left == counted
    assert sum(count > 0 for count in counted.values()) > 1


@torch.no_grad()
def test_keys_and_values_of_tokens_that_left_are_those_of_their_state():
    model = build()
    early = EarlyExitDecoder(LogitLens(model), ExitRule(states=(1,), threshold=0.0))
    _, state = early.prefill(torch.tensor([[1, 2, 3], [3, 4, 5]]), torch.tensor([3, 3]), 8)
    early.decode(torch.tensor([6, 7]), state)
    early.rule = ExitRule(states=(1,), threshold=1.01)  # now all go on, and meet those that left
    early.decode(torch.tensor([8, 9]), state)
    tokens = torch.tensor([[1, 2, 3, 6], [3, 4, 5, 7]])
    left = model.residuals(tokens)[1, :, 3]
    for number, kept in enumerate(state.blocks[1:], start=1):
        block = model.blocks[number]
        heads = block.attention.qkv(block.attention_norm(left)).view(2, 12, 8)
        k, v = heads[:, 4:8], heads[:, 8:]
        k = block.attention.rotary.at(torch.tensor([3, 3]), k[:, :, None])[:, :, 0]
        torch.testing.assert_close(kept.mixer.keys[:, :, 3], k)
        torch.testing.assert_close(kept.mixer.values[:, :, 3], v)


def test_no_score_depends_on_later_tokens():
    early = EarlyExitDecoder(tuned(build()), ExitRule(states=(1, 2, 3), threshold=0.5))
    before = torch.tensor(MIXED[1:2])
    after = before.clone()
    after[:, 4] += 1
    changed = (early(before) - early(after)).abs().amax(dim=(0, 2)) > 0
    assert changed.tolist()[:5] == [False] * 4 + [True]


def test_ended_rows_are_dropped_without_a_change_of_the_others():
    rule = ExitRule(states=(1, 2), criterion="repeat", threshold=2)
    early = EarlyExitDecoder(tuned(build(n_layers=3)), rule)
    endless = texts(early, MIXED * 2, Sampling(max_new_tokens=16, temperature=0.8))
    assert len([n for n in early.n_left.values() if n]) > 1
    counts = {token: sum(token in row[:12] for row in endless) for token in range(VOCABULARY)}
    eos = max((token for token in counts if counts[token] < 8), key=counts.__getitem__)
    assert counts[eos] >= 4
    ended = Sampling(max_new_tokens=16, temperature=0.8, eos=eos)
    cut = [row[: row.index(eos)] if eos in row else row for row in endless]
    assert texts(early, MIXED * 2, ended) == cut


def test_a_repeated_token_lets_a_row_leave():
    early = EarlyExitDecoder(
        LogitLens(build()), ExitRule(states=(0, 1, 2, 3), criterion="repeat", threshold=2)
    )
    tokens = torch.tensor([[1, 2]])
    early(tokens)
    (left,) = (k for k, n in early.n_left.items() if n)
    with torch.no_grad():
        top1 = early.model.unembed(early.model.residuals(tokens)[:, 0, -1]).argmax(-1).tolist()
    repeats = [k for k in range(1, 4) if top1[k] == top1[k - 1]]
    assert left == (repeats[0] if repeats else 4)


class Silent(Mixer):
    def forward(self, x, context):
        return x


def test_what_cannot_leave_early_is_refused():
    model = build()
    with pytest.raises(InputError, match=r"states=\[2, 1\]; name the states"):
        ExitRule(states=(2, 1))
    with pytest.raises(InputError, match="'margin' is not a valid ExitCriterion"):
        ExitRule(states=(1,), criterion="margin")
    with pytest.raises(InputError, match="state 5 does not exist; this model has 0 to 4"):
        EarlyExitDecoder(LogitLens(model), ExitRule(states=(1, 5)))
    with pytest.raises(InputError, match="decoder of physlm, and this model is not one"):
        EarlyExitDecoder(LogitLens(PlantedModel(torch.zeros(2, 1, 1, 3))), ExitRule(states=(0,)))
    early = EarlyExitDecoder(LogitLens(model), ExitRule(states=(1,)))
    with pytest.raises(InputError, match="no token has been decoded yet"):
        _ = early.mean_blocks
    with pytest.raises(InputError, match="use is_compiled=false"):
        generate(early, EVEN, Sampling(max_new_tokens=2, is_compiled=True), seed=0)
    with pytest.raises(InputError, match="give no segments"):
        early(torch.tensor(EVEN), torch.zeros(4, 3, dtype=torch.long))
    with pytest.raises(InputError, match="an encoder|attends to both sides"):
        LogitLens(EncoderConfig(n_layers=1, n_heads=4, d_model=32).build(VOCABULARY, 8, 0))
    with pytest.raises(InputError, match="Silent cannot add a token to its state"):
        Silent().remember(torch.zeros(1, 1, 32), model.context(1))
