"""bioD: people with K attributes, each a string of C chunks from the attribute's diversity set."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from jaxtyping import Int64

from physlm.data.corpus import require_at_least
from physlm.data.people.augmentation import Augmentation, Order
from physlm.data.people.knowledge import Attribute, Diversity, KnowledgeCorpus, PieceList
from physlm.data.people.people import PeopleConfig, Population, draw_names
from physlm.data.people.pools import pool
from physlm.data.people.sentences import Sentences
from physlm.data.tokens import Pieces, TokenizerName, Vocabulary, gpt2_tokenizer
from physlm.registry import register
from physlm.rng import stream

_MOST_BITS = 1000  # of one value, so that the number of values fits a float
_TEXT_BYTES = 50  # minimum size of a word in memory
_SYLLABLES = [c + v for c in "bdfgklmnprstvyz" for v in "aeiou"]


@register("data", "biod")
@dataclass(kw_only=True, slots=True)
class BiodConfig(PeopleConfig):
    """bioD(N, K, C, D, L, T).

    With ``tokenizer=gpt2`` the text is the published one ("X's ID 7 is v. Her ID 2 is v."). With
    ``tokenizer=compact`` the same facts are written in symbols: the name, then for each attribute
    its marker and its value, over an alphabet shared by names and values. Use it for models so
    small that a vocabulary of names would outweigh the rest of their parameters.

    Source:
        Physics of Language Models, Part 3.3, section 2.1 and definition of bioD.
    """

    n_attributes: int = 6  # K, attributes of each person
    n_chunks: int = 1  # C, chunks of a value
    diversity: int = 256  # D, strings in an attribute's diversity set
    chunk_length: int = 2  # L, tokens of a string
    alphabet_size: int = 32  # T, tokens of the alphabet
    # Number of different first, middle and last names.
    name_sizes: list[int] = field(default_factory=lambda: [400, 400, 1000])
    attribute_order: Order = Order.random  # random: drawn for every text
    tokenizer: TokenizerName = TokenizerName.compact  # compact: a token for each word that occurs

    def validate(self) -> None:
        """Require sizes in range, and diversity sets no larger than the number of strings."""
        PeopleConfig.validate(self)
        require_at_least(self, 1, "n_attributes", "n_chunks", "diversity")
        require_at_least(self, 1, "chunk_length", "alphabet_size")
        if not self.name_sizes or min(self.name_sizes) < 1:
            raise ValueError(f"name_sizes={self.name_sizes}; needs entries of at least 1")
        if self.attribute_order is Order.coupled and self.n_attributes % 2:
            raise ValueError(
                f"attribute_order=coupled needs an even n_attributes, not {self.n_attributes}"
            )
        bits = max(
            self.chunk_length * math.log2(self.alphabet_size),
            self.n_chunks * math.log2(self.diversity),
        )
        if bits > _MOST_BITS:
            raise ValueError(
                f"n_chunks={self.n_chunks}, chunk_length={self.chunk_length}: values of more than "
                f"{_MOST_BITS} bits; shorten them"
            )
        possible = self.alphabet_size**self.chunk_length
        if self.diversity > possible:
            raise ValueError(
                f"diversity={self.diversity} exceeds the {possible} strings of {self.chunk_length} "
                f"tokens over {self.alphabet_size}; lower it or raise alphabet_size"
            )

    @property
    def name_choices(self) -> tuple[int, ...]:
        """Choices for each part of a name."""
        return tuple(self.name_sizes)

    @property
    def fact_choices(self) -> tuple[int, ...]:
        """Choices for each chunk: the strings of the attribute's diversity set."""
        return (self.diversity,) * (self.n_attributes * self.n_chunks)

    def drawn(self, seed: int) -> Population:
        """Names and chunks, drawn uniformly."""
        names = draw_names(seed, self.n_people, self.name_sizes)
        self.require_room()
        shape = (self.n_people, self.n_attributes * self.n_chunks)
        return Population(names, stream(seed, "values").integers(0, self.diversity, shape))

    def sizes(self) -> dict[str, int]:
        """Minimum bytes of names, diversity sets and values."""
        n_symbols = self.n_attributes * self.n_chunks * (1 + self.chunk_length)
        n_strings = self.n_attributes * self.diversity
        return PeopleConfig.sizes(self) | {
            f"n_people={self.n_people} of n_attributes={self.n_attributes}, "
            f"n_chunks={self.n_chunks}, chunk_length={self.chunk_length}": 8
            * self.n_people
            * n_symbols,
            f"diversity={self.diversity} for n_attributes={self.n_attributes}": 8
            * n_strings
            * self.chunk_length,
            f"name_sizes={self.name_sizes}": _TEXT_BYTES * sum(self.name_sizes),
            f"alphabet_size={self.alphabet_size}": _TEXT_BYTES * self.alphabet_size,
        }

    def corpus(self, seed: int, reserved: Sequence[str] = ()) -> KnowledgeCorpus:
        """The people of a seed, with every piece of their texts tokenised."""
        people = self.drawn(seed)  # first, because it refuses sizes that do not fit into memory
        texts, pieces = self._texts, PieceList()
        about = self._about(people, seed, pieces)
        shape = (self.n_attributes, 1)
        prefixes = pieces.add(texts.markers).reshape(shape)
        vocabulary = Vocabulary.build(self.tokenizer, list(pieces.texts), reserved)
        sentences = Sentences(
            pieces=Pieces(vocabulary, list(pieces.texts)),
            n_name_parts=len(self.name_sizes),
            prefixes=prefixes,
            suffixes=pieces.add([texts.suffix] * self.n_attributes).reshape(shape),
            n_templates=np.ones(self.n_attributes, dtype=np.int32),
            augmentations=(Augmentation(order=self.attribute_order),),
            **about,
        )
        n_values = float(self.diversity) ** self.n_chunks
        return KnowledgeCorpus(
            seed=seed,
            n_epochs=self.exposures,
            vocabulary=vocabulary,
            sentences=sentences,
            attributes=tuple(Attribute(f"id_{k + 1}", n_values) for k in range(self.n_attributes)),
            n_names=math.prod(self.name_sizes),
            diversity=Diversity(
                n_strings=self.diversity,
                n_possible=float(self.alphabet_size**self.chunk_length),
                chunk_length=self.chunk_length,
            ),
            document_ends=self.document_ends(),
        )

    def sentences_about(self, corpus: KnowledgeCorpus, others: Population) -> Sentences:
        """Sentences with the same markers and diversity sets about other people."""
        assert isinstance(corpus.sentences, Sentences)
        pieces = PieceList(corpus.sentences.pieces.texts)
        return replace(corpus.sentences, **self._about(others, corpus.seed, pieces))

    def _about(self, people: Population, seed: int, pieces: PieceList) -> dict[str, Any]:
        """The fields of `Sentences` that depend on the people."""
        texts, n = self._texts, len(people.names)
        symbols = pieces.add([f" {word}" for word in texts.symbols])
        parts = [pieces.add(part)[people.names[:, i]] for i, part in enumerate(texts.name_parts)]
        possessive, _, later = pieces.add([texts.possessive, texts.suffix, texts.later_subject])
        return {
            "openings": np.stack([*parts, np.full(n, possessive)], axis=1),
            "subjects": np.full((n, 1), later),
            "namings": np.empty((n, 0), dtype=np.int32),
            "values": symbols[values_of(self, seed, people.facts)],
            "groups": np.zeros(n, dtype=np.int8),
        }

    @property
    def _texts(self) -> "_Texts":
        is_text = self.tokenizer is TokenizerName.gpt2
        return _sentence_texts(self) if is_text else _symbol_texts(self)


def values_of(
    config: BiodConfig, seed: int, facts: Int64[np.ndarray, "people facts"]
) -> Int64[np.ndarray, "people attributes symbols"]:
    """Every value as symbols of the alphabet: strings of the attribute's diversity set."""
    k, c = config.n_attributes, config.n_chunks
    sets = np.stack([_diversity_set(config, seed, a) for a in range(k)])
    chosen: np.ndarray = sets[np.arange(k)[None, :, None], facts.reshape(-1, k, c)]
    return chosen.reshape(-1, k, c * config.chunk_length)


def _diversity_set(
    config: BiodConfig, seed: int, attribute: int
) -> Int64[np.ndarray, "strings symbols"]:
    """Distinct strings, drawn uniformly from all sets of this size."""
    rng = stream(seed, "diversity set", attribute)
    shape = (config.alphabet_size,) * config.chunk_length
    possible = config.alphabet_size**config.chunk_length
    if possible <= 2**24:
        drawn = rng.choice(possible, config.diversity, replace=False)
        return np.stack(np.unravel_index(drawn, shape), axis=1)
    # Too many strings to enumerate: draw until enough are distinct.
    strings: dict[tuple[int, ...], None] = {}
    while len(strings) < config.diversity:
        strings[tuple(rng.integers(0, config.alphabet_size, config.chunk_length).tolist())] = None
    return np.array(list(strings))


@dataclass(frozen=True, slots=True)
class _Texts:
    """The words of a document, either of sentences or of bare symbols."""

    symbols: Sequence[str]
    name_parts: Sequence[Sequence[str]]
    possessive: str
    later_subject: str
    markers: Sequence[str]
    suffix: str


def _sentence_texts(config: BiodConfig) -> _Texts:
    pools = [pool("first_names"), pool("middle_names"), pool("last_names")]
    sizes = config.name_sizes
    if len(sizes) > len(pools) or any(n > len(p) for n, p in zip(sizes, pools, strict=False)):
        raise ValueError(f"name_sizes={sizes}; at most [400, 400, 1000] with tokenizer=gpt2")
    parts = [
        [name if i == 0 else f" {name}" for name in pools[i][:size]] for i, size in enumerate(sizes)
    ]
    markers = [f" ID {k + 1} is" for k in range(config.n_attributes)]
    return _Texts(_one_token_words(config.alphabet_size), parts, "'s", " Her", markers, ".")


def _symbol_texts(config: BiodConfig) -> _Texts:
    """Words over one alphabet of names and values; empty pieces take the place of sentences."""
    sizes = config.name_sizes
    words = [syllables(i) for i in range(max(config.alphabet_size, *sizes))]
    parts = [[f" {word}" for word in words[:size]] for size in sizes]
    markers = [f" ID{k + 1}" for k in range(config.n_attributes)]
    return _Texts(words[: config.alphabet_size], parts, "", "", markers, "")


def _one_token_words(n: int) -> list[str]:
    """The first ``n`` words that are one GPT-2 token with the space before them."""
    vocabulary = gpt2_tokenizer().get_vocab()
    word = re.compile("Ġ[A-Za-z]+")
    words = sorted((i, t[1:]) for t, i in vocabulary.items() if word.fullmatch(t))
    if n > len(words):
        raise ValueError(f"alphabet_size={n}; at most {len(words)} with tokenizer=gpt2")
    return [text for _, text in words[:n]]


def syllables(index: int) -> str:
    """The word of a symbol in consonant-vowel syllables: one for the first 75, then more."""
    digits: list[str] = []
    while not digits or index >= 0:
        index, digit = divmod(index, len(_SYLLABLES))
        digits.append(_SYLLABLES[digit])
        index -= 1
    return "".join(reversed(digits))
