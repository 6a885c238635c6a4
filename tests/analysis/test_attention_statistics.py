"""Attention statistics against loops over pairs, and on planted patterns."""

import numpy as np
import pytest
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg

from physlm.analysis.attention_metrics import attention_metrics
from physlm.analysis.attention_statistics import MOST_APART, OFFSETS, attention_statistics
from physlm.analysis.cfg_attention import CfgAttentionConfig
from physlm.arrays import digest, keep_arrays, read_arrays
from physlm.data.cfg.corpus import CfgConfig
from physlm.errors import InputError
from physlm.measurement import Measurement
from physlm.models.architecture import EncoderConfig
from tests.eval.oracle import Uniform


@pytest.fixture(scope="module")
def corpus():
    return CfgConfig(grammar="cfg3b", root=16).build(0)


BOUNDARY = "attention/at_boundary{{level={},offset={},split=test}}"
ADJACENT = "attention/adjacent{{apart={},key_level=3,query_level=3,split=test}}"


def values(config, model, corpus):
    return {metric.text: metric.value for metric in config.measure(model, corpus).metrics}


class Planted(Uniform):
    """Attention given by a function of a string's boundary levels: (end-of-text, then tokens)."""

    def __init__(self, corpus, pattern):
        super().__init__(corpus)
        self.pattern = pattern

    def attention_patterns(self, tokens, layers=None, segments=None):
        string = self.corpus.string(tokens[0, 1:].numpy())
        truth = self.corpus.grammar.parse(string).derivations
        maps = np.zeros((2, 1, len(string) + 1, len(string) + 1))
        maps[:, 0, 1:, 1:] = self.pattern(truth)
        yield from enumerate(torch.from_numpy(np.tril(maps))[:, None].float())


def to_ends(truth):
    """Each token attends to every earlier end of a subtree, whatever its level."""
    return np.broadcast_to(truth.deepest_boundary > 0, (2, *(len(truth.deepest_boundary),) * 2))


def to_nearest_sibling(truth):
    """Each end of a level-3 subtree, but of no higher one, attends to the end of the one before."""
    n = len(truth.deepest_boundary)
    maps = np.zeros((2, n, n))
    is_end = truth.deepest_boundary == 3
    is_next = truth.subtrees[2][:, None] - truth.subtrees[2] == 1
    maps[:, is_end[:, None] & is_end & is_next] = 1.0
    return maps


def noise(truth):
    n = len(truth.deepest_boundary)
    return np.random.default_rng(n).random((2, n, n))


@pytest.mark.parametrize("pattern", [noise, to_ends, to_nearest_sibling])
def test_means_equal_those_of_loops_over_pairs(corpus, pattern):
    strings = corpus.measured(4, "loops", derivations=True)
    model = Planted(corpus, pattern)
    found = attention_statistics(model, corpus, strings)
    expected = looped(corpus, strings, pattern)
    np.testing.assert_allclose(found.by_distance[0, 0], expected["distance"], atol=1e-6)
    np.testing.assert_allclose(found.at_boundary[0, 0], expected["boundary"], atol=1e-6)
    np.testing.assert_allclose(found.end_to_end[0, 0], expected["ends"], atol=1e-6)
    np.testing.assert_allclose(found.adjacent[0, 0], expected["adjacent"], atol=1e-6)


def looped(corpus, strings, pattern):
    truths = [corpus.grammar.parse(string).derivations for string in strings]
    maps = [np.tril(pattern(truth)[0].astype(float)) for truth in truths]
    n_inner, n_offsets = len(corpus.grammar.levels) - 2, len(OFFSETS)
    longest = max(map(len, strings))
    sums = {
        "distance": np.zeros((2, longest)),
        "boundary": np.zeros((2, n_inner, n_offsets)),
        "ends": np.zeros((2, n_inner, n_offsets, n_inner, n_offsets)),
        "adjacent": np.zeros((2, n_inner, n_inner, MOST_APART + 1)),
    }
    for a in maps:
        for j in range(len(a)):
            for i in range(j + 1):
                sums["distance"][:, j - i] += (a[j, i], 1)
    mean = sums["distance"][0] / sums["distance"][1]
    for a, truth in zip(maps, truths, strict=True):
        deepest, n = truth.deepest_boundary, len(a)
        levels = {
            (at, o): deepest[at + offset]
            for at in range(n)
            for o, offset in enumerate(OFFSETS)
            if 0 <= at + offset < n and deepest[at + offset]
        }
        for j in range(n):
            for i in range(j + 1):
                value = (a[j, i] - mean[j - i], 1)
                for o in range(n_offsets):
                    if (i, o) in levels:
                        sums["boundary"][:, levels[i, o] - 2, o] += value
                        for p in range(n_offsets):
                            if (j, p) in levels:
                                at = (levels[j, p] - 2, p, levels[i, o] - 2, o)
                                sums["ends"][:, *at] += value
                if deepest[i] and deepest[j] and i < j:
                    apart = truth.subtrees[deepest[i] - 1, j] - truth.subtrees[deepest[i] - 1, i]
                    if apart <= MOST_APART:
                        sums["adjacent"][:, deepest[j] - 2, deepest[i] - 2, apart] += value
    with np.errstate(invalid="ignore"):
        return {name: total / n for name, (total, n) in sums.items()}


def test_planted_attention_to_ends_is_a_peak(corpus):
    config = CfgAttentionConfig(n_strings=20)
    found = values(config, Planted(corpus, to_ends), corpus)
    assert found["attention/boundary_peak{split=test}"] > 0.3
    assert found["attention/end_to_end_peak{split=test}"] > 0.3
    for level in (2, 3, 4):
        row = [
            found[f"attention/at_boundary{{level={level},offset={o},split=test}}"] for o in OFFSETS
        ]
        assert np.argmax(row) == OFFSETS.index(0)


def test_planted_attention_to_the_sibling_before_is_adjacent(corpus):
    config = CfgAttentionConfig(n_strings=20)
    found = values(config, Planted(corpus, to_nearest_sibling), corpus)
    assert found[ADJACENT.format(1)] > 0.7
    assert found[ADJACENT.format(2)] <= 0


def test_attention_without_a_pattern_has_no_peak(corpus):
    config = CfgAttentionConfig(n_strings=40)
    found = values(config, Planted(corpus, noise), corpus)
    for name in ("boundary_peak", "end_to_end_peak", "adjacent_peak"):
        assert abs(found[f"attention/{name}{{split=test}}"]) < 0.02


def test_statistics_without_pairs_are_left_out(corpus):
    strings = corpus.measured(3, "few", derivations=True)
    found = attention_statistics(Planted(corpus, noise), corpus, strings)
    apart = [
        m.dims["apart"]
        for m in attention_metrics(found)
        if (m.dims.get("query_level"), m.dims.get("key_level")) == (2, 2)
        and m.name == "attention/adjacent"
    ]
    assert 1 in apart
    assert 4 not in apart  # the root has three children at most


def test_figures_are_drawn_from_arrays_without_model_or_corpus(corpus, tmp_path):
    scorer = CfgAttentionConfig(n_strings=5)
    found = scorer.measure(Planted(corpus, to_ends), corpus)
    keep_arrays({"here": found.arrays}, tmp_path / "arrays.npz")
    digests = {"here": digest(found.arrays)}
    kept = Measurement(found.metrics, read_arrays(tmp_path / "arrays.npz", digests)["here"])
    pictures = []
    for measurement in (found, kept):
        figures = scorer.figures(measurement)
        assert set(figures) == set(scorer.figure_names)
        assert len(figures["attention"].axes) == 5
        pictures.append([pixels(figure) for figure in figures.values()])
    for first, second in zip(*pictures, strict=True):
        np.testing.assert_array_equal(first, second)


def pixels(figure):
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())


def test_the_drawn_string_has_the_derivation_that_a_parser_finds(corpus):
    scorer = CfgAttentionConfig(n_strings=5)
    measurement = scorer.measure(Planted(corpus, to_ends), corpus)
    found = measurement.arrays
    strings = corpus.measured(5, "attention", derivations=True)
    shortest = min(strings, key=len)
    truth = corpus.grammar.parse(shortest).derivations
    np.testing.assert_array_equal(found["string_is_end"], truth.is_boundary)
    names = [[corpus.grammar.rules.name(int(s)) for s in row] for row in truth.ancestors]
    assert found["string_symbols"].tolist() == names
    assert found["string_attention"].shape == (len(shortest), len(shortest))
    tree, matrix = scorer.figures(measurement)["attention_over_derivation"].axes
    assert len(tree.patches) == truth.is_boundary.sum()  # a block for each subtree
    deepest = truth.deepest_boundary
    n_inner = ((deepest > 0) & (deepest < len(corpus.grammar.levels) - 1)).sum()
    assert len(matrix.lines) == n_inner


def test_a_model_without_attention_patterns_is_refused(corpus):
    with pytest.raises(InputError, match="cfg_attention: this model has no attention patterns"):
        CfgAttentionConfig().check(Uniform(corpus), corpus)
    encoder = EncoderConfig(d_model=16, n_layers=1).build(4, 80, 0)
    with pytest.raises(InputError, match="this model attends to both sides"):
        CfgAttentionConfig().check(encoder, corpus)
