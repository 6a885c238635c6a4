"""A plan as a table for the terminal, and as plain values for JSON."""

import math
from collections.abc import Callable, Iterator
from typing import Any

from rich.table import Table

from physlm.report.planner import bios
from physlm.report.planner.advice import Advice, Answer, RareFacts
from physlm.report.planner.amounts import amount, between
from physlm.report.planner.question import Question

EXTRAPOLATED = "extrapolated"

_ROWS: tuple[tuple[str, str, Callable[[Answer], str]], ...] = (
    ("facts", "facts", lambda a: amount(a.facts)),
    ("bits of the world", "", lambda a: amount(a.case.bits)),
    ("parameters", "parameters", lambda a: amount(a.case.parameters)),
    ("exposures", "exposures", lambda a: amount(a.case.exposures)),
    ("fraction stored", "stored", lambda a: f"{a.stored.value:.1%}"),
    ("bits stored per parameter", "", lambda a: f"{a.bits_per_parameter:.2f}"),
    ("tokens of training", "", lambda a: amount(a.tokens)),
    ("steps, of tokens", "", lambda a: f"{amount(a.steps)}, of {amount(a.tokens / a.steps)}"),
    ("FLOPs, 6 a parameter and token", "", lambda a: f"{a.flops:.2g}"),
)


def shown(advice: Advice) -> Table:
    """The answers side by side, the planned quantity with its interval."""
    table = Table(title=title(advice.question), title_justify="left")
    table.add_column("")
    for one in advice.answers:
        told = f", {EXTRAPOLATED.upper()}" if one.outside else ""
        table.add_column(f"{one.law.name} law{told}", justify="right", overflow="fold")
    for name, planned, text in _ROWS:
        is_planned = planned == advice.question.unknown
        cells = [_with_interval(a, text(a)) if is_planned else text(a) for a in advice.answers]
        table.add_row(f"{name}, planned" if is_planned else name, *cells, style="bold" * is_planned)
    return table


def notes(advice: Advice) -> Iterator[str]:
    """What a reader must know of the answers, one line each."""
    for one in advice.answers:
        for reason in one.outside:
            yield f"{EXTRAPOLATED}: {reason}"
    for refusal in advice.refusals:
        yield f"no answer of the {refusal.law.name} law: {'; '.join(refusal.reasons)}"
    if len(advice.answers) == 2:
        ours, theirs = (one.value for one in advice.answers)
        yield f"the laws differ by a factor of {max(ours, theirs) / min(ours, theirs):.2g}"
    for one in advice.answers:
        for rare in one.rare:
            yield _of_rare(rare, one, advice.question)
            if evidence := one.law.evidence(rare.exposures):
                yield f"rare, {one.law.name}: {evidence}"
    for one in advice.answers:
        known = "; ".join(f"{between(*ends)} {name}" for name, ends in one.law.ranges.items())
        yield f"{one.law.name} law: known for {known}"
        for source in one.law.sources(one.case.setting):
            yield f"{one.law.name} law: {source}"


def title(question: Question) -> str:
    """What is planned, for what."""
    bits = question.bits_per_fact
    facts = "facts as in bioS" if bits is None else f"facts of {bits:g} bits"
    told = {
        "facts": f"Facts that a model stores to {question.stored:.3g}",
        "parameters": f"Model that stores {question.stored:.3g} of its facts",
        "exposures": f"Exposures that store {question.stored:.3g} of the facts",
        "stored": "What a model stores of its facts",
    }[question.unknown]
    settings = "".join(f", {change}" for change in question.setting.changes)
    return f"{told}{settings} ({facts}, {question.tokens_per_fact:.3g} tokens each)"


def plain(advice: Advice) -> dict[str, Any]:
    """The same as plain values."""
    question = advice.question
    return {
        "planned": question.unknown,
        "wanted_fraction": question.stored,
        "bits_per_fact": question.bits_per_fact or f"bioS, {bios.FACTS} facts a person",
        "tokens_per_fact": question.tokens_per_fact,
        "setting": {
            "junk_fraction": question.setting.junk_fraction,
            "has_domain_token": question.setting.has_domain_token,
            "weight_bits": question.setting.weight_bits,
            "mlp": question.setting.mlp.value,
        },
        "answers": [_plain(answer) for answer in advice.answers],
        "refused": [
            {"law": refusal.law.name, "reasons": list(refusal.reasons)}
            for refusal in advice.refusals
        ],
    }


def _plain(answer: Answer) -> dict[str, Any]:
    low, high = answer.interval
    return {
        "law": answer.law.name,
        "is_extrapolated": bool(answer.outside),
        "outside": list(answer.outside),
        "value": answer.value,
        "low": low,
        "high": high,
        "facts": answer.facts,
        "bits": answer.case.bits,
        "parameters": answer.case.parameters,
        "exposures": answer.case.exposures,
        "fraction_stored": answer.stored.value,
        "fraction_stored_low": answer.stored.low,
        "fraction_stored_high": answer.stored.high,
        "bits_per_parameter": answer.bits_per_parameter,
        "tokens": answer.tokens,
        "steps": answer.steps,
        "flops": answer.flops,
        "rare": [
            {
                "facts": rare.facts,
                "exposures": rare.exposures,
                "needed_exposures": rare.needed,
                "is_stored": rare.is_stored,
            }
            for rare in answer.rare
        ],
        "ranges": {name: list(ends) for name, ends in answer.law.ranges.items()},
        "sources": answer.law.sources(answer.case.setting),
    }


def _with_interval(answer: Answer, value: str) -> str:
    """A planned value with its interval, which may be open above."""
    low, high = answer.interval
    if low == high:
        return value
    write: Callable[[float], str] = amount
    if answer.planned == "stored":
        write = "{:.1%}".format
    ends = "" if low is None else write(low)
    return f"{value} ({ends} or more)" if high is None else f"{value} ({ends} to {write(high)})"


def _of_rare(rare: RareFacts, answer: Answer, question: Question) -> str:
    """What becomes of rare facts, and what would change it."""
    told = f"{amount(rare.facts)} facts are seen {amount(rare.exposures)} times"
    if rare.is_stored:
        return f"rare, {answer.law.name}: {told}, enough for this model to store them"
    if rare.needed is None:
        return f"rare, {answer.law.name}: {told}, and this model stores them after no number"
    more = math.ceil(rare.needed / rare.exposures) if rare.exposures else 0
    remedy = f"; repeat them {more} times as often" if more else ""
    return (
        f"rare, {answer.law.name}: {told}; to store {question.stored:.0%} of them this model "
        f"needs {amount(rare.needed)}{remedy}"
    )
