"""Text diversity of biographies: words, sentence frames, and orders of attributes."""

import re
from collections import Counter
from dataclasses import dataclass

import numpy as np

from physlm.data.people.knowledge import KnowledgeCorpus

_SEGMENT = 1000  # words; the type-token ratio falls with length, so the length is fixed
_SLOT = "_"


@dataclass(frozen=True, slots=True)
class TextDiversity:
    """Diversity of texts, measured on one text for each of some people.

    Attributes:
        n_texts: Number of texts.
        words_per_text: Mean number of words.
        type_token_ratio: Distinct words over words, mean over segments of 1,000 words.
        n_frames: Distinct sentence frames: sentences without names, values and pronouns.
        frame_overlap: Fraction of sentences whose frame occurs in another text.
        order_entropy_bits: Entropy of the order of attributes.
    """

    n_texts: int
    words_per_text: float
    type_token_ratio: float
    n_frames: int
    frame_overlap: float
    order_entropy_bits: float


def text_diversity(world: KnowledgeCorpus) -> TextDiversity:
    """Measure one text of each person.

    Raises:
        ValueError: If the texts have fewer words than one segment.
    """
    documents = world.rendering(0, np.arange(world.n_people))
    rows = np.split(documents.tokens, documents.starts[1:-1])
    words, frames = [], []
    for person, row in enumerate(rows):
        text = world.vocabulary.decode(row[1:])
        words += re.findall(r"\w+", text)
        frames.append(_frames(text, world.facts(person)))
    n_words = len(words)
    segments = [words[i : i + _SEGMENT] for i in range(0, n_words - _SEGMENT + 1, _SEGMENT)]
    if not segments:
        raise ValueError(
            f"the texts of n_people={world.n_people} have {n_words} words; need at least "
            f"{_SEGMENT}, so use more people"
        )
    texts_with = Counter(frame for of_text in frames for frame in set(of_text))
    every = [frame for of_text in frames for frame in of_text]
    stated = [i for i, a in enumerate(world.attributes) if a.name != "gender"]
    orders = Counter(
        tuple(order) for order in np.argsort(documents.value_spans[:, stated, 0], axis=1).tolist()
    )
    p = np.array(list(orders.values())) / len(rows)
    return TextDiversity(
        n_texts=len(rows),
        words_per_text=n_words / len(rows),
        type_token_ratio=float(np.mean([len(set(segment)) / _SEGMENT for segment in segments])),
        n_frames=len(texts_with),
        frame_overlap=float(np.mean([texts_with[frame] > 1 for frame in every])),
        order_entropy_bits=float((p * np.log2(1 / p)).sum()),
    )


def _frames(text: str, facts: dict[str, str]) -> list[str]:
    """The sentences of a text with a slot for every name, value and pronoun."""
    facts = {key: value for key, value in facts.items() if key != "gender"}
    name = facts.pop("name")
    slots = (name, *sorted(facts.values(), key=len, reverse=True), name.split()[-1])
    words = "|".join(map(re.escape, slots))
    text = re.sub(rf"(?<!\w)(?:{words})(?!\w)", _SLOT, text)
    text = re.sub(r"\b(he|she|his|her)\b", _SLOT, text, flags=re.IGNORECASE)
    return re.split(r"(?<=\.) ", text)
