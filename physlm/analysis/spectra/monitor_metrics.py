"""Everything that the scorer ``spectral_monitor`` measures."""

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import torch
from jaxtyping import Bool, Float, Int64

from physlm.analysis.spectra.alarms import Alarm, calibrated
from physlm.analysis.spectra.monitor import SpectralMonitor, monitored
from physlm.analysis.spectra.text_rows import batches
from physlm.data.corpus import Corpus
from physlm.data.labelled import Labelled, LabelledTexts
from physlm.eval.scorer import mean
from physlm.measurement import Measurement, Metric
from physlm.models.decoder import Decoder
from physlm.models.language_model import LanguageModel
from physlm.rng import stream

if TYPE_CHECKING:
    from physlm.analysis.spectra.spectral_monitor import SpectralMonitorConfig

_P = "monitor"
_N_TRACES = 6
_N_TIMED = 3  # timings of each monitor, of which the shortest counts

# Values after each token by name of the value, one row per text; NaN beyond its end.
Values = dict[str, Float[np.ndarray, "texts lengths"]]


def measured_monitors(
    config: "SpectralMonitorConfig", model: LanguageModel, corpus: Corpus
) -> Measurement:
    """The measurement of the scorer ``spectral_monitor``."""
    assert isinstance(corpus, Labelled)
    assert isinstance(model, Decoder)
    corruption = config.corruption or corpus.corruptions[0]
    texts = corpus.labelled(config.n_problems, corruption, config.n_errors)
    untrained = model.untrained(0)
    assert isinstance(untrained, Decoder)
    spectra, likelihoods = watched(config, model, texts)
    monitors = {
        "spectra": spectra,
        "log_probability": likelihoods,
        "untrained": watched(config, untrained, texts)[0],
    }
    is_calibration = _half(texts)
    found = {
        name: CalibratedMonitor.of(config, values, texts, is_calibration)
        for name, values in monitors.items()
    }
    metrics = [metric for name, own in found.items() for metric in own.metrics(name)]
    metrics += _costs(config, model, texts)
    alarms = pl.concat(own.table(name) for name, own in found.items())
    traces = pl.concat(own.traces(name) for name, own in found.items())
    return Measurement(tuple(metrics), tables={"monitor_alarms": alarms, "monitor_traces": traces})


@torch.inference_mode()
def watched(
    config: "SpectralMonitorConfig", model: Decoder, texts: LabelledTexts
) -> tuple[Values, Values]:
    """Spectral values and those of the log-probability after each token, from the first watched.

    Names are METRIC/layer_L/head_H, and ``last``, ``mean`` and ``least``.
    """
    first = _first_watched(config, texts)
    spectra: Values = {}
    own = np.full((len(texts), int((texts.n_tokens - first).max())), np.nan)
    for batch in batches(texts, config.batch_size):
        tokens = torch.from_numpy(np.stack([texts.tokens[i] for i in batch])).long()
        tokens = tokens.to(model.device)
        monitor = SpectralMonitor(model, tokens.shape[1], config.metrics)
        n_prompt = int(first[batch].min()) + 1
        for t, (values, log_p) in enumerate(monitored(monitor, tokens, n_prompt), n_prompt - 1):
            is_watched = first[batch] <= t
            rows = batch[is_watched]
            places = rows, t - first[rows]
            own[places] = log_p.cpu().numpy()[is_watched]
            for metric, numbers in values.items():
                for layer, of_layer in enumerate(numbers.cpu().numpy()):
                    for head, column in enumerate(of_layer.T):
                        name = f"{metric}/layer_{layer}/head_{head}"
                        whole = spectra.setdefault(name, np.full(own.shape, np.nan))
                        whole[places] = column[is_watched]
    n = np.arange(1, own.shape[1] + 1)
    sums = np.where(np.isnan(own), np.nan, np.nancumsum(own, axis=1) / n)
    return spectra, {"last": own, "mean": sums, "least": np.minimum.accumulate(own, axis=1)}


def _first_watched(
    config: "SpectralMonitorConfig", texts: LabelledTexts
) -> Int64[np.ndarray, " texts"]:
    """Index of the first token of each text that is watched."""
    return texts.n_given + config.n_prompt - 2


def _half(texts: LabelledTexts) -> Bool[np.ndarray, " texts"]:
    """True for the texts of the problems on which monitors are calibrated."""
    problems = np.unique(texts.problem)
    order = stream(0, "monitor", "problems").permutation(problems)
    return np.isin(texts.problem, order[: len(problems) // 2])


@dataclass(frozen=True, slots=True)
class CalibratedMonitor:
    """A monitor, and its alarms on texts that it was not calibrated on.

    Attributes:
        value: Name of the value that it watches.
        alarm: When it raises an alarm.
        values: The value after each token of each text tested.
        position: Index of the token of each text tested at which an alarm is raised; -1 for none.
        is_valid: Label of each text.
        error: Index of the first wrong token; for a right text, that of the wrong text of its pair.
        first: Index of the first token of each text that is watched.
    """

    value: str
    alarm: Alarm
    values: Float[np.ndarray, "texts lengths"]
    position: Int64[np.ndarray, " texts"]
    is_valid: Bool[np.ndarray, " texts"]
    error: Int64[np.ndarray, " texts"]
    first: Int64[np.ndarray, " texts"]

    @classmethod
    def of(
        cls,
        config: "SpectralMonitorConfig",
        values: Values,
        texts: LabelledTexts,
        is_calibration: Bool[np.ndarray, " texts"],
    ) -> "CalibratedMonitor":
        """Calibrate and choose on one half of the problems, and test on the other.

        Args:
            config: Fraction of false alarms, and tokens in a row that raise one.
            values: The values to choose from, by name.
            texts: Right and wrong texts.
            is_calibration: Whether a text belongs to the half to calibrate on.
        """
        error, own = _error_of_problem(texts), is_calibration
        first = _first_watched(config, texts)
        tried = []
        for name, numbers in values.items():
            alarm = calibrated(
                numbers[own & texts.is_valid],
                false_alarms=config.false_alarms,
                n_outside=config.n_outside,
            )
            tried.append(cls._on(name, alarm, numbers, texts.is_valid, error, first))
        best = max(tried, key=lambda monitor: monitor.detected(own).mean())
        return best.at(~own)

    @classmethod
    def _on(
        cls,
        value: str,
        alarm: Alarm,
        values: Float[np.ndarray, "texts lengths"],
        is_valid: Bool[np.ndarray, " texts"],
        error: Int64[np.ndarray, " texts"],
        first: Int64[np.ndarray, " texts"],
    ) -> "CalibratedMonitor":
        raised = alarm.positions(values)
        position = np.where(raised < 0, -1, raised + first)
        return cls(value, alarm, values, position, is_valid, error, first)

    def at(self, kept: Bool[np.ndarray, " texts"]) -> "CalibratedMonitor":
        """The same monitor on some of the texts."""
        return replace(
            self,
            values=self.values[kept],
            position=self.position[kept],
            is_valid=self.is_valid[kept],
            error=self.error[kept],
            first=self.first[kept],
        )

    def detected(
        self, among: Bool[np.ndarray, " texts"] | None = None
    ) -> Bool[np.ndarray, " wrong"]:
        """Whether the alarm of each wrong text comes at its error or later, not before."""
        chosen = ~self.is_valid if among is None else ~self.is_valid & among
        found: np.ndarray = self._after_error[chosen]
        return found

    @property
    def _after_error(self) -> Bool[np.ndarray, " texts"]:
        return (self.position >= 0) & (self.position >= self.error)

    def metrics(self, monitor: str) -> Iterator[Metric]:
        """Fractions of texts, and the delay in tokens of the errors that are found."""
        is_wrong = ~self.is_valid
        dims = {"monitor": monitor}
        yield mean(f"{_P}/detected", self.detected(), "fraction", **dims)
        # The same texts without an error: alarms there are by chance.
        yield mean(f"{_P}/by_chance", self._after_error[self.is_valid], "fraction", **dims)
        is_early = (self.position >= 0) & (self.position < self.error)
        yield mean(f"{_P}/too_early", is_early[is_wrong], "fraction", **dims)
        yield mean(f"{_P}/false_alarms", self.position[self.is_valid] >= 0, "fraction", **dims)
        delays = (self.position - self.error)[is_wrong & self._after_error]
        if len(delays):
            yield mean(f"{_P}/delay", delays, "tokens", **dims)

    def table(self, monitor: str) -> pl.DataFrame:
        """The alarm of each text tested."""
        return pl.DataFrame(
            {
                "monitor": [monitor] * len(self.position),
                "value": [self.value] * len(self.position),
                "is_valid": self.is_valid,
                "error_position": self.error,
                "alarm_position": self.position,
            }
        )

    def traces(self, monitor: str) -> pl.DataFrame:
        """Deviations of the first pairs after each token, beside the threshold."""
        deviations = self.alarm.deviations(self.values)[: 2 * _N_TRACES]
        n_texts, n_lengths = deviations.shape
        tokens = self.first[:n_texts, None] + np.arange(n_lengths)
        is_read = ~np.isnan(self.values[: 2 * _N_TRACES]).ravel()
        return pl.DataFrame(
            {
                "monitor": [monitor] * (n_texts * n_lengths),
                "value": [self.value] * (n_texts * n_lengths),
                "text": np.repeat(np.arange(n_texts), n_lengths),
                "is_valid": np.repeat(self.is_valid[:n_texts], n_lengths),
                "error_position": np.repeat(self.error[:n_texts], n_lengths),
                "token": tokens.ravel(),
                "deviation": deviations.ravel(),
                "threshold": np.full(n_texts * n_lengths, self.alarm.threshold),
            }
        ).filter(pl.Series(is_read))


def _error_of_problem(texts: LabelledTexts) -> Int64[np.ndarray, " texts"]:
    """The position of the error of each text's problem."""
    found = dict(
        zip(texts.problem[~texts.is_valid], texts.error_position[~texts.is_valid], strict=True)
    )
    return np.array([found[problem] for problem in texts.problem], dtype=np.int64)


def _costs(
    config: "SpectralMonitorConfig", model: Decoder, texts: LabelledTexts
) -> Iterator[Metric]:
    """Time of decoding one text with each monitor, over that without a monitor."""
    tokens = torch.from_numpy(np.asarray(texts.tokens[0]))[None].long().to(model.device)
    n_prompt = int(_first_watched(config, texts)[0]) + 1
    plain = min(_seconds(model, tokens, n_prompt, None) for _ in range(_N_TIMED))
    for metric in config.metrics:
        watching = min(_seconds(model, tokens, n_prompt, metric) for _ in range(_N_TIMED))
        yield Metric(
            name=f"{_P}/time_ratio",
            value=watching / plain,
            unit="ratio",
            n=tokens.shape[1] - n_prompt,
            dims={"metric": metric},
        )


@torch.inference_mode()
def _seconds(model: Decoder, tokens: torch.Tensor, n_prompt: int, metric: str | None) -> float:
    """Seconds to read one text token by token, with a monitor of one metric or without any."""
    n_tokens = tokens.shape[1]
    if metric is not None:
        monitor = SpectralMonitor(model, n_tokens, [metric])
        monitor.begin(tokens[:, :n_prompt])
        began = time.perf_counter()
        for t in range(n_prompt, n_tokens):
            monitor.decode(tokens[:, t])
            monitor.values()
        return time.perf_counter() - began
    lengths = torch.full((1,), n_prompt, device=tokens.device)
    _, state = model.prefill(tokens[:, :n_prompt], lengths, n_tokens)
    began = time.perf_counter()
    for t in range(n_prompt, n_tokens):
        model.decode(tokens[:, t], state)
    return time.perf_counter() - began
