"""A checkpoint of `transformers`, which reads and writes text with its own tokenizer."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import torch

from physlm.analysis.lenses.state_pool import Windows
from physlm.errors import InputError
from physlm.models.language_model import LanguageModel
from physlm.models.pretrained_text import PretrainedText
from physlm.report.exploration.subject import Subject

_LENS_TOKENS, _LENS_WINDOW = 2**16, 512


class CheckpointSubject(Subject):
    """A model with a tokenizer of its own.

    Args:
        name: What it is called in titles.
        model: The model.
        text: Its tokenizer and generation.
    """

    def __init__(self, name: str, model: LanguageModel, text: PretrainedText) -> None:
        super().__init__(name, model)
        self.text = text

    def tokens_of(self, text: str) -> list[int]:
        """Token ids of a text, with the special tokens that the tokenizer adds."""
        return self.text.tokens_of(text)

    def text_of(self, tokens: Sequence[int]) -> str:
        """The text of tokens that follow each other."""
        return str(self.text.tokenizer.decode(list(tokens)))

    def texts_of(self, tokens: Iterable[int]) -> dict[int, str]:
        """The text of each token by itself."""
        return self.text.texts_of(tokens)

    def continuation(self, tokens: Sequence[int], max_tokens: int) -> list[int]:
        """The likeliest next tokens, one after the other, without an end-of-text."""
        return self.text.continuation(tokens, max_tokens)

    def lens_windows(self, analysed: Sequence[int], texts: Path | None) -> Windows:  # noqa: ARG002
        """The first tokens of a text file, in windows."""
        if texts is None:
            raise InputError(
                f"{self.name} is a checkpoint, without documents of its own; name a file with "
                "other texts by --lens-texts, or use --lens logit"
            )
        try:
            content = texts.read_text(encoding="utf-8")
        except ValueError as error:
            raise InputError(f"--lens-texts {texts} is no text in UTF-8 ({error})") from error
        tokens = torch.tensor(self.text.tokens_of(content)[:_LENS_TOKENS])
        longest = min(self.model.longest_window or _LENS_WINDOW, _LENS_WINDOW, len(tokens))
        n_windows = len(tokens) // longest
        return Windows(tokens[: n_windows * longest].view(n_windows, longest))
