"""Questions about public figures as a corpus, to train models on."""

import hashlib
import math
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np

from physlm.data.corpus import DataConfig, Documents, OneLine
from physlm.data.people.assembly import assemble
from physlm.data.public.figures import figures
from physlm.data.public.questions import TASKS, line_of, reasoned
from physlm.data.tokens import Pieces, TokenizerName, Vocabulary
from physlm.registry import register
from physlm.rng import stream


@register("data", "public_figures")
@dataclass(kw_only=True, slots=True)
class PublicFiguresConfig(DataConfig):
    """Questions about public figures; an epoch asks once for every date, year and place.

    Published models know these people from their pretraining. A model that is trained here learns
    the forward questions; manipulation and inverse questions are held out.
    """

    has_texts: ClassVar[bool] = True

    exposures: int = 100
    seq_len: int = 256
    tokenizer: TokenizerName = TokenizerName.compact

    def build(self, seed: int) -> "PublicFiguresCorpus":
        """The corpus in the order of a seed."""
        return PublicFiguresCorpus(self, seed)


@dataclass(frozen=True, repr=False)
class PublicFiguresCorpus(OneLine):
    """QA documents: end-of-text, a question and its answer.

    Attributes:
        config: The configuration that it was built from.
        seed: Seed of every epoch's order.
    """

    config: PublicFiguresConfig
    seed: int

    @cached_property
    def vocabulary(self) -> Vocabulary:
        """The tokens of all questions, hints and answers, including the held-out ones."""
        people = figures()
        others = (*people[1:], people[0])
        questions = [
            task.ask(figure, other, phrasing)
            for task in TASKS
            for phrasing in range(task.n_phrasings)
            for figure, other in zip(people, others, strict=True)
        ]
        # Hints stand before questions, and within answers.
        texts = [f"{q.hint}\n{line_of(q.text, reasoned(q))}\n" for q in questions]
        return Vocabulary.build(self.config.tokenizer, texts)

    @property
    def n_documents(self) -> int:
        """Questions in one epoch."""
        return len(self._texts)

    @property
    def n_epochs(self) -> int:
        """Times each question occurs in training."""
        return self.config.exposures

    @property
    def entropy_bits(self) -> float:
        """Entropy of dates and places, if dates were uniform over their range and places too."""
        people = figures()
        n_dates = (people[-1].birth_date - people[0].birth_date).days + 1
        n_places = len({figure.birthplace for figure in people})
        return len(people) * (math.log2(n_dates) + math.log2(n_places))

    def fingerprint(self) -> str:
        """SHA-256 over the texts, their tokens and the seed."""
        content = (self._texts, self.config.tokenizer.value, self.seed)
        return hashlib.sha256(repr(content).encode()).hexdigest()

    def epoch(self, number: int, first: int, last: int) -> Documents:
        """Questions ``first`` to ``last - 1`` of the epoch's shuffled order."""
        order = stream(self.seed, "epoch", number, "public figures").permutation(self.n_documents)
        rows = order[first:last, None].astype(np.int32)
        return assemble(rows, self._pieces, self.vocabulary.eos)

    @cached_property
    def _texts(self) -> tuple[str, ...]:
        trained = [task for task in TASKS if task.is_trained]
        questions = [task.ask(figure, figure) for figure in figures() for task in trained]
        return tuple(line_of(question.text, question.answer) for question in questions)

    @cached_property
    def _pieces(self) -> Pieces:
        return Pieces(self.vocabulary, self._texts)
