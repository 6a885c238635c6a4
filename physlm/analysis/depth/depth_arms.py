"""Everything that the scorer ``depth`` measures: the chosen lens and its controls."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import torch
from matplotlib.figure import Figure

from physlm.analysis.depth.bucket_fractions import bucket_fractions
from physlm.analysis.depth.buckets import Buckets
from physlm.analysis.depth.contrasts import contrasts
from physlm.analysis.depth.depth_means import state_means
from physlm.analysis.depth.depth_metrics import (
    Yardsticks,
    bias_metrics,
    depth_metrics,
    lens_metrics,
    weighted_constant_metrics,
    yardsticks,
)
from physlm.analysis.depth.figures import (
    draw_bucket_fractions,
    draw_depth_histogram,
    draw_divergence,
    draw_flips,
    draw_rank_curve,
)
from physlm.analysis.depth.flips import flips
from physlm.analysis.depth.frequency_metrics import flip_metrics, frequency_metrics
from physlm.analysis.depth.lens_scorer import LensKind
from physlm.analysis.depth.predictions import trace
from physlm.analysis.depth.rank_curve import rank_curve
from physlm.analysis.depth.sample import DepthSample
from physlm.analysis.lenses import JacobianLens, Lens, LogitLens, TunedLens
from physlm.analysis.lenses.controls import ShiftedLens, shuffled_lens
from physlm.analysis.lenses.update_weights import UpdateWeights
from physlm.data.corpus import Corpus
from physlm.measurement import Measurement, Metric
from physlm.models.language_model import LanguageModel

if TYPE_CHECKING:
    from physlm.analysis.depth.depth import DepthConfig

OWN = "own"


def measured_depth(config: "DepthConfig", model: LanguageModel, corpus: Corpus) -> Measurement:
    """The measurement of the scorer ``depth``."""
    sample = config.sample(model, corpus)
    study = _Study(config, sample, config.chosen_buckets(model, corpus))
    marks = yardsticks(model, sample)
    lens = config.fitted(model, sample)
    rows = study.rows(lens)
    metrics = [
        *marks.metrics(len(rows)),
        *study.full(lens, rows, OWN, marks),
        *study.controls(model, lens, marks),
        *study.untrained(model),
    ]
    metrics += contrasts(metrics, model.n_layers)
    files: dict[str, Callable[[Path], None]] = {}
    if isinstance(lens, TunedLens):
        files["lens"] = lens.save
    if isinstance(lens, JacobianLens):
        files["lens.pt"] = lens.save
    return Measurement(tuple(metrics), study.arrays(), {"predictions": rows}, files)


@dataclass(frozen=True, slots=True)
class _Study:
    """One sample, read through several lenses.

    Attributes:
        config: Settings of the scorer.
        sample: The texts that are read.
        buckets: Tokens by frequency, if they are divided.
    """

    config: "DepthConfig"
    sample: DepthSample
    buckets: Buckets | None

    def rows(self, lens: Lens) -> pl.DataFrame:
        """The predictions through a lens."""
        return trace(
            lens.model,
            self.sample.tokens,
            lens,
            self.sample.positions,
            buckets=self.buckets,
            truth=self.sample.truth,
            batch_size=self.config.batch_size,
        )

    def full(self, lens: Lens, rows: pl.DataFrame, name: str, marks: Yardsticks) -> list[Metric]:
        """All metrics of a lens.

        Args:
            lens: The lens.
            rows: Its predictions.
            name: Name of the lens.
            marks: The yardsticks of its model.
        """
        found = self.briefly(rows, name, marks)
        found += bias_metrics(lens, self.sample, name)
        if self.buckets is not None:
            found += flip_metrics(rows, self.buckets, name)
        return found

    def briefly(self, rows: pl.DataFrame, name: str, marks: Yardsticks) -> list[Metric]:
        """The metrics of a lens that others are compared with; see ``full``."""
        means = state_means(rows)
        found = [*lens_metrics(means, name, marks.constant), *depth_metrics(rows, means, name)]
        if self.buckets is not None:
            found += frequency_metrics(rows, self.buckets, name)
        return found

    def controls(self, model: LanguageModel, lens: Lens, marks: Yardsticks) -> list[Metric]:
        """The logit lens, lenses that must be worse, and the lens of weighted updates."""
        found = []
        if not isinstance(lens, LogitLens):
            logit = LogitLens(model)
            found += self.briefly(self.rows(logit), "logit", marks)
            shifted = state_means(self.rows(ShiftedLens(lens, 1)))
            found += lens_metrics(shifted, "shifted", marks.constant)
        shuffled = shuffled_lens(model, self.sample.fitted, self.config.tuned_config(), seed=0)
        found += self.briefly(self.rows(shuffled), "shuffled", marks)
        if self.config.frequent_weight != 1 and self.buckets is not None:
            found += self._weighted(model, marks)
        return found

    def untrained(self, model: LanguageModel) -> list[Metric]:
        """An untrained model, through a ridge lens of its own."""
        if not model.shows("untrained"):
            return []
        other = model.untrained(0).eval()
        ridge = replace(self.config, lens=LensKind.ridge, lens_path="")
        lens = ridge.fitted(other, self.sample)
        return self.full(lens, self.rows(lens), "untrained", yardsticks(other, self.sample))

    def _weighted(self, model: LanguageModel, marks: Yardsticks) -> list[Metric]:
        """A tuned lens whose updates from frequent tokens have another weight."""
        assert self.buckets is not None
        frequent = torch.from_numpy((self.buckets.of_token == 0).nonzero()[0])
        config = self.config.tuned_config(
            optimizer=self.config.lens_optimizer,
            frequent_weight=self.config.frequent_weight,
            weight_by=self.config.weight_by,
        )
        windows = self.sample.fitted
        lens = TunedLens.fit(
            model, windows.tokens, config, is_visible=windows.is_visible, frequent=frequent
        )
        weights = UpdateWeights.of(config, frequent)
        return [
            *self.briefly(self.rows(lens), "weighted", marks),
            *weighted_constant_metrics(model, self.sample, weights, self.buckets),
        ]

    def arrays(self) -> dict[str, np.ndarray]:
        """The buckets, from which figures of frequency are drawn."""
        if self.buckets is None:
            return {}
        return {
            "bucket_names": np.array(self.buckets.names),
            "bucket_of_token": self.buckets.of_token,
            "corpus_fraction": self.buckets.corpus_fraction,
        }


def draw_depth(measurement: Measurement) -> dict[str, Figure]:
    """The figures of the scorer ``depth``, from its measurement alone."""
    rows, arrays = measurement.tables["predictions"], measurement.arrays
    found = {
        "depth_divergence": draw_divergence(*_divergences(measurement.metrics)),
        "depth_ranks": draw_rank_curve(rank_curve(rows)),
        "depth_histogram": draw_depth_histogram(rows),
    }
    if "bucket_names" in arrays:
        names = tuple(arrays["bucket_names"].tolist())
        buckets = Buckets(names, arrays["bucket_of_token"], arrays["corpus_fraction"])
        found["depth_frequency"] = draw_bucket_fractions(bucket_fractions(rows, buckets))
        found["depth_flips"] = draw_flips(flips(rows, buckets))
    return found


def _divergences(metrics: tuple[Metric, ...]) -> tuple[dict[str, pl.DataFrame], dict[str, float]]:
    """KL by state of every lens, and of the predictors that read no state."""
    named = [metric for metric in metrics if metric.name == "lens/kl_nats"]
    rows = [(m.dims["lens"], m.dims["state"], "kl_nats", m.value, m.stderr) for m in named]
    frame = pl.DataFrame(
        rows, ["lens", "state", "quantity", "value", "stderr"], orient="row"
    ).with_columns(pl.col("stderr").cast(pl.Float64))
    lenses = {
        str(name): frame.filter(lens=name) for name in frame["lens"].unique(maintain_order=True)
    }
    flat = {m.name: m.value for m in metrics}
    return lenses, {name: flat[f"lens/{name}_kl_nats"] for name in ("constant", "token")}
