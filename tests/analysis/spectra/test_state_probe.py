"""Probes of the states: the state is chosen on other texts than it is measured on."""

import numpy as np

from physlm.analysis.spectra.state_probe import probe_aucs
from tests.analysis.spectra.comparison.frames import groups_of, texts_of


def test_the_best_of_many_states_of_noise_is_above_chance_and_the_chosen_one_is_not():
    rng = np.random.default_rng(0)
    chosen, best = [], []
    for _ in range(6):
        texts = groups_of(texts_of(rng, 30))
        found = probe_aucs(rng.standard_normal((12, 60, 2)), texts)
        chosen.append(found.chosen)
        best.append(max(found.by_state))
    assert np.mean(best) > 0.57
    assert np.mean(chosen) < 0.53


def test_a_state_with_the_label_is_chosen():
    rng = np.random.default_rng(1)
    texts = groups_of(texts_of(rng, 30))
    states = rng.standard_normal((4, 60, 3))
    states[2, :, 1] += 3 * texts.is_valid
    found = probe_aucs(states, texts)
    assert found.chosen == found.by_state[2] > 0.9
