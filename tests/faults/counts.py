"""The counts of a class of faults, and their table."""

from collections.abc import Iterable
from dataclasses import dataclass, field


@dataclass(slots=True)
class Counts:
    """What came of the tries of one class.

    Attributes:
        name: Of the class.
        asked: Tries that size 1 asks for.
        survived: Tries that ended as if nothing had happened.
        refused: Tries that ended in one clear line, with what existed unharmed.
        violations: One line for each try that ended otherwise.
        seconds: The longest time of a try, as the class measures it.
        notes: What a reader of the counts must know.
    """

    name: str
    asked: int
    survived: int = 0
    refused: int = 0
    violations: list[str] = field(default_factory=list)
    seconds: float = 0.0
    notes: list[str] = field(default_factory=list)

    @property
    def n(self) -> int:
        return self.survived + self.refused + len(self.violations)

    def note(self, outcome: str, seconds: float = 0.0) -> None:
        """Count a try: ``survived``, ``refused``, or the line of a violation."""
        self.seconds = max(self.seconds, seconds)
        if outcome == "survived":
            self.survived += 1
        elif outcome == "refused":
            self.refused += 1
        else:
            self.violations.append(outcome)


HEAD = ("class", "n", "asked", "survived", "refused", "violations", "worst seconds")


def table(every: Iterable[Counts]) -> str:
    """The table in Markdown, with the violations and notes below it."""
    every = list(every)
    rows = [HEAD, ["---"] * len(HEAD)]
    rows += [
        (c.name, c.n, c.asked, c.survived, c.refused, len(c.violations), f"{c.seconds:.1f}")
        for c in every
    ]
    lines = [f"| {' | '.join(map(str, row))} |" for row in rows]
    lines += [f"\nviolation of {c.name}: {line}" for c in every for line in c.violations]
    lines += [f"\nnote on {c.name}: {line}" for c in every for line in c.notes]
    return "\n".join(lines) + "\n"
