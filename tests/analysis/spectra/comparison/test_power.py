import numpy as np
import pytest
from scipy import stats

from physlm.analysis.spectra.comparison.power import smallest_detectable_d


def test_smallest_detectable_d_is_about_2_8_times_the_root_of_2_over_n():
    assert smallest_detectable_d(200, 200) == pytest.approx(2.8 * np.sqrt(2 / 200), rel=1e-3)


def test_an_effect_of_the_smallest_detectable_size_is_found_in_80_of_100_samples():
    rng = np.random.default_rng(0)
    d = smallest_detectable_d(50, 80)
    a, b = rng.standard_normal((50, 4000)) + d, rng.standard_normal((80, 4000))
    assert np.mean(stats.ttest_ind(a, b).pvalue < 0.05) == pytest.approx(0.8, abs=0.03)
