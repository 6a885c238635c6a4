"""The runs that decide a claim: those of its arms."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from functools import cache
from typing import Any

import polars as pl

from physlm.config import RunConfig
from physlm.config.lineage import lineage
from physlm.errors import InputError
from physlm.report.claim import Claim
from physlm.report.results import Results
from physlm.report.verdict import FOREIGN, Verdict, decide, selected
from physlm.science import differences, is_science, science_of
from physlm.sweep import configurations


def judged(claim: Claim, results: Results) -> tuple[Verdict, Results]:
    """The verdict on a claim and the results of its own runs, the only ones that decide it.

    Raises:
        InputError: If the results have no run ids, the overrides of its arms are invalid, or the
            claim cannot be decided.
    """
    own = _own_results(claim, results)
    n_left_out = 0
    for select in claim.selections:
        rows = results.runs if own.runs.is_empty() else selected(claim, select, results)
        if rows.is_empty():
            raise InputError(f"claim {claim.id}: no runs; {claim.command} makes them")
        foreign = rows.join(own.runs, on="run_id", how="anti")
        if len(foreign) == len(rows):
            why = _nearest(foreign.row(0, named=True), _runs_of(claim, foreign["seed"][:1]))
            return Verdict(None, None, None, 0, FOREIGN, why=why), own
        n_left_out += len(foreign)
    return replace(decide(claim, own), n_left_out=n_left_out), own


def complete_runs(
    claim: Claim, seeds: Iterable[int], run_ids: Collection[str]
) -> dict[int, set[str]]:
    """The ids of all runs of a claim, ancestors included, for each seed that lacks none of them.

    Args:
        claim: The claim.
        seeds: Seeds to look for.
        run_ids: The runs that there are.

    Raises:
        InputError: If the overrides of its arms are invalid.
    """
    needed = {seed: set(_runs_of(claim, [seed])) for seed in seeds}
    return {seed: own for seed, own in needed.items() if own.issubset(run_ids)}


def _own_results(claim: Claim, results: Results) -> Results:
    """The results of the runs of the claim's arms, with any seed, and of their ancestors."""
    if missing := {"run_id", "seed"} - set(results.runs.columns):
        raise InputError(
            f"claim {claim.id}: results have no column {sorted(missing)[0]}, which identifies "
            "their runs; write them with python -m physlm.collate"
        )
    runs = _runs_of(claim, results.runs["seed"].unique())
    return results.filter(pl.col("run_id").is_in(list(runs)))


def _runs_of(claim: Claim, seeds: Iterable[int]) -> dict[str, RunConfig]:
    found: dict[str, RunConfig] = {}
    try:
        for seed in seeds:
            for words in claim.arms:
                found |= _runs(words, claim.scale, seed)
    except InputError as error:
        raise InputError(f"claim {claim.id}: {error}") from error
    return found


@cache
def _runs(words: tuple[str, ...], scale: str, seed: int) -> dict[str, RunConfig]:
    """The runs of some overrides and their ancestors, by run id."""
    runs = (replace(config, seed=seed) for config in configurations(words, scale))
    return {one.run_id: one for run in runs for one in lineage(run)}


def _nearest(row: Mapping[str, Any], runs: Mapping[str, RunConfig]) -> str:
    """How a row differs from the most similar run, as far as its columns show."""
    shown = {name: value for name, value in row.items() if is_science(name) or name == "scale"}
    shown.setdefault("data.exposures", row.get("exposures"))
    found = min((_differing(shown, run) for run in runs.values()), key=len)
    pairs = [f"{k}={ours}, this claim's experiment has {own}" for k, (ours, own) in found.items()]
    return "; ".join(pairs) or "they differ in a value that no column of the results shows"


def _differing(shown: Mapping[str, Any], run: RunConfig) -> dict[str, tuple[Any, Any]]:
    values = {**science_of(run.described()), "scale": run.scale.value}
    return differences(shown, {name: values.get(name) for name in shown})
