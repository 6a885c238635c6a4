"""Experiments with the verdicts on their claims; no two claims share rule and runs."""

import math
from collections.abc import Hashable, Sequence
from pathlib import Path
from typing import Any

from physlm.errors import InputError
from physlm.report.claim import Claim
from physlm.report.claim_runs import judged
from physlm.report.experiment import Experiment, read_experiment
from physlm.report.ledger import DecidedExperiment
from physlm.report.results import Results, has_results
from physlm.report.summary import mixed_code
from physlm.report.verdict import FOREIGN, NOT_RUN, Verdict, selected


def decided_experiments(folders: Sequence[Path]) -> list[DecidedExperiment]:
    """The experiments in some folders, each with the verdicts on its claims.

    Claims of an experiment without results have not been run.

    Raises:
        InputError: If a claim cannot be decided, or two have the same rule and runs.
    """
    found = []
    rules: dict[Hashable, str] = {}
    for folder in folders:
        experiment = read_experiment(folder)
        if not has_results(folder):
            found.append(_unmeasured(experiment, rules))
            continue
        results = Results.read(folder)
        verdicts = []
        for claim in experiment.claims:
            verdict, own = judged(claim, results)
            verdicts.append(verdict)
            if verdict.word != FOREIGN:
                sides = [tuple(sorted(selected(claim, s, own)["run_id"])) for s in claim.selections]
                _require_new(_resolved(claim, sides), f"{folder.name}/{claim.id}", rules)
        found.append(DecidedExperiment(experiment, tuple(verdicts), mixed_code(results.runs)))
    return found


def _unmeasured(experiment: Experiment, rules: dict[Hashable, str]) -> DecidedExperiment:
    """An experiment without results, whose claims have different rules or selections."""
    verdict = Verdict(None, None, None, 0, NOT_RUN)
    for claim in experiment.claims:
        sides = [(claim.arms, *map(repr, sorted(s.items()))) for s in claim.selections]
        _require_new(_resolved(claim, sides), f"{experiment.name}/{claim.id}", rules)
    return DecidedExperiment(experiment, (verdict,) * len(experiment.claims), "")


def _require_new(rule: Hashable, name: str, rules: dict[Hashable, str]) -> None:
    """Refuse two claims with the same rule and runs, which would count evidence twice."""
    if rule in rules:
        raise InputError(
            f"claim {name} has the same rule and runs as {rules[rule]}; keep one of them"
        )
    rules[rule] = name


def _resolved(claim: Claim, sides: Sequence[tuple[Any, ...]]) -> Hashable:
    """The rule with what identifies the runs of each side, equal for two claims that are the same.

    A comparison of two groups equals the reverse comparison with reversed bounds.
    """
    least, most = (claim.expect.get(bound) for bound in ("at_least", "at_most"))
    if claim.compared_to is not None and claim.times == 1 and sides[0] > sides[1]:
        sides = sides[::-1]
        least, most = (_reversed(bound, claim.by) for bound in (most, least))
    follows = claim.follows or {}
    by = None if claim.compared_to is None else claim.by
    return (
        claim.metric,
        claim.relative_to,
        claim.minus,
        by,
        claim.times,
        claim.paired,
        claim.prediction,
        least,
        most,
        tuple(sorted((claim.best_of or {}).items())),
        follows.get("metric"),
        follows.get("over"),
        *sides,
    )


def _reversed(bound: float | None, by: str) -> float | None:
    if bound is None:
        return None
    if by == "ratio":
        return 1 / bound if bound else math.inf
    return -bound
