"""bioR as in the paper: biographies by a language model, each kept as soon as it is right."""

import hashlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from physlm.data.bio.discourse import Person
from physlm.data.bio.mentions import mentions
from physlm.errors import InputError
from physlm.record import replacing
from physlm.rng import stream

Write = Callable[[Sequence[str]], list[str]]

_REQUESTS = (
    "Write a short biography of {name} in one paragraph of about 50 words.",
    "Tell the life of {name} in one short paragraph.",
    "Write a brief encyclopedia entry about {name}, in one paragraph.",
    "Describe {name} for a program leaflet, in one paragraph of three or four sentences.",
)
_FACTS = (
    "was born on {birth_date}", "was born in {birth_city}", "studied at {university}",
    "majored in {major}", "worked for {employer}", "worked in {company_city}",
)  # fmt: skip
_RULES = "Mention each of these, word for word as it is given, and add no other facts:"


@dataclass(frozen=True, slots=True)
class Progress:
    """How far rewriting has come.

    Attributes:
        n_done: Texts that are right.
        n_wanted: Texts in all.
        n_rejected: Texts that lacked a name or an attribute.
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
    batch_size: int,
    max_tries: int,
    seed: int,
    progress: Callable[[Progress], None] = lambda _: None,
) -> Path:
    """Have biographies written until each says all attributes of its person; returns the file.

    Every answer is kept in a file beside ``path`` at once, so that whatever stops the work, it goes
    on from there.

    Args:
        persons: Who is told about.
        write: Answers prompts, one text for each.
        path: A Parquet file of columns person, name and text.
        n_texts: Texts of each person.
        batch_size: Prompts at once.
        max_tries: For each text, over all attempts at the work.
        seed: Of the prompts.
        progress: Told after every batch.

    Raises:
        InputError: If ``write`` raises it, the answers kept are about other people, or a text was
            not right in any of its tries.
    """
    answers = _Answers(path.with_suffix(".jsonl"), persons)
    places = [(i, t) for i in range(len(persons)) for t in range(n_texts)]
    while missing := [place for place in places if place not in answers.right]:
        if hopeless := [p for p in missing if answers.tries.get(p, 0) >= max_tries]:
            person = persons[hopeless[0][0]]
            raise InputError(
                f"{len(hopeless)} texts lacked a fact in all of max_tries={max_tries}, such as one "
                f"of {person.name} ({', '.join(answers.lacking[hopeless[0]])}); take a better "
                f"model, or raise max_tries; what is right is kept in {answers.path}"
            )
        for first in range(0, len(missing), batch_size):
            batch = missing[first : first + batch_size]
            prompts = [
                prompt(persons[i], stream(seed, "prompt", i, t, answers.tries.get((i, t), 0)))
                for i, t in batch
            ]
            for place, text in zip(batch, write(prompts), strict=True):
                answers.add(place, cleaned(text))
            progress(Progress(len(answers.right), len(places), answers.n_rejected))
    rows = [{"person": i, "name": persons[i].name, "text": answers.right[i, t]} for i, t in places]
    with replacing(path) as temporary:
        pq.write_table(pa.Table.from_pylist(rows), temporary)
    return path


def prompt(person: Person, rng: np.random.Generator) -> str:
    """A request for one biography, with the facts in an order of its own."""
    request = _REQUESTS[rng.integers(len(_REQUESTS))].format(name=person.name)
    told = [_FACTS[i].format(**person.facts) for i in rng.permutation(len(_FACTS))]
    pronoun = person.pronoun.lower()
    lines = "\n".join(f"- {pronoun} {fact}" for fact in told)
    return f"{request} {_RULES}\n{lines}\n"


def lacking(text: str, person: Person) -> list[str]:
    """What a text does not say word for word."""
    wanted = {"name": person.name, **person.facts}
    said = mentions(text, wanted)
    return [name for name in wanted if name not in said]


def cleaned(text: str) -> str:
    """One paragraph, without the quotation marks that models put around."""
    return re.sub(r"\s+", " ", text).strip().strip('"').strip()


class _Answers:
    """All answers so far, right or not, as lines of a file."""

    def __init__(self, path: Path, persons: Sequence[Person]) -> None:
        self.path, self.persons = path, persons
        self.right: dict[tuple[int, int], str] = {}
        self.tries: dict[tuple[int, int], int] = {}
        self.lacking: dict[tuple[int, int], list[str]] = {}
        self.n_rejected = 0
        path.parent.mkdir(parents=True, exist_ok=True)
        told = repr([(p.name, p.pronoun, sorted(p.facts.items())) for p in persons])
        head = {"people": hashlib.sha256(told.encode()).hexdigest()}
        if not path.exists():
            self._append(head)
            return
        lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
        whole = [line for line in lines if line.endswith("\n")]  # the last one may be cut off
        if len(whole) < len(lines):
            with replacing(path) as temporary:
                temporary.write_text("".join(whole), encoding="utf-8")
        try:
            found, *answers = [json.loads(line) for line in whole]
            if found != head:
                raise InputError(f"{path} has texts about other people; take another output")
            for answer in answers:
                self._take((answer["person"], answer["text_number"]), answer["text"])
        except (ValueError, KeyError, TypeError) as error:
            raise InputError(f"{path} holds no answers ({error}); take another output") from error

    def add(self, place: tuple[int, int], text: str) -> None:
        """One more answer."""
        self._append({"person": place[0], "text_number": place[1], "text": text})
        self._take(place, text)

    def _take(self, place: tuple[int, int], text: str) -> None:
        self.tries[place] = self.tries.get(place, 0) + 1
        missing = lacking(text, self.persons[place[0]])
        if missing:
            self.lacking[place] = missing
            self.n_rejected += 1
        else:
            self.right[place] = text

    def _append(self, line: Mapping[str, object]) -> None:
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
