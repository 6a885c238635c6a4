"""Answers of both laws to a question, and why a law has none."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from physlm.errors import InputError
from physlm.report.planner.amounts import amount
from physlm.report.planner.case import Case, Stored
from physlm.report.planner.law import Law, Ranges, is_within, solved
from physlm.report.planner.question import LEAST, MOST, Question, is_quantity

_FEWEST = 1e-9  # exposures, where there are none


@dataclass(frozen=True, slots=True, kw_only=True)
class RareFacts:
    """What a law predicts for facts that are seen less often.

    Attributes:
        share: Their fraction of all facts.
        exposures: Times that each is seen.
        stored: The fraction of their bits that the law says is stored.
        needed: Bounds of the exposures at which a model of this size stores the wanted fraction:
            equal if the number is in the law's range, else the nearest ends of the range; the upper
            one is None if no range lies above.
        is_stored: Whether they are seen as often as that.
        is_extrapolated: Whether so few exposures are outside the law's range.
    """

    share: float
    exposures: float
    stored: float
    needed: tuple[float, float | None]
    is_stored: bool
    is_extrapolated: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a law says: one quantity is planned, the others are given.

    Attributes:
        law: The law.
        planned: The planned quantity: ``facts``, ``parameters``, ``exposures`` or ``stored``.
        interval: Its interval: 90% of new runs of the measured law, the published one's own; the
            upper end is None if the interval is open there.
        facts: Number of facts.
        case: Bits of the world, parameters, exposures and setting.
        stored: The fraction of the bits of the facts that is stored, rare ones left out.
        tokens_per_fact: Tokens of text for each fact and exposure.
        tokens: Tokens of training, junk included.
        steps: Optimizer steps of the runs that the law comes from.
        rare: Facts that are seen less often.
        outside: What is outside the range of the law; empty unless extrapolation is allowed.
    """

    law: Law
    planned: str
    interval: tuple[float, float | None]
    facts: float
    case: Case
    stored: Stored
    tokens_per_fact: float
    tokens: float
    steps: float
    rare: tuple[RareFacts, ...]
    outside: tuple[str, ...]

    @property
    def value(self) -> float:
        """The planned quantity."""
        return {
            "facts": self.facts,
            "parameters": self.case.parameters,
            "exposures": self.case.exposures,
            "stored": self.stored.value,
        }[self.planned]

    @property
    def stored_of_all(self) -> float:
        """The fraction of the bits of all facts that is stored, rare ones counted as such."""
        frequent = 1 - sum(one.share for one in self.rare)
        return frequent * self.stored.value + sum(one.share * one.stored for one in self.rare)

    @property
    def bits_per_parameter(self) -> float:
        """Stored bits over parameters."""
        return self.stored_of_all * self.case.bits / self.case.parameters

    @property
    def flops(self) -> float:
        """Operations of training, 6 for each parameter and token."""
        return 6 * self.case.parameters * self.tokens


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a law does not answer.

    Attributes:
        law: The law.
        reasons: Each names a value and the range in which the law is known.
    """

    law: Law
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Advice:
    """The answers to a question.

    Attributes:
        question: The question.
        answers: Of the laws that answer.
        refusals: Of the others.
    """

    question: Question
    answers: tuple[Answer, ...]
    refusals: tuple[Refusal, ...]


def advice(question: Question, laws: Iterable[Law], *, extrapolates: bool = False) -> Advice:
    """Ask every law; one that would have to extrapolate gives its reasons instead.

    Args:
        question: What is planned.
        laws: The laws to ask.
        extrapolates: Whether they answer outside their ranges, too.

    Raises:
        InputError: If no law answers.
    """
    laws = tuple(laws)
    found = [_asked(question, law, extrapolates=extrapolates) for law in laws]
    answers = tuple(one for one in found if isinstance(one, Answer))
    refusals = tuple(one for one in found if isinstance(one, Refusal))
    if not answers:
        raise InputError(_refused(question, () if extrapolates else laws, refusals))
    return Advice(question, answers, refusals)


def _asked(question: Question, law: Law, *, extrapolates: bool) -> Answer | Refusal:
    """The answer of a law, or why it has none."""
    tokens_per_fact = question.tokens_per_fact or law.tokens_per_fact
    question = replace(question, tokens_per_fact=tokens_per_fact)
    given = _case(question, math.nan)
    if reasons := _too_frequent(question, given) or _outside(law, given, extrapolates=extrapolates):
        return Refusal(law, reasons)
    value = _planned(question, law, "value")
    if value is None or not (question.unknown == "stored" or is_quantity(value)):
        return Refusal(law, (_unreached(question, law),))
    case, facts = _case(question, value), _facts(question, value)
    if reasons := _outside(law, case, extrapolates=extrapolates):
        return Refusal(law, tuple(f"would need {reason}" for reason in reasons))
    if reasons := _too_frequent(question, case):
        return Refusal(law, reasons)
    return Answer(
        law=law,
        planned=question.unknown,
        interval=_interval(question, law),
        facts=facts,
        case=case,
        stored=law.stored(case),
        tokens_per_fact=tokens_per_fact,
        tokens=question.training_tokens(facts, case.exposures),
        steps=law.steps(case),
        rare=tuple(_rare_facts(question, law, case, extrapolates=extrapolates)),
        outside=tuple(law.outside(case)),
    )


def _outside(law: Law, case: Case, *, extrapolates: bool) -> tuple[str, ...]:
    return () if extrapolates else tuple(law.outside(case))


def _too_frequent(question: Question, case: Case) -> tuple[str, ...]:
    """Rare facts that are seen as often as the others, or more often, with the reason."""
    return tuple(
        f"{one}; rare facts must have fewer exposures than the others, which have "
        f"{amount(round(case.exposures, 6))}"
        for one in question.rare
        if one.exposures >= case.exposures
    )


def _planned(question: Question, law: Law, end: str) -> float | None:
    """The planned quantity, by the predicted fraction or an end of its interval.

    Returns:
        The quantity; None if no value of it reaches the fraction.
    """

    def stored(value: float) -> float:
        return float(getattr(law.stored(_case(question, value)), end))

    if question.unknown == "stored":
        return stored(0.0)
    if question.unknown == "facts":  # fewer facts are stored better
        found = solved(lambda value: stored(1 / value), question.stored)
        return None if found is None else 1 / found
    return solved(stored, question.stored)


def _interval(question: Question, law: Law) -> tuple[float, float | None]:
    """The planned quantity at both ends of the stored fraction's interval, in ascending order."""
    low, high = (_planned(question, law, end) for end in ("low", "high"))
    if question.unknown in {"parameters", "exposures"}:  # more are needed where less is stored
        low, high = high, low
    return low or 0.0, high


def _facts(question: Question, value: float) -> float:
    return value if question.facts is None else question.facts


def _case(question: Question, value: float) -> Case:
    """The case with a value of the planned quantity; that of ``stored`` changes nothing."""
    unknown, facts = question.unknown, _facts(question, value)
    exposures = value if unknown == "exposures" else question.exposures_of(facts)
    parameters = value if question.parameters is None else question.parameters
    return question.case(facts=facts, parameters=parameters, exposures=max(exposures, _FEWEST))


def _rare_facts(
    question: Question, law: Law, case: Case, *, extrapolates: bool
) -> Iterable[RareFacts]:
    """The rare facts, each with the exposures that they would need."""
    if not question.rare:
        return

    def seen(exposures: float) -> Case:
        return replace(case, exposures=max(exposures, _FEWEST))

    found = solved(lambda exposures: law.stored(seen(exposures)).value, question.stored)
    needed = math.inf if found is None else found
    ranges = law.known(case.setting)["exposures"]
    if extrapolates and found is not None:
        ranges = ((found, found),)
    for one in question.rare:
        yield RareFacts(
            share=one.share,
            exposures=one.exposures,
            stored=law.stored(seen(one.exposures)).value,
            needed=_nearest(needed, ranges),
            is_stored=one.exposures >= needed,
            is_extrapolated=bool(law.outside(seen(one.exposures))),
        )


def _nearest(value: float, ranges: Ranges) -> tuple[float, float | None]:
    """A value twice if it lies in a range; else the nearest ends of ranges below and above it."""
    if is_within(value, ranges):
        return value, value
    below = max((high for _, high in ranges if high < value), default=0.0)
    return below, min((low for low, _ in ranges if low > value), default=None)


def _unreached(question: Question, law: Law) -> str:
    """The reason if no value of the planned quantity reaches the wanted fraction."""
    return (
        f"no number of {question.unknown} from {LEAST:g} to {MOST:g} stores "
        f"{100 * question.stored:g}% ({law.name} law)"
    )


def _refused(question: Question, laws: Iterable[Law], refusals: Sequence[Refusal]) -> str:
    """The error of a question that no law answers; --extrapolate is named if it helps."""
    reasons = dict.fromkeys(reason for refusal in refusals for reason in refusal.reasons)
    tried = (_asked(question, law, extrapolates=True) for law in laws)
    remedy = "; --extrapolate answers outside the range"
    helps = any(isinstance(one, Answer) for one in tried)
    return f"no law answers: {'; '.join(reasons)}{remedy * helps}"
