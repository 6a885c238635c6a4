import numpy as np
import pytest
from scipy import stats

from physlm.analysis.spectra.comparison.power import power, smallest_detectable_d


def test_smallest_detectable_d_is_about_2_8_times_the_root_of_2_over_n():
    assert smallest_detectable_d(200, 200) == pytest.approx(2.8 * np.sqrt(2 / 200), rel=1e-3)


def test_an_effect_of_the_smallest_detectable_size_is_found_in_80_of_100_samples():
    rng = np.random.default_rng(0)
    d = smallest_detectable_d(50, 80)
    a, b = rng.standard_normal((50, 4000)) + d, rng.standard_normal((80, 4000))
    assert np.mean(stats.ttest_ind(a, b).pvalue < 0.05) == pytest.approx(0.8, abs=0.03)


def test_power_follows_from_the_width_of_the_interval():
    error = 0.2 * stats.norm.ppf(0.975)
    effect = np.array([0.0, 0.2 * (stats.norm.ppf(0.975) + stats.norm.ppf(0.8)), -2.0])
    found = power(effect, effect - error, effect + error)
    assert found == pytest.approx([0.05, 0.8, 1.0], abs=1e-4)


def test_an_interval_without_width_has_no_power():
    assert np.isnan(power(np.zeros(1), np.zeros(1), np.zeros(1))).all()
