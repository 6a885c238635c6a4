import numpy as np
import pytest

from physlm.analysis.spectra.comparison.effects import auc
from physlm.analysis.spectra.comparison.median_distance import median_distance_auc
from tests.analysis.spectra.comparison.frames import groups_of, texts_of


def test_right_texts_within_a_range_are_told_by_the_distance_and_not_by_the_value():
    rng = np.random.default_rng(0)
    texts = groups_of(texts_of(rng, 150))
    values = rng.standard_normal((300, 8))
    values[:, 5] *= np.where(texts.is_valid, 1, 4)  # wrong ones lie on both sides
    assert auc(values[:, [5]], texts.is_valid)[0] == pytest.approx(0.5, abs=0.1)
    # Of normal values of standard deviations 1 and 4, the ratio has a Cauchy distribution.
    expected = 1 - 2 / np.pi * np.arctan(1 / 4)
    assert median_distance_auc(values, texts) == pytest.approx(expected, abs=0.05)


def test_noise_is_told_apart_by_chance_only():
    rng = np.random.default_rng(1)
    texts = groups_of(texts_of(rng, 150))
    values = rng.standard_normal((300, 40))
    assert median_distance_auc(values, texts) == pytest.approx(0.5, abs=0.08)
