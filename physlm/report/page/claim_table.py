"""Claims with their verdicts as plain values, paper by paper."""

import os
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from itertools import groupby
from pathlib import Path
from typing import Any

from physlm.report.claim import Claim
from physlm.report.ledger import PAPERS, DecidedExperiment, bound, measured, quantity
from physlm.report.verdict import Verdict


def papers(experiments: Iterable[DecidedExperiment], folder: Path, page: Path) -> list[Any]:
    """Each paper with its experiments.

    Args:
        experiments: Decided before, in the order of papers and their results.
        folder: Where their folders are.
        page: The file whose links lead to their READMEs.
    """
    found = []
    for paper, group in groupby(experiments, key=lambda decided: decided.experiment.source.paper):
        title, arxiv = PAPERS.get(paper, ("", ""))
        own = [_experiment(decided, folder, page) for decided in group]
        found.append({"name": paper, "title": title, "arxiv": arxiv, "experiments": own})
    return found


def metrics_of(claims: Sequence[Claim]) -> list[str]:
    """What claims are about, headlines first."""
    in_order = sorted(claims, key=lambda claim: not claim.headline)
    return [metric for claim in in_order for metric in claim.metrics]


def _experiment(decided: DecidedExperiment, folder: Path, page: Path) -> dict[str, Any]:
    experiment = decided.experiment
    own = folder / experiment.name
    figure = own / "figure.svg"
    return {
        "name": experiment.name,
        "title": experiment.title,
        "result": experiment.source.result,
        "mixed_code": decided.mixed_code,
        "readme": Path(os.path.relpath(own / "README.md", page.parent)).as_posix(),
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
        "verdict": asdict(verdict),
    }
