"""Comparison of valid and invalid texts by spectra, never without its controls."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from physlm.analysis.spectra.comparison.accuracy import majority_accuracy
from physlm.analysis.spectra.comparison.arms import Arm, statistics
from physlm.analysis.spectra.comparison.controlled import length_overlap, why_no_length_control
from physlm.analysis.spectra.comparison.discoveries import with_q
from physlm.analysis.spectra.comparison.groups import COVARIATES, Texts
from physlm.analysis.spectra.comparison.measured import MeasuredGroups, measure_groups, stacked
from physlm.analysis.spectra.comparison.notes import notes_on
from physlm.analysis.spectra.comparison.planted_power import planted_power
from physlm.analysis.spectra.comparison.power import smallest_detectable_d
from physlm.analysis.spectra.comparison.printed import comparison_text, headline_text
from physlm.analysis.spectra.comparison.verdict import Verdict, verdicts


@dataclass(frozen=True, slots=True, eq=False)
class Comparison:
    """Differences of valid and invalid texts, and what remains beyond length and likelihood.

    In all tables undefined values are null, and ``arm`` is ``model``, ``untrained``, ``planted``,
    ``shuffled`` (labels permuted within problems) or ``layer_0`` (the trained model's first layer
    alone).

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
        planted: One row per metric: power to find the effect of arm ``planted`` by the whole
            verdict, by its conditions, and in pairs of equal length (``planted_power``); no rows
            without that arm.
        verdicts: Verdicts by metric; the companions of the spectra have none.
        texts: Labels, problems and covariates.
        n_tests: Number of p-values of arm ``model``, in all comparisons of a call, that its
            q-values correct for.
        n_pairs: Number of matched pairs.
        n_natural_pairs: Number of pairs within one problem.
        n_overlap: Number of texts in the overlap of the lengths of both groups.
        majority_accuracy: Accuracy of predicting the more common label for all texts.
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
        """Effects, accuracies, baselines, verdicts and notes of all variants, to be printed."""
        return comparison_text(self)

    @property
    def headline(self) -> str:
        """The same for whole graphs alone, with the favourable verdicts of their variants."""
        return headline_text(self)


def compare_groups(frame: pl.DataFrame, *, seed: int = 0) -> Comparison:
    """Compare valid and invalid texts, controlled for length, likelihood and chance.

    No control can be switched off. Arms ``untrained`` and ``planted`` are measured where the frame
    has them; no verdict is favourable without the former. To compare several pairs of groups, pass
    the ``measure_groups`` of each to ``compare_all``.

    Args:
        frame: One row per text, layer, head and metric, with columns ``text``, ``problem``,
            ``is_valid``, ``layer``, ``head``, ``metric``, ``value``, ``n_tokens``,
            ``mean_log_probability``, ``min_log_probability``, ``mean_entropy``,
            ``distinct_tokens`` and ``repeated_fraction``, and optionally ``arm`` (``model`` without
            it). Every text has a value of every column of its arm.
        seed: Seed of folds, shuffled labels and resampled problems.

    Raises:
        InputError: If a column is missing, a value is not finite, a text has no or several values,
            a group has fewer than two texts, there are fewer than two problems, or the problem
            determines the label.
    """
    return compare_all([measure_groups(frame, seed=seed)], seed=seed)[0]


def compare_all(measured: Sequence[MeasuredGroups], *, seed: int = 0) -> list[Comparison]:
    """Comparisons of several pairs of groups, with q-values over the tests of all of them.

    Args:
        measured: Measurements of each pair of groups.
        seed: Seed of resampled problems.
    """
    names = dict.fromkeys(name for own in measured for name in own.arms)
    arms: list[dict[str, Arm]] = [{} for _ in measured]
    for name in names:
        places = [i for i, own in enumerate(measured) if name in own.arms]
        for i, arm in zip(places, with_q([measured[i].arms[name] for i in places]), strict=True):
            arms[i][name] = arm
    return [_comparison(own, found, seed) for own, found in zip(measured, arms, strict=True)]


def _comparison(measured: MeasuredGroups, arms: Mapping[str, Arm], seed: int) -> Comparison:
    texts, model, untrained = measured.texts, arms["model"], arms.get("untrained")
    return Comparison(
        table=stacked({name: a.columns for name, a in arms.items() if name != "layer_0"}),
        selected=stacked({name: arm.selected for name, arm in arms.items()}),
        nested=stacked({name: arm.nested for name, arm in arms.items()}),
        baselines=_baselines(texts, model),
        planted=planted_power(arms.get("planted"), untrained, texts, seed),
        verdicts=verdicts(model, untrained, why_no_length_control(texts)),
        texts=texts,
        n_tests=model.n_tests,
        n_pairs=len(model.pairs.valid),
        n_natural_pairs=model.pairs.n_natural,
        n_overlap=int(length_overlap(texts).sum()),
        majority_accuracy=majority_accuracy(texts.is_valid),
        smallest_detectable_d=smallest_detectable_d(*texts.n_of_label),
        notes=notes_on(arms, texts, measured.shuffled),
    )


def _baselines(texts: Texts, model: Arm) -> pl.DataFrame:
    values = np.column_stack([texts.covariates[name] for name in COVARIATES])
    names = pl.DataFrame({"metric": COVARIATES})
    return names.with_columns(statistics(values, texts, model.pairs))
