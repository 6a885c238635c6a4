"""Pairs of prompts about two people, which differ in the name alone."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Int64
from torch import Tensor

from physlm.analysis.depth.patching import PromptPairs
from physlm.data.corpus import Corpus
from physlm.data.mixture import part_of
from physlm.data.people.knowledge import KnowledgeCorpus
from physlm.data.people.qa_split import question_columns
from physlm.data.people.questions import QuestionCorpus
from physlm.errors import InputError
from physlm.eval.padding import padded
from physlm.rng import stream

NAME, NAME_LAST, BETWEEN, LAST = "name", "name_last", "between", "last"
PLACES = (NAME, NAME_LAST, BETWEEN, LAST)
_UNKNOWN = -1


@dataclass(frozen=True, slots=True, eq=False)
class PersonPrompts:
    """A prompt about each person that ends before the value of one attribute.

    Attributes:
        tokens: Token ids of each prompt.
        names: Token ids of each name.
        starts: Position of the name's first token in each prompt.
        attributes: The attribute that each prompt ends before.
        answers: First token of every attribute's value of every person; -1 if none is known.
        attribute_names: Name of each attribute.
    """

    tokens: list[np.ndarray]
    names: list[np.ndarray]
    starts: Int64[np.ndarray, " people"]
    attributes: Int64[np.ndarray, " people"]
    answers: Int64[np.ndarray, "people attributes"]
    attribute_names: tuple[str, ...]

    @property
    def ends(self) -> Int64[np.ndarray, " people"]:
        """Position after the name's last token in each prompt."""
        ends: np.ndarray = self.starts + [len(name) for name in self.names]
        return ends

    def about(self, person: int, other: int) -> np.ndarray:
        """A person's prompt with the name of another."""
        tokens, start, name = self.tokens[person].copy(), self.starts[person], self.names[other]
        tokens[start : start + len(name)] = name
        return tokens


def person_prompts(corpus: Corpus) -> PersonPrompts:
    """Questions of the first paraphrase if the corpus has any, else beginnings of biographies.

    A beginning is the first sentence up to its value, which only the person's name and the template
    precede. A biography without a name before the first value has none.

    Raises:
        InputError: If there are no people with attributes that questions ask for.
    """
    questions = part_of(corpus, QuestionCorpus)
    if questions is not None:
        rng, n_people = stream(0, "patching", "questions"), questions.world.n_people
        return question_prompts(questions, rng.integers(0, len(questions.attributes), n_people))
    world = part_of(corpus, KnowledgeCorpus)
    if world is None or not question_columns(world):
        raise InputError("eval=patching compares people; use data=bios or questions")
    return _beginnings(world)


def person_pairs(prompts: PersonPrompts, n_pairs: int) -> tuple[PromptPairs, list[str]]:
    """Pairs of people whose names have equally many tokens and whose values begin differently.

    The source keeps its prompt; the base and the control, a third person, get the same prompt with
    their names. People are drawn at random, and each is a source at most once.

    Args:
        prompts: Prompts about all people.
        n_pairs: Maximum number of pairs.

    Returns:
        The pairs, and the attribute of each.

    Raises:
        InputError: If there are fewer than two pairs.
    """
    rng = stream(0, "patching", "pairs")
    triples = [
        (source, *drawn)
        for source in rng.permutation(len(prompts.tokens)).tolist()
        if (drawn := _base_and_control(prompts, source, rng)) is not None
    ][:n_pairs]
    if len(triples) < 2:
        raise InputError(
            f"{len(triples)} pairs of people have names of equally many tokens and values that "
            "begin differently; patching needs 2 or more; use more people"
        )
    people = np.array(triples)
    lengths = np.array([len(prompts.tokens[source]) for source in people[:, 0]])
    source, base, control = (
        padded([prompts.about(first, other) for first, other in people[:, [0, i]].tolist()])[0]
        for i in range(3)
    )
    attributes = prompts.attributes[people[:, 0]]
    pairs = PromptPairs(
        source=source,
        base=base,
        control=control,
        answers=torch.from_numpy(prompts.answers[people[:, :2], attributes[:, None]]),
        places=_places(prompts, people[:, 0], lengths),
        lengths=torch.from_numpy(lengths),
    )
    return pairs, [prompts.attribute_names[attribute] for attribute in attributes]


def question_prompts(
    questions: QuestionCorpus, attributes: Int64[np.ndarray, " people"]
) -> PersonPrompts:
    """A question about each person, in the first paraphrase.

    Args:
        questions: The questions.
        attributes: The attribute that each question asks for.
    """
    people, none = np.arange(len(attributes)), np.zeros_like(attributes)
    pieces = questions.pieces
    before = pieces.paraphrases[attributes, 0, 0]
    return PersonPrompts(
        tokens=questions.prompts(people, attributes, none),
        names=[pieces.pieces.join(row) for row in pieces.names],
        starts=1 + np.diff(pieces.pieces.starts)[before],
        attributes=attributes,
        answers=pieces.pieces.tokens[pieces.pieces.starts[pieces.values[..., 0]]].astype(np.int64),
        attribute_names=questions.attributes,
    )


def _base_and_control(
    prompts: PersonPrompts, source: int, rng: np.random.Generator
) -> tuple[int, int] | None:
    """Two further people whose values begin differently; None if there are none."""
    answers = prompts.answers[:, prompts.attributes[source]]
    widths = np.array([len(name) for name in prompts.names])
    fits = (widths == widths[source]) & (answers != _UNKNOWN) & (answers != answers[source])
    if not len(prompts.tokens[source]) or not fits.any():
        return None
    base = int(rng.choice(np.flatnonzero(fits)))
    fits &= answers != answers[base]
    return (base, int(rng.choice(np.flatnonzero(fits)))) if fits.any() else None


def _places(
    prompts: PersonPrompts, sources: Int64[np.ndarray, " pairs"], lengths: np.ndarray
) -> dict[str, Tensor]:
    """The tokens of the name, its last one, those after it, and the last of all."""
    starts, ends = prompts.starts[sources], prompts.ends[sources]
    position = np.arange(lengths.max())
    first, end, last = starts[:, None], ends[:, None], lengths[:, None] - 1
    masks = {
        NAME: (position >= first) & (position < end),
        NAME_LAST: position == end - 1,
        BETWEEN: (position >= end) & (position < last),
        LAST: position == last,
    }
    return {place: torch.from_numpy(masks[place]) for place in PLACES}


def _beginnings(world: KnowledgeCorpus) -> PersonPrompts:
    documents = world.rendering(0, np.arange(world.n_people))
    columns = question_columns(world)
    spans = documents.value_spans[:, columns].astype(np.int64)
    is_stated = spans[..., 1] > 0
    firsts = np.where(is_stated, spans[..., 0], np.iinfo(np.int64).max)
    attributes = firsts.argmin(axis=1)
    name_spans = documents.name_spans.astype(np.int64)
    texts = np.split(documents.tokens, documents.starts[1:-1])
    answers = documents.tokens[documents.starts[:-1, None] + np.where(is_stated, spans[..., 0], 0)]
    ends = np.where(name_spans[:, 1] <= firsts.min(axis=1), firsts.min(axis=1), 0)
    return PersonPrompts(
        tokens=[text[:end] for text, end in zip(texts, ends, strict=True)],
        names=[text[first:last] for text, (first, last) in zip(texts, name_spans, strict=True)],
        starts=name_spans[:, 0],
        attributes=attributes,
        answers=np.where(is_stated, answers, _UNKNOWN).astype(np.int64),
        attribute_names=tuple(world.attributes[column].name for column in columns),
    )
