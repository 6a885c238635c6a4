"""Filters of training documents: AUC against scipy, planted effects, chance, bad input."""

import numpy as np
import pytest
from scipy.stats import mannwhitneyu

from physlm.analysis.spectra.filter_metrics import training_texts
from physlm.analysis.spectra.placements import auc_gain, auc_metric
from physlm.analysis.spectra.spectral_filter import SpectralFilterConfig
from physlm.analysis.spectra.text_columns import one_column, text_columns
from physlm.data.filtered import SCORES, FilteredConfig, FilteredCorpus, KeptBy
from physlm.data.people.biod import BiodConfig
from physlm.errors import InputError
from tests.analysis.spectra.planted_worlds import (
    errors_of,
    model_of,
    noise,
    planted,
    values_of,
    world,
)


def corrupted_world():
    return world(corrupted_fraction=0.3)


def config_of(**changes):
    return SpectralFilterConfig(**({"n_texts": 200, "metrics": ["fiedler"]} | changes))


def test_areas_are_those_of_scipy_and_their_errors_those_of_many_samples():
    rng, n_right = np.random.default_rng(0), 60
    is_right = np.arange(150) < n_right
    drawn = []
    for _ in range(120):
        shared = rng.normal(size=150)
        scores, other = shared + is_right + rng.normal(size=150), (shared + is_right).round()
        area = auc_metric("auc", other, is_right)
        rank_sum = mannwhitneyu(other[is_right], other[~is_right]).statistic
        assert area.value == pytest.approx(rank_sum / (n_right * (150 - n_right)))
        drawn.append((area, auc_gain("gain", scores, other, is_right)))
    for metrics in zip(*drawn, strict=True):
        spread = np.std([metric.value for metric in metrics])
        assert np.mean([metric.stderr for metric in metrics]) == pytest.approx(spread, rel=0.2)


def test_a_planted_spectrum_tells_corrupted_documents_and_chance_does_not():
    corpus = corrupted_world()
    model = planted(corpus)
    config = config_of(scores_all=True, n_texts=240)
    config.check(model, corpus)
    found = config.measure(model, corpus)
    values, errors = values_of(found.metrics), errors_of(found.metrics)
    assert values["filter/auc{score=spectra}"] == 1
    assert values["filter/auc{metric=fiedler,score=spectra}"] == 1
    for name in ("random", "untrained"):
        own = f"filter/auc{{score={name}}}"
        assert abs(values[own] - 0.5) < 3 * errors[own]
    gain = values["filter/auc_gain{over=random,score=spectra}"]
    assert gain == pytest.approx(1 - values["filter/auc{score=random}"])
    chosen = found.tables["filter_choices"].row(0, named=True)
    assert (chosen["layer"], chosen["head"], chosen["metric"]) == (0, 1, "fiedler")

    scores = found.tables[SCORES]
    assert len(scores) == corpus.n_documents
    truth = corpus.is_corrupted(0, 0, corpus.n_documents)
    assert np.array_equal(scores["is_corrupted"].to_numpy(), truth)
    kept_fraction = float((~truth).mean())
    filtered = FilteredConfig(by=KeptBy.spectra, kept_fraction=kept_fraction)
    kept = FilteredCorpus(filtered, corpus, 0, scores["spectra"].to_numpy())
    assert not kept.is_corrupted(0, 0, kept.n_documents).any()


def test_one_column_is_that_of_all():
    corpus = corrupted_world()
    model, texts = model_of(corpus), training_texts(corpus, 3, 20)
    every = text_columns(model, texts, ["free_energy", "smoothness"], 8)
    assert len(every.keys) == 8
    for key, values in zip(every.keys, every.values, strict=True):
        np.testing.assert_allclose(one_column(model, texts, key, 5), values, rtol=1e-5)


def test_an_uninformed_world_of_scores_is_at_chance():
    scores, is_right = noise(4000), noise(4000, seed=1) > 0.3
    metric = auc_metric("auc", scores, is_right)
    assert abs(metric.value - 0.5) < 3 * metric.stderr


@pytest.mark.parametrize(
    ("act", "message"),
    [
        (lambda: config_of(n_texts=4), "n_texts=4; must be at least 8"),
        (
            lambda: config_of().check(model_of(world()), world()),
            "none of the first 200 training documents is corrupted",
        ),
        (
            lambda: config_of().check(model_of(world()), BiodConfig(n_people=8).build(0)),
            "has no corrupted documents; use data=sums",
        ),
        (
            lambda: config_of(n_texts=8).measure(model_of(world()), world(corrupted_fraction=0.02)),
            "training documents of a half are corrupted",
        ),
    ],
)
def test_bad_input_is_refused_in_one_line(act, message):
    with pytest.raises((ValueError, InputError), match=message) as refused:
        act()
    assert "\n" not in str(refused.value)
