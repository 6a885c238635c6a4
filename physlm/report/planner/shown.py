"""A plan as a table for the terminal, and as plain values for JSON."""

import math
from collections.abc import Callable, Iterator
from typing import Any

from rich.table import Table

from physlm.report.planner.advice import Advice, Answer, RareFacts
from physlm.report.planner.amounts import amount, counted, spans
from physlm.report.planner.question import Question

EXTRAPOLATED = "extrapolated"
_FREQUENT = " of frequent facts"


def shown(advice: Advice) -> Table:
    """The answers side by side, the planned quantity with its interval."""
    table = Table(title=title(advice.question), title_justify="left")
    table.add_column("")
    for one in advice.answers:
        note = f", {EXTRAPOLATED.upper()}" if one.outside else ""
        table.add_column(f"{one.law.name} law{note}", justify="right", overflow="fold")
    for name, planned, text in _rows(advice.question):
        is_planned = planned == advice.question.unknown
        cells = [_with_interval(a, text(a)) if is_planned else text(a) for a in advice.answers]
        table.add_row(f"{name}, planned" if is_planned else name, *cells, style="bold" * is_planned)
    return table


def _rows(question: Question) -> Iterator[tuple[str, str, Callable[[Answer], str]]]:
    """What a row has, the quantity that it may be planned for, and its text."""
    rare = bool(question.rare)
    yield "facts", "facts", lambda a: amount(a.facts)
    yield "bits of the world", "", lambda a: amount(a.case.bits)
    yield "parameters", "parameters", lambda a: amount(a.case.parameters)
    yield "exposures" + _FREQUENT * rare, "exposures", lambda a: amount(a.case.exposures)
    yield "fraction stored" + _FREQUENT * rare, "stored", lambda a: f"{a.stored.value:.1%}"
    if rare:
        yield "fraction stored of all facts", "", lambda a: f"{a.stored_of_all:.1%}"
    yield "bits stored per parameter", "", lambda a: f"{a.bits_per_parameter:.2f}"
    yield "tokens per fact and exposure", "", lambda a: amount(a.tokens_per_fact)
    yield "tokens of training", "", lambda a: amount(a.tokens)
    yield "steps", "", lambda a: "at least " * a.law.has_least_steps + amount(a.steps)
    yield "tokens per step", "", lambda a: _at_most(a) + amount(a.tokens / a.steps)
    yield "FLOPs, 6 per parameter and token", "", lambda a: f"{a.flops:.2g}"


def _at_most(answer: Answer) -> str:
    return "at most " * answer.law.has_least_steps


def notes(advice: Advice) -> Iterator[str]:
    """What a reader must know of the answers, one line each."""
    for one in advice.answers:
        for reason in one.outside:
            yield f"{EXTRAPOLATED}: {reason}"
    for refusal in advice.refusals:
        yield f"no answer of the {refusal.law.name} law: {'; '.join(refusal.reasons)}"
    values = sorted(one.value for one in advice.answers)
    if len(values) == 2 and values[0] > 0:
        yield f"the laws differ by a factor of {values[1] / values[0]:.2g}"
    for one in advice.answers:
        for rare in one.rare:
            yield _of_rare(rare, one, advice.question)
            if evidence := one.law.evidence(rare.exposures):
                yield f"rare, {one.law.name}: {evidence}"
    for one in advice.answers:
        ranges = one.law.known(one.case.setting)
        known = "; ".join(f"{spans(ends)} {name}" for name, ends in ranges.items())
        yield f"{one.law.name} law: known for {known}"
        for source in one.law.sources(one.case.setting):
            yield f"{one.law.name} law: {source}"


def title(question: Question) -> str:
    """The planned quantity and the wanted fraction, in words."""
    bits = question.bits_per_fact
    facts = "facts as in bioS" if bits is None else f"facts of {bits:g} bits"
    which = "frequent facts" if question.rare else "facts"
    planned = {
        "facts": f"Number of facts for a model that stores {question.stored:.3g} of its {which}",
        "parameters": f"Model that stores {question.stored:.3g} of its {which}",
        "exposures": f"Exposures that store {question.stored:.3g} of the {which}",
        "stored": f"Fraction of its {which} that a model stores",
    }[question.unknown]
    settings = "".join(f", {change}" for change in question.setting.changes)
    return f"{planned}{settings} ({facts})"


def plain(advice: Advice) -> dict[str, Any]:
    """The same as plain values."""
    question = advice.question
    return {
        "planned": question.unknown,
        "wanted_fraction": question.stored,
        "bits_per_fact": question.bits_per_fact,
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
    setting = answer.case.setting
    check = answer.law.check(setting)
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
        "fraction_stored_of_all": answer.stored_of_all,
        "bits_per_parameter": answer.bits_per_parameter,
        "tokens_per_fact": answer.tokens_per_fact,
        "tokens": answer.tokens,
        "steps": answer.steps,
        "has_least_steps": answer.law.has_least_steps,
        "flops": answer.flops,
        "rare": [
            {
                "facts": rare.share * answer.facts,
                "exposures": rare.exposures,
                "fraction_stored": rare.stored,
                "needed_exposures": list(rare.needed),
                "is_stored": rare.is_stored,
                "is_extrapolated": rare.is_extrapolated,
            }
            for rare in answer.rare
        ],
        "ranges": {
            name: [list(ends) for ends in ranges]
            for name, ranges in answer.law.known(setting).items()
        },
        "check": check and check._asdict(),
        "sources": answer.law.sources(setting),
    }


def _with_interval(answer: Answer, value: str) -> str:
    """A planned value with its interval, which may be open above."""
    low, high = answer.interval
    if low == high:
        return value
    write: Callable[[float], str] = amount
    if answer.planned == "stored":
        write = "{:.1%}".format
    return f"{value} ({write(low)} {'or more' if high is None else f'to {write(high)}'})"


def _of_rare(rare: RareFacts, answer: Answer, question: Question) -> str:
    """How much of rare facts is stored, and the exposures that would suffice."""
    facts = f"{counted(rare.share * answer.facts, 'facts')} seen {counted(rare.exposures, 'times')}"
    beyond = f", {EXTRAPOLATED}" * rare.is_extrapolated
    stored = f"rare, {answer.law.name}: of {facts} the model stores {rare.stored:.0%}{beyond}"
    if rare.is_stored:
        return stored
    low, high = rare.needed
    if low != high:
        needed = f"more than {amount(low)}" if high is None else f"{amount(low)} to {amount(high)}"
        return f"{stored}; to store {question.stored:.3g} of them it needs {needed} exposures"
    more = math.ceil(low / rare.exposures) if rare.exposures else 0
    remedy = f"; repeat them {more} times as often" if more else ""
    return (
        f"{stored}; to store {question.stored:.3g} of them it needs {counted(low, 'exposures')}"
        f"{remedy}"
    )
