"""Published claims and what became of them here: `python -m physlm.claims experiments/capacity`."""

import argparse
import math
import sys
from collections.abc import Hashable, Sequence
from pathlib import Path

import polars as pl

from physlm.atomic import replacing
from physlm.claim import Claim
from physlm.claim_runs import judged, own_results
from physlm.errors import InputError
from physlm.experiment import EXPERIMENT, read_experiment
from physlm.results import METRICS, RUNS, Results
from physlm.summary import mixed_code
from physlm.verdict import FOREIGN, Verdict, selected


def ledger(folders: Sequence[Path]) -> str:
    """A markdown table of every claim with its verdict, and which revisions the runs are of.

    Raises:
        InputError: If a claim cannot be decided, or two have one rule and the same runs.
    """
    lines = [
        "| claim | published | measured (95% intervals) | expected | scale | verdict | command |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    notes = []
    decided: dict[Hashable, str] = {}
    for folder in folders:
        results = Results.read(folder)
        for claim in read_experiment(folder).claims:
            verdict = judged(claim, results)
            lines.append(_ledger_row(claim, verdict))
            if verdict.word != FOREIGN:
                rule = _resolved(claim, own_results(claim, results))
                _refuse_a_repeat(rule, f"{folder.name}/{claim.id}", decided)
        notes += [f"{folder.name} of {text}" for text in [mixed_code(results.runs)] if text]
    if notes:
        lines += ["", f"Not all runs are of one revision of the code: {'; '.join(notes)}."]
    return "\n".join(lines) + "\n"


def _refuse_a_repeat(rule: Hashable, name: str, decided: dict[Hashable, str]) -> None:
    """What is decided twice looks like evidence twice."""
    if rule in decided:
        raise InputError(
            f"claim {name} has the rule and the runs of {decided[rule]}; keep one of them"
        )
    decided[rule] = name


def _resolved(claim: Claim, own: Results) -> Hashable:
    """The rule with the runs that it selects, by which two claims are the same.

    A comparison the other way round, with its bounds turned round, is the same.
    """
    sides = [tuple(sorted(selected(claim, s, own)["run_id"])) for s in claim.selections]
    least, most = (claim.expect.get(bound) for bound in ("at_least", "at_most"))
    if claim.compared_to is not None and claim.times == 1 and sides[0] > sides[1]:
        sides.reverse()
        least, most = (_turned(bound, claim.by) for bound in (most, least))
    follows = claim.follows or {}
    by = None if claim.compared_to is None else claim.by
    return (
        claim.metric,
        claim.relative_to,
        by,
        claim.times,
        claim.paired,
        least,
        most,
        tuple(sorted((claim.best_of or {}).items())),
        follows.get("metric"),
        follows.get("over"),
        *sides,
    )


def _turned(bound: float | None, by: str) -> float | None:
    if bound is None:
        return None
    if by == "ratio":
        return 1 / bound if bound else math.inf
    return -bound


def measured(claim: Claim, verdict: Verdict) -> str:
    """The quantity with its intervals; of a comparison, both groups before it."""
    if verdict.value is None:
        return "-"
    intervals = "" if verdict.low is None else f"{verdict.low:.3f} to {verdict.high:.3f}, "
    if verdict.resampled is not None:
        intervals += f"resampled {verdict.resampled[0]:.3f} to {verdict.resampled[1]:.3f}, "
    others = f", {verdict.n_left_out} of other configurations left out" * bool(verdict.n_left_out)
    quantity = f"{verdict.value:.3f} ({intervals}n = {verdict.n}{others})"
    if not verdict.groups:
        return quantity
    ours, theirs = (
        f"{mean:.3f}" if stderr is None else f"{mean:.3f} ± {stderr:.3f}"
        for mean, stderr in verdict.groups
    )
    part = "" if claim.times == 1 else f" from {claim.times:g} times that"
    return f"{ours} against {theirs}; {claim.by}{part} {quantity}"


def _ledger_row(claim: Claim, verdict: Verdict) -> str:
    why = verdict.why or "needs more seeds or scale" * (verdict.word == "undecided")
    word = f"{verdict.word}: {why}" if why else verdict.word
    expected = ", ".join(f"{k.replace('_', ' ')} {v:g}" for k, v in claim.expect.items())
    cells = (
        f"**{claim.id}**: {claim.statement} ({claim.source})",
        claim.published,
        measured(claim, verdict),
        expected,
        claim.scale,
        f"**{word}**",
        f"`{claim.command}`",
    )
    return f"| {' | '.join(cells)} |"


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; its exit status."""
    parser = argparse.ArgumentParser(prog="python -m physlm.claims", description=__doc__)
    parser.add_argument(
        "folders", nargs="+", type=Path, help=f"folders with {EXPERIMENT}, runs.csv and metrics.csv"
    )
    parser.add_argument("--ledger", type=Path, help="also write the table into this markdown file")
    chosen = parser.parse_args(arguments)
    measured = [f for f in chosen.folders if (f / RUNS).is_file() and (f / METRICS).is_file()]
    missing = [folder for folder in chosen.folders if folder not in measured]
    for folder in missing:
        print(
            f"error: {folder} has no results; python -m physlm.reproduce {folder.name} --output "
            f"{folder} makes them",
            file=sys.stderr,
        )
    try:
        text = ledger(measured)
        if chosen.ledger is not None:
            heading = chosen.ledger.read_text(encoding="utf-8").split("\n| claim |")[0].rstrip("\n")
            with replacing(chosen.ledger) as temporary:
                temporary.write_text(f"{heading}\n\n{text}", encoding="utf-8")
    except (InputError, OSError, pl.exceptions.PolarsError) as error:
        print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    sys.stdout.write(text)
    return 2 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
