"""The ledger of claims with verdicts: short tables by paper, full tables by experiment."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

from physlm.atomic import write_text
from physlm.config.scale import Scale
from physlm.errors import InputError
from physlm.report.claim import Claim
from physlm.report.experiment import EXPERIMENT, Experiment
from physlm.report.tables import markdown_rows
from physlm.report.verdict import FOREIGN, MOST_RUNS, NOT_RUN, WORDS, Verdict

BEGIN = "<!-- claims: written by `make figures`, from here -->"
END = "<!-- claims: to here -->"

PAPERS = {
    "Part 1": ("Learning hierarchical language structures", "2305.13673"),
    "Part 2.1": ("Grade-school math and the hidden reasoning process", "2407.20311"),
    "Part 2.2": ("How to learn from mistakes on grade-school math problems", "2408.16293"),
    "Part 3.1": ("Knowledge storage and extraction", "2309.14316"),
    "Part 3.2": ("Knowledge manipulation", "2309.14402"),
    "Part 3.3": ("Knowledge capacity scaling laws", "2404.05405"),
    "Part 4.1": ("Architecture design and Canon layers", "2512.17351"),
    "Depth use": ("How do LLMs use their depth?", "2510.18871"),
    "Spectra of attention": ("Geometry of Reason", "2601.00791"),
}


@dataclass(frozen=True, slots=True)
class DecidedExperiment:
    """An experiment with the verdicts on its claims.

    Attributes:
        experiment: Its title, source and claims.
        verdicts: One for each claim, in their order; ``not run`` if there are no results.
        mixed_code: Why its runs are not of one revision of the code; empty if they are.
    """

    experiment: Experiment
    verdicts: tuple[Verdict, ...]
    mixed_code: str

    @property
    def decided(self) -> list[tuple[Claim, Verdict]]:
        """Each claim with its verdict."""
        return list(zip(self.experiment.claims, self.verdicts, strict=True))


def ledger(experiments: Iterable[DecidedExperiment], *, headlines_only: bool) -> str:
    """One section per paper, in order of results: counts, links, and one short table.

    Args:
        experiments: Experiments with verdicts.
        headlines_only: Omit claims that are not headlines.
    """
    decided = in_order(experiments)
    sections = [
        _section(paper, list(group), headlines_only=headlines_only)
        for paper, group in groupby(decided, key=lambda d: d.experiment.source.paper)
    ]
    mixed = [f"{d.experiment.name} of {d.mixed_code}" for d in decided if d.mixed_code]
    if mixed:
        sections.append(f"Not all runs are of one revision of the code: {'; '.join(mixed)}.\n")
    return "\n".join(sections)


def in_order(experiments: Iterable[DecidedExperiment]) -> list[DecidedExperiment]:
    """The experiments by paper and by the first result that each is about.

    Of one result, measured experiments come first, and larger scales before smaller ones.
    """
    return sorted(experiments, key=_place)


def all_claims(decided: DecidedExperiment) -> str:
    """A section with all claims of an experiment: interval, bound, verdict, rule and command."""
    name = decided.experiment.name
    results = [_full_row(claim, verdict) for claim, verdict in decided.decided]
    rules = [_rule_row(claim) for claim in decided.experiment.claims]
    return f"""## Claims

{_counts(decided.verdicts)}
A claim is decided only if its whole 95% interval over seeds lies within its bound or outside it. An
undecided one says with which n it would be, if means and variances stayed.

{markdown_rows(("claim", "paper", "here", "bound", "verdict"), results)}
<details><summary>How each claim is decided</summary>

The rules stand in [{EXPERIMENT}]({EXPERIMENT}); `python -m physlm.reproduce {name}` makes all runs.

{markdown_rows(("claim", "quantity", "runs", "command"), rules)}
</details>
"""


def measured(claim: Claim, verdict: Verdict) -> str:
    """The quantity with its intervals, and both groups of a comparison."""
    if verdict.value is None:
        return "-"
    intervals = "" if verdict.low is None else f"{verdict.low:.3f} to {verdict.high:.3f}, "
    if verdict.resampled is not None:
        intervals += f"resampled {verdict.resampled[0]:.3f} to {verdict.resampled[1]:.3f}, "
    others = f", {verdict.n_left_out} of other configurations left out" * bool(verdict.n_left_out)
    value = f"{verdict.value:.3f} ({intervals}n = {verdict.n}{others})"
    if claim.compared_to is None:
        return value
    part = "" if claim.times == 1 else f" from {claim.times:g} times that"
    return f"{_groups(verdict)}; {claim.by}{part} {value}"


def why_undecided(verdict: Verdict) -> str:
    """Why there is no verdict, or what would decide it; empty for a decided claim."""
    if verdict.why or verdict.word != "undecided":
        return verdict.why
    if verdict.n < 2:
        return "needs more seeds"
    if verdict.n_needed is None:
        return f"needs another scale, or n above {MOST_RUNS}"
    return f"needs n of about {verdict.n_needed}"


def bound(claim: Claim) -> str:
    """The expected bounds of the quantity."""
    return ", ".join(f"{name.replace('_', ' ')} {value:g}" for name, value in claim.expect.items())


def quantity(claim: Claim) -> str:
    """The quantity that is computed from the runs, its metrics and keys in backticks."""
    quantity = f"`{claim.metric}`"
    if claim.relative_to is not None:
        quantity += f" over `{claim.relative_to}`"
    if claim.minus is not None:
        quantity += f" minus `{claim.minus}`"
    if claim.prediction is not None:
        kinds = {
            "error": "relative error of the prediction",
            "within": "runs within the prediction",
        }
        return f"{kinds[claim.prediction]} of {quantity}"
    if claim.follows is not None:
        follows = claim.follows
        return f"rank correlation of {quantity} with `{follows['metric']}` by `{follows['over']}`"
    if claim.compared_to is not None:
        part = "" if claim.times == 1 else f" from {claim.times:g} times that of the others"
        quantity = f"{claim.by} of {quantity}{part}{', seed by seed' * claim.paired}"
    if claim.best_of is not None:
        over, by = claim.best_of["over"], claim.best_of["by"]
        quantity += f", each at the `{over}` of least `{by}` in the other seeds"
    return quantity


def write_section(path: Path, section: str) -> None:
    """Write a section into a Markdown file, between two marker lines.

    Raises:
        InputError: If the file does not have each marker line exactly once, in order.
    """
    before, _, after = _parts(path)
    write_text(path, f"{before}\n{section}\n{after}")


def read_section(path: Path) -> str:
    """The section that was written into a Markdown file.

    Raises:
        InputError: As in `write_section`.
    """
    return _parts(path)[1].strip("\n") + "\n"


def _parts(path: Path) -> tuple[str, str, str]:
    """A Markdown file up to its first marker line, between the two, and from the second on."""
    text = path.read_text(encoding="utf-8") if path.is_file() else ""
    found = re.fullmatch(f"(.*^{BEGIN}\n)(.*)(^{END}\n.*)", text, re.DOTALL | re.MULTILINE)
    if found is None or text.count(BEGIN) != 1 or text.count(END) != 1:
        raise InputError(f"{path} has no place for claims; add the lines {BEGIN} and {END}")
    return found[1], found[2], found[3]


def _place(decided: DecidedExperiment) -> tuple[str, int, bool, int, str]:
    """Sort key: the paper, the first result, whether it has not been run, the scale, the name."""
    experiment = decided.experiment
    number = re.search(r"\d+", experiment.source.result)
    return (
        experiment.source.paper,
        int(number[0]) if number else 0,
        all(verdict.word == NOT_RUN for verdict in decided.verdicts),
        -list(Scale).index(Scale(experiment.scale)),
        experiment.name,
    )


def _section(paper: str, experiments: Sequence[DecidedExperiment], *, headlines_only: bool) -> str:
    title, arxiv = PAPERS.get(paper, ("", ""))
    heading = f"## {paper}: {title}" if title else f"## {paper}"
    source = f"[arXiv {arxiv}](https://arxiv.org/abs/{arxiv}). " if arxiv else ""
    counts = _counts([verdict for decided in experiments for verdict in decided.verdicts])
    rows = [
        _short_row(claim, verdict, decided.experiment.name)
        for decided in experiments
        for claim, verdict in decided.decided
        if claim.headline or not headlines_only
    ]
    table = markdown_rows(("claim", "paper", "here", "scale", "verdict", "details"), rows)
    every = ", ".join(f"{_link(d.experiment.name)} ({len(d.verdicts)})" for d in experiments)
    return f"{heading}\n\n{source}{counts}\n\n{table}\nAll claims: {every}.\n"


def _counts(verdicts: Sequence[Verdict]) -> str:
    """Counts of the verdicts."""
    found = Counter(verdict.word for verdict in verdicts)
    known = [f"{found[word]} {_plural(word, found[word])}" for word in WORDS]
    others = []
    if n := found[FOREIGN]:
        others.append(f"{n} without runs of their configuration")
    if n := found[NOT_RUN]:
        others.append(f"{n} {'has' if n == 1 else 'have'} not been run")
    claims = "1 claim" if len(verdicts) == 1 else f"{len(verdicts)} claims"
    return f"Of {claims}, {', '.join([*known, *others])}."


def _plural(word: str, n: int) -> str:
    if n == 1:
        return {"undecided": "is undecided"}.get(word, word)
    return {"holds": "hold", "does not hold": "do not hold"}.get(word, "are undecided")


def _link(name: str) -> str:
    return f"[{name}]({name}/README.md#claims)"


def _short_row(claim: Claim, verdict: Verdict, name: str) -> Sequence[str]:
    here = _in_short(claim, verdict)
    return claim.statement, claim.published, here, claim.scale, f"**{verdict.word}**", _link(name)


def _in_short(claim: Claim, verdict: Verdict) -> str:
    """Means, standard errors and n."""
    if verdict.value is None:
        return "-"
    is_whole = claim.compared_to is not None and claim.times == 1
    difference = f"; {claim.by} {verdict.value:.3f}" if is_whole else ""
    return f"{_groups(verdict)}{difference} (n = {verdict.n})"


def _groups(verdict: Verdict) -> str:
    return " against ".join(
        f"{mean:.3f}" if stderr is None else f"{mean:.3f} ± {stderr:.3f}"
        for mean, stderr in verdict.groups
    )


def _full_row(claim: Claim, verdict: Verdict) -> Sequence[str]:
    paper = f"{claim.published} ({claim.source})"
    why = why_undecided(verdict)
    word = f"**{verdict.word}**: {why}" if why else f"**{verdict.word}**"
    statement = f"`{claim.id}`: {claim.statement}"
    return statement, paper, measured(claim, verdict), f"{bound(claim)} ({claim.scale})", word


def _rule_row(claim: Claim) -> Sequence[str]:
    runs = " against ".join(_selection(select) for select in claim.selections)
    return f"`{claim.id}`", quantity(claim), runs, f"`{claim.command}`"


def _selection(select: Mapping[str, Any]) -> str:
    return " ".join(f"`{name}={value}`" for name, value in select.items()) or "all"
