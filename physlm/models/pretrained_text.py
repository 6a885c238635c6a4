"""Text input and output of a `transformers` model, with its own tokenizer."""

import itertools
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from tokenizers.models import WordLevel

from physlm.errors import InputError
from physlm.models.answering import Answering, in_batches
from physlm.models.pretrained_weights import quiet, reading, transformers
from physlm.models.thoughts import ends_within_thoughts, without_thoughts

_TOKENIZERS = ("tokenizer.json", "tokenizer_config.json", "tokenizer.model", "vocab.json")
_CONTEXT = 8  # tokens that decide how the next one is written
_INCOMPLETE = "\ufffd"  # how a character with missing bytes is decoded
_SPACE = "\u2581"  # in pieces of SentencePiece, whose decoder drops a text's first space
# Some chat templates state the date; a result must not depend on the day of the run.
_ONE_DAY = "{% macro strftime_now(format) %}26 Jul 2024{% endmacro %}"


def tokenizer_of(folder: Path) -> Any:
    """The tokenizer of a checkpoint.

    Raises:
        InputError: If the folder has none, or it cannot be read.
    """
    if not any((folder / name).is_file() for name in _TOKENIZERS):
        raise InputError(f"{folder} has no tokenizer.json; save the model's tokenizer there")
    with reading(folder):
        tokenizer = transformers().AutoTokenizer.from_pretrained(
            folder, local_files_only=True, trust_remote_code=False
        )
        _templated(tokenizer, "")
    return tokenizer


class PretrainedText(Answering):
    """A causal model that reads and writes text.

    Args:
        tokenizer: Tokenizer of the model.
        model: Model of `transformers`.
        folder: Where both are from, for errors.
        longest_window: Tokens that the model can read at once; None for no limit.

    Raises:
        InputError: If the tokenizer has no token for padding.
    """

    def __init__(
        self, tokenizer: Any, model: Any, folder: Path, longest_window: int | None
    ) -> None:
        self.tokenizer, self.model, self.longest_window = tokenizer, model, longest_window
        tokenizer.padding_side = "left"
        if tokenizer.pad_token is None:
            if tokenizer.eos_token is None:
                raise InputError(
                    f"{folder}: its tokenizer has neither a pad nor an eos token; set one in "
                    "tokenizer_config.json"
                )
            tokenizer.pad_token = tokenizer.eos_token
        self.ends = _ends(model.generation_config, tokenizer)

    def encode_plain(self, text: str) -> list[int]:
        """Token ids of a text that continues another, without special tokens.

        Raises:
            InputError: If the vocabulary lacks one of its words.
        """
        return self._ids(text, add_special_tokens=False)

    def pieces(self, ids: Sequence[int]) -> list[str]:
        """The text that each token adds to those before it; empty for special tokens.

        A character of several tokens is at the last of them.
        """
        found = []
        for end in range(1, len(ids) + 1):
            first = max(0, end - _CONTEXT)
            before, after = (
                self.tokenizer.decode(ids[first:last], skip_special_tokens=True)
                for last in (end - 1, end)
            )
            found.append(after[len(before.rstrip(_INCOMPLETE)) :].rstrip(_INCOMPLETE))
        return found

    def require_reads(self, texts: Sequence[str], max_tokens: int) -> None:
        """Require that the tokenizer preserves the texts and that texts and answers fit the model.

        Raises:
            InputError: If a text is not preserved, or is too long.
        """
        for text, row in zip(texts, self._rows(texts), strict=True):
            self._require_preserved(text, row)
        self.require_fits(texts, max_tokens, "lower n_shots or max_new_tokens")

    def require_fits(self, texts: Sequence[str], max_tokens: int, remedy: str) -> None:
        """Require that the model has the texts' tokens, and positions for texts and answers.

        Args:
            texts: The prompts.
            max_tokens: Maximum number of tokens of each answer.
            remedy: How to shorten texts and answers, for the error.

        Raises:
            InputError: If it lacks tokens or positions.
        """
        rows = self._rows(texts)
        longest, largest = max(map(len, rows)) + max_tokens, max(map(max, rows))
        if self.longest_window is not None and longest > self.longest_window:
            raise InputError(
                f"questions and answers have up to {longest} tokens, but this model reads "
                f"{self.longest_window}; {remedy}"
            )
        self._require_embedded(max(largest, self.tokenizer.pad_token_id))

    def require_words(self, texts: Iterable[str]) -> None:
        """Require a token for every word, where the tokenizer has tokens for some words only.

        Args:
            texts: Read until the first that lacks one; not at all by tokenizers that spell words.

        Raises:
            InputError: If there is none.
        """
        if self._has_words_only:
            for text in texts:
                self._ids(text)

    def tokens_of(self, text: str) -> list[int]:
        """Token ids of a text as it is, without chat template, after the tokens that begin a text.

        Raises:
            InputError: If the text has no tokens, or the tokenizer is not that of the model.
        """
        with quiet():  # it warns of texts that are longer than a window
            row = self._ids(text)
        if not row:
            raise InputError(f"the text {text!r} has no tokens; give at least one word")
        self._require_preserved(text, row)
        self._require_embedded(max(row))
        return row

    def texts_of(self, tokens: Iterable[int]) -> dict[int, str]:
        """The text of each token by itself, with its space; its piece if it is part of a letter."""
        ids = sorted(set(tokens))
        pieces = [str(piece) for piece in self.tokenizer.convert_ids_to_tokens(ids)]
        texts = self.tokenizer.batch_decode([[token] for token in ids], skip_special_tokens=False)
        return dict(zip(ids, map(_text_of_piece, pieces, texts), strict=True))

    @torch.inference_mode()
    def continuation(self, tokens: Sequence[int], max_tokens: int) -> list[int]:
        """The likeliest next tokens, one after the other, without the one that ends the text."""
        prompt = torch.tensor([tokens], device=self.model.device)
        written = self.model.generate(
            prompt,
            attention_mask=torch.ones_like(prompt),
            generation_config=self._decoding(max_tokens, 0.0),
        )
        new: list[int] = written[0, len(tokens) :].tolist()
        return list(itertools.takewhile(lambda token: token not in (self.ends or ()), new))

    def answers_of(
        self, prompts: Sequence[str], *, max_tokens: int, batch_size: int
    ) -> Iterator[tuple[int, str | None]]:
        """Greedy answers, a batch at a time; see `Answering`."""
        for batch in in_batches(prompts, batch_size):
            numbers, texts = zip(*batch, strict=True)
            yield from zip(numbers, self.answers(texts, max_tokens=max_tokens), strict=True)

    def write(
        self, prompts: Sequence[str], *, max_tokens: int, temperature: float = 0.0, seed: int = 0
    ) -> list[str]:
        """As `answers`, with an empty text for an answer that was cut off in its thoughts."""
        answers = self.answers(prompts, max_tokens=max_tokens, temperature=temperature, seed=seed)
        return [answer or "" for answer in answers]

    @torch.inference_mode()
    def answers(
        self, prompts: Sequence[str], *, max_tokens: int, temperature: float = 0.0, seed: int = 0
    ) -> list[str | None]:
        """The model's continuation of each prompt, or its reply if it has a chat template.

        An answer ends at the end tokens of ``generation_config.json`` and of the tokenizer. All
        other decoding settings of the folder are ignored.

        Args:
            prompts: The prompts, which are read together.
            max_tokens: Maximum number of tokens of each answer, thoughts included.
            temperature: Temperature of sampling among all tokens; 0 takes the likeliest one.
            seed: Seed of sampling.

        Returns:
            Texts without thoughts; None where the model was still thinking after ``max_tokens``.
        """
        texts = [_templated(self.tokenizer, prompt) for prompt in prompts]
        read = self.tokenizer(texts, return_tensors="pt", padding=True, **self._special)
        read = read.to(self.model.device)
        with torch.random.fork_rng(devices=[0] if self.model.device.type == "cuda" else []):
            torch.manual_seed(seed)
            decoding = self._decoding(max_tokens, temperature)
            written = self.model.generate(**read, generation_config=decoding)
        new = written[:, read["input_ids"].shape[1] :]
        plain: list[str] = self.tokenizer.batch_decode(new, skip_special_tokens=True)
        whole: list[str] = self.tokenizer.batch_decode(new, skip_special_tokens=False)
        return [self._answer(*found) for found in zip(texts, plain, whole, strict=True)]

    def _decoding(self, max_tokens: int, temperature: float) -> Any:
        """All decoding settings."""
        # The library fills unset values from the folder's generation_config, which is cleared here.
        settings = transformers().GenerationConfig
        self.model.generation_config = settings()
        sampling = {"temperature": temperature, "top_k": 0, "top_p": 1.0} if temperature else {}
        return settings(
            do_sample=temperature > 0,
            num_beams=1,
            max_new_tokens=max_tokens,
            eos_token_id=self.ends,
            pad_token_id=self.tokenizer.pad_token_id,
            **sampling,
        )

    def _answer(self, prompt: str, plain: str, whole: str) -> str | None:
        """The answer without special tokens and thoughts."""
        answer = without_thoughts(whole, is_thinking=ends_within_thoughts(prompt))
        if answer is None or answer == whole:
            return None if answer is None else plain
        for token in self.tokenizer.all_special_tokens:
            answer = answer.replace(token, "")
        return answer

    def _require_preserved(self, text: str, row: list[int]) -> None:
        """Require that a text's tokens hold all of its letters and digits."""
        if _letters(text) not in _letters(read := self.tokenizer.decode(row)):
            raise InputError(
                f"the model's tokenizer reads {text[-60:]!r} as {read[-60:]!r}; save the whole "
                "tokenizer in the checkpoint's folder"
            )

    def _require_embedded(self, token: int) -> None:
        """Require that the model has a token."""
        n_embedded = self.model.get_input_embeddings().num_embeddings
        if token >= n_embedded:
            raise InputError(
                f"the model's tokenizer has token {token}, but the model only {n_embedded} tokens; "
                "save the tokenizer of this model in its folder"
            )

    def _rows(self, texts: Sequence[str]) -> list[list[int]]:
        """The tokens of each prompt, with the chat template applied."""
        return [self._ids(_templated(self.tokenizer, text), **self._special) for text in texts]

    def _ids(self, text: str, **options: bool) -> list[int]:
        """The tokens of a text, if there is one for each of its words."""
        try:
            ids: list[int] = self.tokenizer(text, **options)["input_ids"]
        except Exception as error:  # of no other type in tokenizers
            if not self._has_words_only:
                raise
            raise InputError(
                f"its tokenizer has no token for {_unknown_word(self.tokenizer, text)!r}, in "
                f"{text[:60]!r}; give texts in the words that the model was trained on"
            ) from error
        return ids

    @cached_property
    def _has_words_only(self) -> bool:
        """Whether a word that the vocabulary lacks is an error of the tokenizer."""
        model = getattr(getattr(self.tokenizer, "backend_tokenizer", None), "model", None)
        return isinstance(model, WordLevel) and model.token_to_id(model.unk_token) is None

    @property
    def _special(self) -> dict[str, bool]:
        """Tokenizer option: a chat template writes special tokens itself."""
        return {"add_special_tokens": not self.tokenizer.chat_template}


def _templated(tokenizer: Any, prompt: str) -> str:
    """The prompt in the model's chat template, if there is one."""
    if not tokenizer.chat_template:
        return prompt
    chat: str = tokenizer.apply_chat_template(
        [{"role": "user", "content": prompt}],
        tokenize=False,
        add_generation_prompt=True,
        enable_thinking=False,
        chat_template=_ONE_DAY + tokenizer.get_chat_template(),
    )
    return chat


def _ends(decoding: Any, tokenizer: Any) -> list[int] | None:
    """The tokens that end an answer."""
    eos = decoding.eos_token_id
    ends = {*(eos if isinstance(eos, list) else [eos]), tokenizer.eos_token_id}
    return sorted(ends - {None}) or None


def _unknown_word(tokenizer: Any, text: str) -> str:
    """The first word of a text that a vocabulary of words lacks."""
    known = tokenizer.get_vocab()
    added = "|".join(map(re.escape, tokenizer.get_added_vocab()))
    parts = re.split(added, text) if added else [text]
    split = tokenizer.backend_tokenizer.pre_tokenizer.pre_tokenize_str
    words = (str(word) for part in parts for word, _ in split(part))
    return next(word for word in words if word not in known)


def _text_of_piece(piece: str, text: str) -> str:
    """A token's own text, which is not always what a tokenizer decodes it to alone."""
    if "\ufffd" in text:  # some bytes of a letter
        return piece
    return f" {text}" if piece.startswith(_SPACE) and not text.startswith(" ") else text


def _letters(text: str) -> str:
    """The letters and digits of a text, without case and accents, which tokenizers may change."""
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    return "".join(letter for letter in decomposed if letter.isalnum())
