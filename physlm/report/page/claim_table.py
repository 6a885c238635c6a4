"""Claims with their verdicts as plain values, by paper."""

import os
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from itertools import groupby
from pathlib import Path
from typing import Any
from urllib.parse import quote

from physlm.report.claim import Claim
from physlm.report.ledger import (
    PAPERS,
    DecidedExperiment,
    bound,
    in_order,
    measured,
    quantity,
    why_undecided,
)
from physlm.report.results import has_results
from physlm.report.verdict import Verdict


def papers(
    experiments: Iterable[DecidedExperiment], folder: Path, page: Path, *, runs: str | None = None
) -> list[dict[str, Any]]:
    """Each paper with its experiments, in the order of the ledger.

    Args:
        experiments: Experiments with verdicts.
        folder: The folder that holds those of the experiments.
        page: The file whose links lead to their READMEs.
        runs: The table of the runs that decided the claims. By default each experiment has a table
            of its own name, and its committed figure shows the same runs; without results it has
            neither.
    """
    found = []
    by_paper = groupby(in_order(experiments), key=lambda one: one.experiment.source.paper)
    for paper, group in by_paper:
        title, arxiv = PAPERS.get(paper, ("", ""))
        own = [
            _experiment(decided, folder / decided.experiment.name, page)
            | ({"table": runs, "figure": None} if runs is not None else {})
            for decided in group
        ]
        found.append({"name": paper, "title": title, "arxiv": arxiv, "experiments": own})
    return found


def metrics_of(claims: Sequence[Claim]) -> list[str]:
    """The metrics that claims name, those of headline claims first."""
    headlines_first = sorted(claims, key=lambda claim: not claim.headline)
    return [metric for claim in headlines_first for metric in claim.metrics]


def _experiment(decided: DecidedExperiment, folder: Path, page: Path) -> dict[str, Any]:
    experiment = decided.experiment
    figure = folder / "figure.svg"
    return {
        "name": experiment.name,
        "table": experiment.name if has_results(folder) else None,
        "title": experiment.title,
        "result": experiment.source.result,
        "mixed_code": decided.mixed_code,
        "readme": quote(Path(os.path.relpath(folder / "README.md", page.parent)).as_posix()),
        "figure": figure.read_text(encoding="utf-8") if figure.is_file() else None,
        "claims": [_claim(claim, verdict) for claim, verdict in decided.decided],
    }


def _claim(claim: Claim, verdict: Verdict) -> dict[str, Any]:
    return {
        "id": claim.id,
        "statement": claim.statement,
        "source": claim.source,
        "published": claim.published,
        "metric": claim.metric,
        "scale": claim.scale,
        "headline": claim.headline,
        "command": claim.command,
        "quantity": quantity(claim),
        "bound": bound(claim),
        "expect": dict(claim.expect),
        "measured": measured(claim, verdict),
        "verdict": {**asdict(verdict), "why": why_undecided(verdict)},
    }
