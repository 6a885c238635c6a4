"""bioR as in the paper: biographies written by a language model, with every answer kept."""

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from physlm.atomic import replacing
from physlm.data.texts.discourse import Person
from physlm.data.texts.mentions import mentions
from physlm.errors import InputError
from physlm.rng import stream

# Answers prompts: yields the number of each prompt with its text, in any order; may be empty.
Write = Callable[[Iterable[str]], Iterator[tuple[int, str]]]

_REQUESTS = (
    "Write a short biography of {name} in one paragraph of about 50 words.",
    "Tell the life of {name} in one short paragraph.",
    "Write a brief encyclopedia entry about {name}, in one paragraph.",
    "Describe {name} for a program leaflet, in one paragraph of three or four sentences.",
)
_FACTS = (
    "was born on {birth_date}",
    "was born in {birth_city}",
    "studied at {university}",
    "majored in {major}",
    "worked for {employer}",
    "worked in {company_city}",
)
_MOST_EMPTY = 20  # answers without text in a row, after which no more are requested
_RULES = "Mention each of these, word for word as it is given, and add no other facts:"


@dataclass(frozen=True, slots=True)
class Progress:
    """Progress of rewriting.

    Attributes:
        n_done: Accepted texts.
        n_wanted: Texts to write.
        n_rejected: Texts that lacked the name or an attribute.
    """

    n_done: int
    n_wanted: int
    n_rejected: int


def rewrite(
    persons: Sequence[Person],
    write: Write,
    path: Path,
    *,
    n_texts: int,
    max_tries: int,
    seed: int,
    settings: Mapping[str, object] | None = None,
    progress: Callable[[Progress], None] = lambda _: None,
) -> Path:
    """Have biographies written until each states all attributes of its person.

    Every answer is saved to a file beside ``path`` at once, from which interrupted work resumes.
    The result does not depend on the order of answers.

    Args:
        persons: The people.
        write: Answers prompts.
        path: A Parquet file with the columns person, name and text.
        n_texts: Texts of each person.
        max_tries: Tries for each text, counted over all attempts at the work.
        seed: Seed of the prompts.
        settings: Everything else that decides the texts, such as the model; a file has only one.
        progress: Called after every answer.

    Returns:
        The path.

    Raises:
        InputError: If ``write`` raises it, saved answers are about other people or have other
            settings, a text was rejected in all of its tries, or many answers in a row were empty.
    """
    answers = _Answers(path.with_suffix(".jsonl"), persons, settings or {})
    places = [(i, t) for i in range(len(persons)) for t in range(n_texts)]
    n_empty = 0
    while missing := [place for place in places if place not in answers.right]:
        answers.require_tries_left(missing, max_tries)
        prompts = (
            prompt(persons[i], stream(seed, "prompt", i, t, answers.tries.get((i, t), 0)))
            for i, t in missing
        )
        for number, text in write(prompts):
            answers.add(missing[number], cleaned(text))
            progress(Progress(len(answers.right), len(places), answers.n_rejected))
            n_empty = 0 if text.strip() else n_empty + 1
            if n_empty == _MOST_EMPTY:
                raise InputError(
                    f"{n_empty} answers in a row had no text at all, or were cut off: the model's "
                    "thoughts may take all of max_tokens; raise it"
                )
    rows = [{"person": i, "name": persons[i].name, "text": answers.right[i, t]} for i, t in places]
    with replacing(path) as temporary:
        pq.write_table(pa.Table.from_pylist(rows), temporary)
    return path


def prompt(person: Person, rng: np.random.Generator) -> str:
    """A request for one biography, with the facts in random order."""
    request = _REQUESTS[rng.integers(len(_REQUESTS))].format(name=person.name)
    facts = [_FACTS[i].format(**person.facts) for i in rng.permutation(len(_FACTS))]
    pronoun = person.pronoun.lower()
    lines = "\n".join(f"- {pronoun} {fact}" for fact in facts)
    return f"{request} {_RULES}\n{lines}\n"


def lacking(text: str, person: Person) -> list[str]:
    """The facts that a text does not state word for word."""
    wanted = {"name": person.name, **person.facts}
    found = mentions(text, wanted)
    return [name for name in wanted if name not in found]


def cleaned(text: str) -> str:
    """The text as one paragraph, without the quotation marks that models put around it."""
    return re.sub(r"\s+", " ", text).strip().strip('"').strip()


class _Answers:
    """All answers so far, accepted or not, as lines of a file; its head has the settings."""

    def __init__(
        self, path: Path, persons: Sequence[Person], settings: Mapping[str, object]
    ) -> None:
        self.path, self.persons = path, persons
        people = repr([(p.name, p.pronoun, sorted(p.facts.items())) for p in persons])
        prompts = repr((_REQUESTS, _FACTS, _RULES))
        head = {"people": _digest(people), "prompts": _digest(prompts), **settings}
        self._forget()
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists() or not path.stat().st_size:
            self._append(head)
            return
        try:
            found, *answers = [json.loads(line) for line in self._whole_lines()]
            if found["people"] != head["people"]:
                raise InputError(f"{path} has texts about other people; choose another output")
            for answer in answers:
                self._take(*_checked(answer))
        except (AttributeError, LookupError, RecursionError, TypeError, ValueError) as error:
            if isinstance(error, InputError):
                raise
            raise InputError(
                f"{path} is not a file of answers ({error}); choose another output"
            ) from error
        # The head of a file of an earlier version has fewer settings; the others may then differ.
        if others := sorted(name for name in found if head.get(name) != found[name]):
            self._start_over(found, head, others)

    def add(self, place: tuple[int, int], text: str) -> None:
        """Save an answer."""
        answer = {"person": place[0], "text_number": place[1], "text": text}
        self._append({**answer, "seal": _seal(place, text)})
        self._take(place, text)
        # Empty answers count in this attempt only: the next may give the model more tokens.
        if not text:
            self.tries[place] = self.tries.get(place, 0) + 1
            self.lacking[place] = ["any text; raise max_tokens"]

    def require_tries_left(self, missing: Sequence[tuple[int, int]], max_tries: int) -> None:
        """Require that every missing text has tries left.

        Raises:
            InputError: If one has none.
        """
        hopeless = [place for place in missing if self.tries.get(place, 0) >= max_tries]
        if hopeless:
            name, lacked = self.persons[hopeless[0][0]].name, self.lacking[hopeless[0]]
            raise InputError(
                f"{len(hopeless)} texts lacked a fact in all of max_tries={max_tries}, such as one "
                f"of {name} ({', '.join(lacked)}); raise max_tries, or use a better model and "
                f"another output; accepted texts are kept in {self.path}"
            )

    def _forget(self) -> None:
        self.right: dict[tuple[int, int], str] = {}
        self.tries: dict[tuple[int, int], int] = {}
        self.lacking: dict[tuple[int, int], list[str]] = {}
        self.n_rejected = 0

    def _start_over(
        self, found: Mapping[str, object], head: Mapping[str, object], others: Sequence[str]
    ) -> None:
        """Accept new settings, unless texts were accepted under the old ones."""
        if self.right:
            was, wanted = (
                ", ".join(f"{name}={one.get(name)}" for name in others) for one in (found, head)
            )
            raise InputError(
                f"{self.path} has {len(self.right)} texts written with {was}, not {wanted}; "
                "choose another output, or continue with the same settings"
            )
        self._forget()
        with replacing(self.path) as temporary:
            temporary.write_text(json.dumps(head) + "\n", encoding="utf-8")

    def _whole_lines(self) -> list[str]:
        """The complete lines of the file; a last line that was cut off is removed."""
        lines = self.path.read_text(encoding="utf-8").splitlines(keepends=True)
        whole = [line for line in lines if line.endswith("\n")]
        if len(whole) < len(lines):
            with replacing(self.path) as temporary:
                temporary.write_text("".join(whole), encoding="utf-8")
        return whole

    def _take(self, place: tuple[int, int], text: str) -> None:
        missing = lacking(text, self.persons[place[0]])
        if not missing:
            self.right.setdefault(place, text)
            return
        self.n_rejected += 1
        if text:
            self.tries[place] = self.tries.get(place, 0) + 1
            self.lacking[place] = missing

    def _append(self, line: Mapping[str, object]) -> None:
        try:
            with self.path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")
        except OSError as error:
            raise InputError(f"{self.path} cannot be written: {error.strerror}") from error


def _checked(answer: Mapping[str, Any]) -> tuple[tuple[int, int], str]:
    """Place and text of a saved answer.

    Raises:
        ValueError: If it has changed since it was saved.
    """
    place, text = (answer["person"], answer["text_number"]), answer["text"]
    seal = _seal(place, text)
    if answer.get("seal", seal) != seal:
        raise ValueError(f"text {place[1]} of person {place[0]} has changed")
    return place, text


def _seal(place: tuple[int, int], text: str) -> str:
    """A hash of an answer; those of earlier versions have none."""
    return _digest(f"{place[0]} {place[1]} {text}")[:16]


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
