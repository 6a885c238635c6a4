"""A checkpoint of `transformers`, which reads and writes text with its own tokenizer."""

from collections.abc import Iterable, Sequence

import numpy as np

from physlm.analysis.lenses.state_pool import Windows
from physlm.errors import InputError
from physlm.models.language_model import LanguageModel
from physlm.models.pretrained_text import PretrainedText
from physlm.report.exploration.lens_windows import begins_alike, windows_of
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
        """The text of a sequence of tokens."""
        return str(self.text.tokenizer.decode(list(tokens)))

    def texts_of(self, tokens: Iterable[int]) -> dict[int, str]:
        """The text of each token by itself."""
        return self.text.texts_of(tokens)

    def continuation(self, tokens: Sequence[int], max_tokens: int) -> list[int]:
        """The greedy continuation of tokens, without its end-of-text."""
        return self.text.continuation(tokens, max_tokens)

    def lens_windows(self, analysed: Sequence[int], texts: Sequence[str] | None) -> Windows:
        """The first tokens of given texts, without those that begin as the analysed one does."""
        if texts is None:
            raise InputError(
                f"{self.name} is a checkpoint, without documents of its own; name a file with "
                "other texts by --lens-texts, or use --lens logit"
            )
        rows, n_left = [], _LENS_TOKENS
        for text in texts:
            row = np.array(self.text.tokens_of(text)[:n_left], dtype=np.int64)
            if len(row) and not begins_alike(row, analysed):
                rows.append(row)
                n_left -= len(row)
        if not rows:
            raise InputError("--lens-texts has no text but the analysed one; give others")
        return windows_of(rows, min(self.model.longest_window or _LENS_WINDOW, _LENS_WINDOW))
