"""Natural text as a corpus, with a part that is never trained on."""

import hashlib
import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from enum import Enum
from functools import cached_property
from typing import ClassVar

import numpy as np
from jaxtyping import Bool, Int64

from physlm.data.annotation import AnnotatedDocuments
from physlm.data.corpus import DataConfig, Documents, OneLine, require_at_least
from physlm.data.files.annotation import annotated_texts
from physlm.data.people.assembly import assemble
from physlm.data.tokens import Pieces, TokenizerName, Vocabulary
from physlm.errors import InputError
from physlm.rng import stream


class Part(str, Enum):
    """The documents to train on, or those held out."""

    train = "train"
    held_out = "held_out"


@dataclass(kw_only=True, slots=True)
class TextCorpusConfig(DataConfig, ABC):
    """Documents of natural text; an exposure is one epoch of the documents to train on.

    Documents with the same text are in the same part.
    """

    has_texts: ClassVar[bool] = True

    exposures: int = 1
    seq_len: int = 256
    held_out_fraction: float = 0.1  # of the distinct documents
    tokenizer: TokenizerName = TokenizerName.gpt2

    def validate(self) -> None:
        """Require every value in its range."""
        DataConfig.validate(self)
        require_at_least(self, 0, "held_out_fraction")
        if self.held_out_fraction >= 1:
            raise ValueError(f"held_out_fraction={self.held_out_fraction}; must be below 1")

    @abstractmethod
    def read(self) -> tuple[str, ...]:
        """All documents, in order.

        Raises:
            InputError: If they cannot be read, or there are none.
        """

    def build(self, seed: int) -> "TextCorpus":
        """The documents, split and shuffled by a seed.

        Raises:
            InputError: If they cannot be read, or are too few for two parts.
        """
        texts = self.read()
        distinct = list(dict.fromkeys(texts))
        n_held_out = math.ceil(self.held_out_fraction * len(distinct))
        if n_held_out == len(distinct):
            raise InputError(
                f"data.held_out_fraction={self.held_out_fraction:g} of {len(distinct)} distinct "
                "documents leaves none to train on; give more documents, or hold out 0"
            )
        order = stream(seed, "held-out texts").permutation(len(distinct))
        held_out = {distinct[i] for i in order[:n_held_out]}
        is_held_out = np.array([text in held_out for text in texts])
        return TextCorpus(self, seed, texts, is_held_out)


@dataclass(frozen=True, eq=False, repr=False)
class TextCorpus(OneLine):
    """Documents of natural text.

    Attributes:
        config: The configuration that it was built from.
        seed: Seed of the split, and of every epoch's order.
        all_texts: All documents, in the order of their source.
        is_held_out: Which of them are held out.
    """

    config: TextCorpusConfig
    seed: int
    all_texts: tuple[str, ...]
    is_held_out: Bool[np.ndarray, " texts"]

    def texts(self, part: Part | str) -> list[str]:
        """The documents of a part, in the order of their source.

        Raises:
            ValueError: If there is no such part.
        """
        return [self.all_texts[i] for i in self._numbers(part)]

    def required(self, part: Part) -> list[str]:
        """The documents of a part that must not be empty.

        Raises:
            InputError: If it is.
        """
        found = self.texts(part)
        if not found:
            raise InputError(
                f"data.held_out_fraction={self.config.held_out_fraction:g} leaves no {part.value} "
                "documents to measure; hold some out"
            )
        return found

    def documents(self, part: Part | str) -> Documents:
        """The same documents as tokens.

        Raises:
            ValueError: If there is no such part.
        """
        return self._assembled(self._numbers(part))

    def annotated(self, n_tokens: int) -> AnnotatedDocuments:
        """Held-out documents with the class of every token; see ``annotated_texts``."""
        rows, pieces, n_found = [], [], 0
        for text in self.required(Part.held_out):
            tokens, spans = self.vocabulary.encode_all([text])[0]
            rows.append(np.concatenate([[self.vocabulary.eos], tokens]).astype(np.int64))
            pieces.append(["", *(text[first:last] for first, last in spans.tolist())])
            n_found += len(rows[-1])
            if n_found >= n_tokens:
                break
        return annotated_texts(rows, pieces)

    @cached_property
    def vocabulary(self) -> Vocabulary:
        """The tokens of all documents, including those held out."""
        return Vocabulary.build(self.config.tokenizer, self.all_texts)

    @property
    def n_documents(self) -> int:
        """Documents to train on."""
        return len(self.is_held_out) - int(self.is_held_out.sum())

    @property
    def n_epochs(self) -> int:
        """Times each training document is seen."""
        return self.config.exposures

    @property
    def entropy_bits(self) -> float:
        """An upper bound: entropy of all documents if their bytes were independent.

        The entropy of natural text is not known.
        """
        content = "".join(self.all_texts).encode()
        counts = np.bincount(np.frombuffer(content, dtype=np.uint8))
        counts = counts[counts > 0]
        return float(counts @ np.log2(counts.sum() / counts))

    def fingerprint(self) -> str:
        """SHA-256 over the documents, their tokenizer and the split."""
        settings = (self.config.tokenizer.value, self.config.held_out_fraction, self.seed)
        found = hashlib.sha256(repr(settings).encode())
        for text in self.all_texts:
            found.update(hashlib.sha256(text.encode()).digest())
        return found.hexdigest()

    def epoch(self, number: int, first: int, last: int) -> Documents:
        """Documents ``first`` to ``last - 1`` of the epoch's shuffled order."""
        order = stream(self.seed, "epoch", number, "texts").permutation(self.n_documents)
        return self._assembled(self._numbers(Part.train)[order[first:last]])

    def _numbers(self, part: Part | str) -> Int64[np.ndarray, " part"]:
        return np.flatnonzero(self.is_held_out == (Part(part) is Part.held_out))

    def _assembled(self, numbers: Int64[np.ndarray, " documents"]) -> Documents:
        rows = numbers[:, None].astype(np.int32)
        return assemble(rows, self._pieces, self.vocabulary.eos)

    @cached_property
    def _pieces(self) -> Pieces:
        return Pieces(self.vocabulary, self.all_texts)
