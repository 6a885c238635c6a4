"""Comparison of valid and invalid texts by spectra, never without its controls."""

from dataclasses import dataclass

import numpy as np
import polars as pl

from physlm.analysis.spectra.comparison.accuracy import majority_accuracy
from physlm.analysis.spectra.comparison.arms import Arm, compare_arm, statistics
from physlm.analysis.spectra.comparison.controlled import length_overlap, why_no_length_control
from physlm.analysis.spectra.comparison.groups import COVARIATES, Columns, Texts, read_groups
from physlm.analysis.spectra.comparison.notes import notes_on
from physlm.analysis.spectra.comparison.power import power, smallest_detectable_d
from physlm.analysis.spectra.comparison.printed import comparison_text
from physlm.analysis.spectra.comparison.verdict import Verdict, verdicts
from physlm.rng import stream


@dataclass(frozen=True, slots=True, eq=False)
class Comparison:
    """What sets valid texts apart from invalid ones, and what is left beyond length and likelihood.

    In all tables null stands for what cannot be had, and ``arm`` is ``model``, ``untrained``,
    ``planted``, ``shuffled`` (labels permuted within problems) or ``layer_0`` (the trained model's
    first layer alone).

    Attributes:
        table: One row per arm, layer, head and metric. Effects are valid minus invalid, in standard
            deviations; ``best_threshold_accuracy`` is in-sample.
        selected: One row per arm, metric and choosing model (``chosen_for``): the same numbers for
            the layer and head that the training folds chose, from test texts alone. Those of
            ``spectra`` were chosen by AUC, those of ``both`` by AUC beyond the controls. Metric
            ``any`` stands for the best of all spectral metrics.
        nested: One row per arm and metric: accuracy and AUC of each model in nested
            cross-validation, and ``nested_gain``.
        baselines: The numbers of ``table`` for length, likelihood and repetition of the texts.
        planted: One row per metric: power to find the effect of arm ``planted``; no rows without
            that arm.
        verdicts: By metric; the companions of the spectra have none.
        texts: Labels, problems and covariates.
        n_tests: Number of p-values of arm ``model``, which its q-values are over.
        n_pairs: Number of matched pairs.
        n_natural_pairs: Those within one problem.
        n_overlap: Number of texts in the overlap of the lengths of both groups.
        majority_accuracy: Accuracy of calling all texts what most are.
        smallest_detectable_d: Effect that is found with a power of 80% in a single test.
        notes: What was left out, and why, one sentence each.
    """

    table: pl.DataFrame
    selected: pl.DataFrame
    nested: pl.DataFrame
    baselines: pl.DataFrame
    planted: pl.DataFrame
    verdicts: dict[str, Verdict]
    texts: Texts
    n_tests: int
    n_pairs: int
    n_natural_pairs: int
    n_overlap: int
    majority_accuracy: float
    smallest_detectable_d: float
    notes: tuple[str, ...]

    @property
    def text(self) -> str:
        """The control table, baselines, verdicts and notes, to be printed."""
        return comparison_text(self)


def compare_groups(frame: pl.DataFrame, *, seed: int = 0) -> Comparison:
    """Compare valid and invalid texts, controlled for length, likelihood and chance.

    Nothing of it can be switched off. Arms ``untrained`` and ``planted`` are measured where the
    frame has them; no verdict is favourable without the former.

    Args:
        frame: One row per text, layer, head and metric, with columns ``text``, ``problem``,
            ``is_valid``, ``layer``, ``head``, ``metric``, ``value``, ``n_tokens``,
            ``mean_log_probability``, ``min_log_probability``, ``mean_entropy``,
            ``distinct_tokens`` and ``repeated_fraction``, and perhaps ``arm`` (``model`` without
            it). Every text has a value of every column of its arm.
        seed: Of folds, shuffled labels and resampled problems.

    Raises:
        InputError: If a column is missing, a value is not finite, a text has no or several values,
            a group has fewer than two texts, there are fewer than two problems, or labels follow
            the problem.
    """
    texts, measured = read_groups(frame)
    arms = {name: compare_arm(columns, texts, seed) for name, columns in measured.items()}
    first = measured["model"].where((measured["model"].keys["layer"] == 0).to_numpy())
    if len(first.keys):
        arms["layer_0"] = compare_arm(first, texts, seed)
    mixed, shuffled = _shuffled(texts, seed)
    columns = Columns(measured["model"].keys, measured["model"].values[mixed])
    arms["shuffled"] = compare_arm(columns, shuffled, seed)
    model, no_length = arms["model"], why_no_length_control(texts)
    return Comparison(
        table=_stacked({name: a.columns for name, a in arms.items() if name != "layer_0"}),
        selected=_stacked({name: arm.selected for name, arm in arms.items()}),
        nested=_stacked({name: arm.nested for name, arm in arms.items()}),
        baselines=_baselines(texts, model),
        planted=_planted(arms.get("planted")),
        verdicts=verdicts(model, arms.get("untrained"), no_length),
        texts=texts,
        n_tests=model.n_tests,
        n_pairs=len(model.pairs.valid),
        n_natural_pairs=model.pairs.n_natural,
        n_overlap=int(length_overlap(texts).sum()),
        majority_accuracy=majority_accuracy(texts.is_valid),
        smallest_detectable_d=smallest_detectable_d(*texts.n_of_label),
        notes=notes_on(arms, texts, shuffled),
    )


def _shuffled(texts: Texts, seed: int) -> tuple[np.ndarray, Texts]:
    """Texts whose labels can be permuted within their problem, as a mask, and with new labels.

    Where each text is a problem of its own, labels are permuted among all.
    """
    has_mixed = len(texts.mixed_problems) > 0
    kept = np.isin(texts.problem, texts.mixed_problems) | (not has_mixed)
    own = texts.at(kept)
    group = own.problem if has_mixed else np.zeros_like(own.problem)
    keys = stream(seed, "shuffled labels").random(len(group))
    label = np.empty_like(own.is_valid)
    label[np.argsort(group, kind="stable")] = own.is_valid[np.lexsort((keys, group))]
    return kept, Texts(label, own.problem, own.covariates)


def _baselines(texts: Texts, model: Arm) -> pl.DataFrame:
    values = np.column_stack([texts.covariates[name] for name in COVARIATES])
    names = pl.DataFrame({"metric": COVARIATES})
    return names.with_columns(statistics(values, texts, model.pairs))


def _planted(arm: Arm | None) -> pl.DataFrame:
    """Power of each condition that has an interval, and the lesser of both, for each metric."""
    if arm is None or arm.nested.is_empty():
        return pl.DataFrame()
    chosen = arm.selected.filter(pl.col("chosen_for") == "both")
    rows = chosen.join(arm.nested, on="metric", how="inner", maintain_order="left")
    effect, gain = (
        power(*(rows[c].cast(pl.Float64).fill_null(np.nan).to_numpy() for c in names))
        for names in (
            ("d_controls", "d_controls_low", "d_controls_high"),
            ("nested_gain", "gain_low", "gain_high"),
        )
    )
    powers = {"power_d": effect, "power_gain": gain, "power": np.fmin(effect, gain)}
    return rows.select(
        "metric",
        "d_controls",
        "nested_gain",
        **{name: pl.Series(values) for name, values in powers.items()},
    ).fill_nan(None)


def _stacked(tables: dict[str, pl.DataFrame]) -> pl.DataFrame:
    rows = [
        own.insert_column(0, pl.Series("arm", [name] * len(own))) for name, own in tables.items()
    ]
    measured = [own for own in rows if own.width > 1]
    return pl.concat(measured, how="diagonal_relaxed") if measured else pl.DataFrame()
