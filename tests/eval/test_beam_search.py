"""Beam search against all texts, against a plain loop, and against the law of its draws."""

import itertools
import math

import numpy as np
import pytest
import torch
from torch import nn

from physlm.errors import InputError
from physlm.eval.beam_search import beam_search
from physlm.eval.sampling import Sampling
from physlm.models.architecture import DecoderConfig
from physlm.models.language_model import LanguageModel
from tests.eval.oracle import Read

EOS = 0


class Markov(LanguageModel):
    """The next token depends on the last one alone."""

    def __init__(self, logits):
        super().__init__()
        self.logits, self.vocabulary_size = torch.tensor(logits).float(), len(logits[0])
        self.unused = nn.Parameter(torch.zeros(1))

    def forward(self, tokens, segments=None):
        return self.logits[tokens]

    def prefill(self, prompts, lengths, n_positions):
        cache = Read([row[:n].tolist() for row, n in zip(prompts, lengths, strict=True)])
        return self.logits[[row[-1] for row in cache.rows]], cache

    def decode(self, tokens, cache):
        for row, token in zip(cache.rows, tokens.tolist(), strict=True):
            row.append(token)
        return self.logits[[row[-1] for row in cache.rows]]


def sampling(n_new, temperature=0.0, batch_size=512, **values):
    return Sampling(
        max_new_tokens=n_new, eos=EOS, temperature=temperature, batch_size=batch_size, **values
    )


def mean_log_probability(model, prompt, text):
    tokens = torch.tensor([*prompt, *text])
    scores = model(tokens[None])[0].log_softmax(-1)
    own = [scores[len(prompt) - 1 + i, token] for i, token in enumerate(text)]
    return float(sum(own)) / len(text)


@pytest.mark.parametrize("seed", range(5))
def test_with_room_for_all_texts_the_best_of_all_is_found(seed):
    model = Markov(np.random.default_rng(seed).normal(0, 2, (3, 3)).tolist())
    prompts = [[1], [2, 1], [2]]
    found = beam_search(model, prompts, sampling(3), n_beams=27, seed=0)
    assert found.is_ended.all()
    for prompt, tokens in zip(prompts, found.tokens, strict=True):
        texts = [(*words, EOS) for n in range(3) for words in itertools.product((1, 2), repeat=n)]
        best = max(texts, key=lambda text: mean_log_probability(model, prompt, text))
        assert (*tokens.tolist(), EOS) == best


def slowly(model, prompt, n_new, n_beams):
    """One prompt, by lists and whole forward passes."""
    texts, ended = [(0.0, ())], []
    for n in range(1, n_new + 1):
        longer = []
        for total, text in texts:
            scores = model(torch.tensor([[*prompt, *text]]))[0, -1].log_softmax(-1)
            longer += [(total + float(s), (*text, t)) for t, s in enumerate(scores)]
        drawn = sorted(longer, reverse=True)[: 2 * n_beams]
        if len(ended) < n_beams:
            ended += [(total / n, text[:-1]) for total, text in drawn if text[-1] == EOS]
        texts = [own for own in drawn if own[1][-1] != EOS][:n_beams]
        if len(ended) >= n_beams:
            break
    return max(ended or texts)[1], bool(ended)


@pytest.mark.parametrize("n_beams", [1, 3])
@torch.no_grad()
def test_states_follow_the_texts_of_a_decoder(n_beams):
    """Rows of different lengths, of which some are done long before others."""
    model = DecoderConfig(d_model=16, n_layers=2, n_heads=2, init_std=0.7).build(5, 64, 3).eval()
    rng = np.random.default_rng(0)
    prompts = [rng.integers(1, 5, n).tolist() for n in (3, 5, 4, 3, 6, 2)]
    found = beam_search(model, prompts, sampling(12, batch_size=4), n_beams=n_beams, seed=0)
    expected = [slowly(model, prompt, 12, n_beams) for prompt in prompts]
    assert [tuple(tokens.tolist()) for tokens in found.tokens] == [text for text, _ in expected]
    assert found.is_ended.tolist() == [ended for _, ended in expected]
    assert len({len(text) for text, _ in expected}) > 1


def test_continuations_are_drawn_without_replacement_by_their_probabilities():
    """Two of five tokens are drawn for one text; the end wins if drawn, else the likelier one."""
    p = np.array([0.1, 0.3, 0.15, 0.4, 0.05])
    model, n = Markov([np.log(p).tolist()] * 5), 4000
    found = beam_search(model, [[1]] * n, sampling(1, 1.0), n_beams=1, seed=0)
    pairs = {
        (i, j): p[i] * p[j] / (1 - p[i]) + p[j] * p[i] / (1 - p[j])
        for i, j in itertools.combinations(range(5), 2)
    }
    assert sum(pairs.values()) == pytest.approx(1)
    expected = np.zeros(5)
    for pair, probability in pairs.items():
        expected[EOS if EOS in pair else max(pair, key=lambda i: p[i])] += probability
    results = [tokens[0] if len(tokens) else EOS for tokens in found.tokens]
    counts = np.bincount(results, minlength=5)
    is_possible = expected > 0
    assert counts[~is_possible].sum() == 0
    deviations = (counts - n * expected)[is_possible] ** 2 / (n * expected)[is_possible]
    assert deviations.sum() < 20  # chi-square of 3 degrees of freedom


def test_a_temperature_spreads_the_draws():
    model = Markov([np.log([0.02, 0.58, 0.2, 0.2]).tolist()] * 4)

    def fraction_of_likeliest(temperature):
        found = beam_search(model, [[1]] * 500, sampling(1, temperature), n_beams=1, seed=1)
        return np.mean([tokens.tolist() == [1] for tokens in found.tokens])

    assert fraction_of_likeliest(0.0) == 1
    assert fraction_of_likeliest(0.2) > fraction_of_likeliest(1.0) > fraction_of_likeliest(9.0)


def test_the_same_seed_gives_the_same_texts():
    model = Markov(np.random.default_rng(0).normal(0, 0.3, (6, 6)).tolist())

    def texts(seed):
        found = beam_search(model, [[1]] * 20, sampling(8, 1.0), n_beams=2, seed=seed)
        return [tokens.tolist() for tokens in found.tokens]

    assert texts(0) == texts(0) != texts(1)


def test_a_text_that_does_not_end_is_the_most_likely_one_as_far_as_it_goes():
    model = Markov([[-math.inf, 2.0, 1.0]] * 3)
    found = beam_search(model, [[1], [2]], sampling(5), n_beams=2, seed=0)
    assert not found.is_ended.any()
    assert [tokens.tolist() for tokens in found.tokens] == [[1] * 5] * 2


def test_what_cannot_be_searched_is_refused():
    model = Markov([[0.0, 1.0]] * 2)
    for values in ({"top_k": 3}, {"is_compiled": True}):
        with pytest.raises(InputError, match=r"beam search needs sampling\.eos"):
            beam_search(model, [[1]], sampling(2, **values), n_beams=2, seed=0)
    with pytest.raises(InputError, match=r"beam search needs sampling\.eos"):
        beam_search(model, [[1]], Sampling(max_new_tokens=2), n_beams=2, seed=0)
    with pytest.raises(InputError, match="n_beams=0; must be at least 1"):
        beam_search(model, [[1]], sampling(2), n_beams=0, seed=0)
    with pytest.raises(InputError, match="not finite"):
        beam_search(Markov([[math.nan] * 2] * 2), [[1]], sampling(2), n_beams=2, seed=0)
