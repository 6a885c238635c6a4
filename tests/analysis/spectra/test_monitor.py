"""Monitors of growing texts against the whole computation, and their alarms."""

import numpy as np
import pytest
import torch

from physlm.analysis.spectra import SpectralMonitor, spectral_metrics
from physlm.analysis.spectra.alarms import calibrated
from physlm.analysis.spectra.monitor import monitored
from physlm.analysis.spectra.monitor_metrics import watched
from physlm.analysis.spectra.options import SignalKind
from physlm.analysis.spectra.spectral_monitor import SpectralMonitorConfig
from physlm.data.labelled import pairs
from physlm.errors import InputError
from physlm.models.architecture import DecoderConfig
from physlm.models.components import PositionEncoding

WORDS, LENGTH = 30, 20
TEXTS = torch.randint(WORDS, (3, LENGTH), generator=torch.Generator().manual_seed(0))


def decoder(**changes):
    config = DecoderConfig(n_layers=2, n_heads=2, d_model=16, init_std=0.4, **changes)
    return config.build(WORDS, LENGTH, 0).double().eval()


@pytest.mark.parametrize(
    "changes", [{}, {"position": PositionEncoding.relative}, {"n_kv_heads": 1}]
)
@pytest.mark.parametrize(
    "signal", [SignalKind.rms, pytest.param(SignalKind.raw, marks=pytest.mark.slow)]
)
def test_values_after_each_token_are_those_of_the_whole_prefix(changes, signal):
    model = decoder(**changes)
    states, maps = model.residuals(TEXTS), dict(model.attention_patterns(TEXTS))
    monitor = SpectralMonitor(model, LENGTH, signal=signal)
    for n, (values, _) in enumerate(monitored(monitor, TEXTS, n_prompt=3), start=3):
        for layer, whole in maps.items():
            given = whole[:, :, :n, :n], states[layer + 1][:, None, :n]
            comb = spectral_metrics(*given, laplacian="comb", metrics=["energy"], signal=signal)
            sym = spectral_metrics(*given, metrics=["smoothness", "fiedler"], signal=signal)
            for name, expected in (comb | sym).items():
                torch.testing.assert_close(values[name][layer], expected, rtol=1e-9, atol=1e-9)


def test_a_sliding_window_hides_the_first_tokens_from_the_graph():
    model = decoder(sliding_window=4)
    whole = dict(model.attention_patterns(TEXTS))
    monitor = SpectralMonitor(model, LENGTH, ["fiedler"])
    *_, (values, _) = monitored(monitor, TEXTS)
    for layer, maps in whole.items():
        expected = spectral_metrics(maps, metrics=["fiedler"])["fiedler"]
        torch.testing.assert_close(values["fiedler"][layer], expected, rtol=1e-9, atol=1e-9)


def test_log_probabilities_are_the_models():
    model = decoder()
    own = [log_p for _, log_p in monitored(SpectralMonitor(model, LENGTH), TEXTS)]
    expected = model(TEXTS).log_softmax(-1)[:, :-1].gather(-1, TEXTS[:, 1:, None])[..., 0]
    torch.testing.assert_close(torch.stack(own, dim=1), expected)


def test_values_are_aligned_after_the_tokens_that_are_given():
    model, given = decoder(), np.array([4, 4, 7, 7])
    valid, wrong = (list(TEXTS[[0, first]].int().numpy()) for first in (1, 2))
    texts = pairs(valid, wrong, "swap", 1, error_position=np.array([9, 9]), n_given=given[::2])
    config = SpectralMonitorConfig(n_prompt=3, metrics=["energy"])
    spectra, likelihoods = watched(config, model, texts)
    tokens = torch.from_numpy(np.stack(texts.tokens)).long()
    whole = list(monitored(SpectralMonitor(model, LENGTH, ["energy"]), tokens, n_prompt=2))
    for text, n_given in enumerate(given.tolist()):
        # Three tokens are read before any is watched: the last given one, and two more.
        own = [values for t, values in enumerate(whole, start=1) if t >= n_given - 1 + 2]
        energies = np.array([values["energy"][1, text, 0].item() for values, _ in own])
        log_p = np.array([log_p[text].item() for _, log_p in own])
        for found, expected in (
            (spectra["energy/layer_1/head_0"], energies),
            (likelihoods["last"], log_p),
            (likelihoods["least"], np.minimum.accumulate(log_p)),
            (likelihoods["mean"], log_p.cumsum() / np.arange(1, len(log_p) + 1)),
        ):
            np.testing.assert_allclose(found[text, : len(expected)], expected, rtol=1e-9)
            assert np.isnan(found[text, len(expected) :]).all()


@pytest.mark.parametrize(
    ("act", "message"),
    [
        (lambda m: SpectralMonitor(m, 9, ["hfer"]), "metrics=hfer; use one of energy"),
        (lambda m: SpectralMonitor(m, 9, signal=SignalKind.centred), "signal=centred changes"),
        (lambda m: SpectralMonitor(m, 9).decode(TEXTS[:, 0]), "no prompt was read yet"),
    ],
)
def test_what_a_monitor_cannot_do_is_refused(act, message):
    with pytest.raises(InputError, match=message):
        act(decoder())


def test_as_many_right_texts_raise_an_alarm_as_were_allowed():
    rng = np.random.default_rng(0)
    values = rng.normal(size=(4000, 30)).cumsum(axis=1)
    alarm = calibrated(values[:2000], false_alarms=0.1, n_outside=2)
    assert np.mean(alarm.positions(values[:2000]) >= 0) == pytest.approx(0.1, abs=0.001)
    assert np.mean(alarm.positions(values[2000:]) >= 0) == pytest.approx(0.1, abs=0.02)


def test_an_alarm_comes_when_values_have_been_outside_for_long_enough():
    rng = np.random.default_rng(0)
    alarm = calibrated(rng.normal(size=(1000, 10)), false_alarms=0.05, n_outside=3)
    values = np.zeros((3, 10))
    values[0, 4:] = 50.0
    values[1, 4:6] = 50.0  # not for long enough
    values[2, 5:] = np.nan  # a text that has ended
    assert alarm.positions(values).tolist() == [6, -1, -1]


def test_an_alarm_needs_right_texts_of_the_length():
    values = np.zeros((200, 5))
    values[:195, 3:] = np.nan
    alarm = calibrated(values, false_alarms=0.05)
    assert np.isinf(alarm.spread[:, 3:]).all()
    with pytest.raises(InputError, match="less than one text"):
        calibrated(values[:5], false_alarms=0.1)
    with pytest.raises(InputError, match="n_outside=6"):
        calibrated(values, false_alarms=0.1, n_outside=6)
