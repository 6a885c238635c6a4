"""The model of a trained run, which reads and writes the words of its corpus."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool, Int

from physlm.analysis.lenses.state_pool import Windows
from physlm.config import recorded
from physlm.data.corpus import Corpus, Documents
from physlm.data.mixture import part_of
from physlm.data.people.knowledge import KnowledgeCorpus
from physlm.data.people.sentences import Biographies
from physlm.data.tokens import END_OF_TEXT
from physlm.errors import InputError
from physlm.eval.generate import generate
from physlm.eval.sampling import Sampling
from physlm.models.language_model import LanguageModel
from physlm.preparation import World, trained_world
from physlm.report.exploration.subject import Subject
from physlm.run_directory import RunDirectory
from physlm.train.runtime import Device
from physlm.watching import tell

_LENS_TOKENS = 2**14


def world_of(path: Path) -> World:
    """The trained model of a run directory and its corpus, on whatever device there is.

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
        corpus: Its corpus, of whose documents those of the first epoch are read.
    """

    def __init__(self, name: str, model: LanguageModel, corpus: Corpus) -> None:
        super().__init__(name, model)
        self.corpus, self.vocabulary = corpus, corpus.vocabulary

    def tokens_of(self, text: str) -> list[int]:
        """Token ids of a text as a document, which begins with an end-of-text."""
        parts = text.removeprefix(END_OF_TEXT).split(END_OF_TEXT)
        return [token for part in parts for token in (self.vocabulary.eos, *self._words(part))]

    def _words(self, text: str) -> list[int]:
        """Token ids of words, the first of which may be known with a space before it only."""
        try:
            return _listed(self.vocabulary.encode(text))
        except ValueError as error:
            try:
                return _listed(self.vocabulary.encode(f" {text}"))
            except ValueError:
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
            tell(f"note: of the {len(tokens)} tokens of the document, the model reads {longest}")
        return tokens[:longest]

    def text_of(self, tokens: Sequence[int]) -> str:
        """The text of tokens that follow each other."""
        return self.vocabulary.decode(np.array(tokens, dtype=np.int64))

    def texts_of(self, tokens: Iterable[int]) -> dict[int, str]:
        """The text of each token by itself."""
        return {token: self.text_of([token]) for token in set(tokens)}

    def continuation(self, tokens: Sequence[int], max_tokens: int) -> list[int]:
        """The likeliest next tokens, one after the other, without an end-of-text."""
        greedy = Sampling(max_new_tokens=max_tokens, eos=self.vocabulary.eos, temperature=0.0)
        return _listed(generate(self.model, [list(tokens)], greedy, seed=0).tokens[0])

    def lens_windows(self, analysed: Sequence[int], texts: Path | None) -> Windows:
        """Documents of the first epoch, without the analysed one and those of the same people."""
        if texts is not None:
            raise InputError(
                f"--lens-texts {texts}: {self.name} is a run, whose lens is fitted on documents of "
                "its own world; leave it out"
            )
        length = len(self.corpus.epoch(0, 0, 1).tokens)
        n_documents = min(self.corpus.n_documents, math.ceil(_LENS_TOKENS / length))
        documents = self.corpus.epoch(0, 0, n_documents)
        is_other = self._is_other(documents, analysed)
        if not is_other.any():
            raise InputError(
                f"{self.name}: the world has no documents but the analysed one; use --lens logit"
            )
        part = slice(0, self.model.longest_window)
        rows = documents.rows(self.vocabulary.eos)[is_other, part].astype(np.int64)
        lengths = np.diff(documents.starts)[is_other]
        is_visible = np.arange(rows.shape[1]) < lengths[:, None]
        return Windows(torch.from_numpy(rows), torch.from_numpy(is_visible))

    def _is_other(
        self, documents: Documents, analysed: Sequence[int]
    ) -> Bool[np.ndarray, " documents"]:
        """Which documents neither begin with the analysed text nor are about its people."""
        rows = documents.rows(self.vocabulary.eos)
        begun = np.array(analysed)[: rows.shape[1]]
        is_other: np.ndarray = (rows[:, : len(begun)] != begun).any(axis=1)
        people = part_of(self.corpus, KnowledgeCorpus)
        if people is None or not isinstance(documents, Biographies):
            return is_other
        text = self.text_of(analysed)
        named = [i for i, parts in enumerate(people.name_parts()) if " ".join(parts) in text]
        return is_other & ~np.isin(documents.people, named)


def _listed(tokens: Int[np.ndarray, " tokens"]) -> list[int]:
    return [int(token) for token in tokens]
