"""The measured law, refitted to the committed results of a checkout."""

from collections.abc import Sequence
from pathlib import Path

import polars as pl

from physlm.report.experiment import experiments_folder
from physlm.report.planner.curve import Curve
from physlm.report.planner.fitting import Configuration, fitted
from physlm.report.planner.law import Check
from physlm.report.planner.measured_effects import (
    among_frequent,
    junk_effect,
    mlp_effects,
    weights_effect,
)
from physlm.report.planner.measured_law import MeasuredLaw
from physlm.report.planner.measured_runs import FITTED, configurations, plain_runs
from physlm.report.predicted import read_predictions
from physlm.report.results import Results

_CHECKED = "capacity/name_value_bits_per_parameter{split=train}"


def law_of_experiments(folder: Path | None = None) -> MeasuredLaw:
    """The law that the committed results give.

    Args:
        folder: Of the experiments, by default that of the checkout.

    Raises:
        InputError: If results are missing, as in an installed package.
    """
    folder = folder or experiments_folder()
    runs = plain_runs(folder)
    every = configurations(runs)
    law = fitted(every)
    junk, (log_weights, weights_exposures) = (
        junk_effect(folder, law.fit),
        weights_effect(folder, law.fit),
    )
    return MeasuredLaw(
        ranges=_ranges(every),
        fit=law.fit,
        resampled=law.resampled,
        spread=law.spread,
        full_spread=law.full_spread,
        junk=junk.most,
        junk_share=junk.share,
        mlps=mlp_effects(folder, law.fit),
        log_weights=log_weights,
        weights_exposures=weights_exposures,
        among_frequent=among_frequent(folder),
        recipe=(_steps(runs), junk.steps),
        runs=(len(runs), len(every)),
        experiments=tuple(FITTED),
        checks=_checks(folder / "planner"),
    )


def _checks(folder: Path) -> dict[bool, Check]:
    """Errors of the predictions of an experiment's runs, without junk and with it."""
    predictions = read_predictions(folder)
    runs = Results.read(folder).table(_CHECKED)
    found: dict[bool, list[tuple[float, float]]] = {False: [], True: []}
    for run in runs.iter_rows(named=True):
        prediction, measured = predictions[run["run_id"]], run[_CHECKED]
        both = prediction.error(measured), prediction.factor(measured)
        found[bool(run["data.junk_fraction"])].append(both)
    return {has: _check(*zip(*own, strict=True)) for has, own in found.items()}


def _check(errors: Sequence[float], factors: Sequence[float]) -> Check:
    return Check(len(errors), sum(errors) / len(errors), max(factors))


def _ranges(runs: Sequence[Configuration]) -> dict[str, tuple[float, float]]:
    """Least and most of what the runs have."""
    found = {
        "exposures": [one.exposures for one in runs],
        "parameters": [one.parameters for one in runs],
        "bits": [one.bits for one in runs],
        "parameters per bit": [one.parameters / one.bits for one in runs],
    }
    return {name: (min(values), max(values)) for name, values in found.items()}


def _steps(runs: pl.DataFrame) -> Curve:
    """The median steps of training, by exposures."""
    steps = runs.group_by("exposures").agg(pl.col("steps").median()).sort("exposures")
    return Curve(tuple((exposures, n) for exposures, n in steps.iter_rows()))
