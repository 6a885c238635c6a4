"""The model of a trained run, which reads and writes the words of its corpus."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from jaxtyping import Int

from physlm.analysis.lenses.state_pool import Windows
from physlm.config import recorded
from physlm.data.annotation import annotated
from physlm.data.corpus import Corpus
from physlm.data.tokens import END_OF_TEXT
from physlm.errors import InputError
from physlm.eval.generate import generate
from physlm.eval.sampling import Sampling
from physlm.models.language_model import LanguageModel
from physlm.preparation import World, trained_world
from physlm.report.exploration.lens_windows import begins_alike, windows_of
from physlm.report.exploration.subject import Subject
from physlm.run_directory import RunDirectory
from physlm.train.runtime import Device
from physlm.watching import tell

_LENS_TOKENS = 2**14


def world_of(path: Path) -> World:
    """The trained model of a run directory and its corpus, on a GPU if there is one.

    Raises:
        InputError: If this version of physlm builds another world, or the weights have changed.
    """
    config = recorded(path)
    runtime = replace(config.runtime, device=Device.auto, n_devices=1, n_nodes=1)
    return trained_world(replace(config, runtime=runtime), RunDirectory(path))


class RunSubject(Subject):
    """A model that was trained on a corpus.

    Args:
        name: What it is called in titles.
        model: The model.
        corpus: Its corpus; documents of the first epoch are read by number.
    """

    def __init__(self, name: str, model: LanguageModel, corpus: Corpus) -> None:
        super().__init__(name, model)
        self.corpus, self.vocabulary = corpus, corpus.vocabulary

    def tokens_of(self, text: str) -> list[int]:
        """Token ids of a text as a document, which begins with an end-of-text."""
        parts = text.removeprefix(END_OF_TEXT).split(END_OF_TEXT)
        try:
            return [t for part in parts for t in _listed(self.vocabulary.encode_document(part))]
        except ValueError as error:
            raise InputError(
                f"{error}; use its words, or --document N for one of its documents"
            ) from error

    def document(self, number: int) -> list[int]:
        """Token ids of a document of the first epoch, or of its beginning that fits the window."""
        if not 0 <= number < self.corpus.n_documents:
            raise InputError(
                f"--document {number}; an epoch has documents 0 to {self.corpus.n_documents - 1}"
            )
        tokens = _listed(self.corpus.epoch(0, number, number + 1).tokens)
        longest = self.model.longest_window or len(tokens)
        if longest < len(tokens):
            tell(
                f"note: the document has {len(tokens)} tokens; the model reads the first {longest}"
            )
        return tokens[:longest]

    def text_of(self, tokens: Sequence[int]) -> str:
        """The text of a sequence of tokens."""
        return self.vocabulary.decode(np.array(tokens, dtype=np.int64))

    def texts_of(self, tokens: Iterable[int]) -> dict[int, str]:
        """The text of each token by itself."""
        return {token: self.text_of([token]) for token in set(tokens)}

    def continuation(self, tokens: Sequence[int], max_tokens: int) -> list[int]:
        """The greedy continuation of tokens, without its end-of-text."""
        greedy = Sampling(max_new_tokens=max_tokens, eos=self.vocabulary.eos, temperature=0.0)
        return _listed(generate(self.model, [list(tokens)], greedy, seed=0).tokens[0])

    def lens_windows(self, analysed: Sequence[int], texts: Sequence[str] | None) -> Windows:
        """Documents of the world that share no subject with the analysed text."""
        if texts is not None:
            raise InputError(
                f"--lens-texts: {self.name} is a run, whose lens is fitted on documents of its own "
                "world; leave it out"
            )
        found = annotated(self.corpus, _LENS_TOKENS)
        rows = np.split(found.documents.tokens, found.documents.starts[1:-1])
        text = self.text_of(analysed)
        named = [name for name in found.names if name in text]
        is_same = [begins_alike(row, analysed) or self._names_any(row, named) for row in rows]
        is_other = ~np.isin(found.groups, found.groups[is_same])
        if not is_other.any():
            raise InputError(
                f"{self.name}: every document of the world shares a subject with the text, so that "
                "none is left to fit a lens on; use --lens logit"
            )
        kept = [row for row, is_kept in zip(rows, is_other, strict=True) if is_kept]
        return windows_of(kept, self.model.longest_window)

    def _names_any(self, row: Int[np.ndarray, " tokens"], names: Sequence[str]) -> bool:
        """Whether a document names one of these; a question may be about two people."""
        text = self.text_of(_listed(row)) if names else ""
        return any(name in text for name in names)


def _listed(tokens: Int[np.ndarray, " tokens"]) -> list[int]:
    return [int(token) for token in tokens]
