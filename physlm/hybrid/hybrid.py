"""A language model and a database of the texts that it was trained on, used together."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from physlm.data.people.question_vocabulary import ANSWER
from physlm.data.tasks.task import BETWEEN, HINT, HINT_END
from physlm.data.tokens import Vocabulary
from physlm.errors import refused_values
from physlm.eval.generate import generate
from physlm.eval.sampling import Sampling
from physlm.hybrid.database import Database, Document
from physlm.hybrid.grounded import grounded
from physlm.hybrid.router import Method, Router
from physlm.models.language_model import LanguageModel


class HybridAnswer(NamedTuple):
    """An answer, and where it is from.

    Attributes:
        text: The answer; empty if there is none.
        method: How it was found.
        facts: The facts that were written before it; empty without any.
        citations: The documents that it is based on; empty for answers of the model alone.
        n_tokens: Tokens that the model read and wrote.
    """

    text: str
    method: Method
    facts: str
    citations: tuple[Document, ...]
    n_tokens: int


@dataclass(frozen=True)
class Hybrid:
    """Answers questions by the model, by the database, or by both.

    Attributes:
        model: A model that answers questions, and writes facts first when prompted for a hint.
        vocabulary: Its tokens.
        database: The documents.
        router: Chooses the method.
        values: Known answers to questions of each kind, which are looked for in documents.
        max_new_tokens: Most tokens of facts and answer together.
        batch_size: Questions answered at once.
    """

    model: LanguageModel
    vocabulary: Vocabulary
    database: Database
    router: Router
    values: Mapping[str, frozenset[str]] = field(default_factory=dict)
    max_new_tokens: int = 64
    batch_size: int = 128

    def ask(self, question: str) -> HybridAnswer:
        """The answer to one question.

        Raises:
            InputError: If the model does not know a word of it.
        """
        return self.answers([question])[0]

    def answers(self, questions: Sequence[str], method: Method | None = None) -> list[HybridAnswer]:
        """The answers to questions.

        Args:
            questions: Texts.
            method: How to answer all of them; None for the router's choice.

        Raises:
            InputError: If the model does not know a word.
        """
        chosen = [
            self.router.method(question) if method is None else method for question in questions
        ]
        found: dict[int, HybridAnswer] = {}
        for one in Method:
            places = [i for i, own in enumerate(chosen) if own is one]
            if places:
                answered = self._by(one, [questions[i] for i in places])
                found |= dict(zip(places, answered, strict=True))
        return [found[i] for i in range(len(questions))]

    def _by(self, method: Method, questions: Sequence[str]) -> list[HybridAnswer]:
        if method is Method.database:
            return [self._looked_up(question) for question in questions]
        if method is Method.grounded:
            return self._grounded(questions)
        prompts = self._prompts(questions, HINT if method is Method.hint else ANSWER)
        sampling = self._sampling
        generated = generate(self.model, prompts, sampling, seed=0)
        return [
            self._answer(method, tokens, len(prompt), ())
            for prompt, tokens in zip(prompts, generated.tokens, strict=True)
        ]

    def _looked_up(self, question: str) -> HybridAnswer:
        """A value in the document of the named person; the title if the question names nobody."""
        documents = self.database.about(question)
        if not documents:
            return HybridAnswer("", Method.database, "", (), 0)
        best = documents[0]
        is_named = best.title in question
        known = self.values.get(self.router.kind(question), frozenset())
        values = [value for value in known if value in best.text] if is_named else [best.title]
        text = max(sorted(values), key=len, default="")
        return HybridAnswer(text, Method.database, "", tuple(documents), 0)

    def _grounded(self, questions: Sequence[str]) -> list[HybridAnswer]:
        documents = [self.database.about(question) for question in questions]
        prompts = self._prompts(questions, HINT)
        encode = self.vocabulary.encode
        written = grounded(
            self.model,
            prompts,
            [[self.vocabulary.encode_document(d.text)[1:] for d in own] for own in documents],
            between=encode(BETWEEN),
            end=encode(HINT_END),
            sampling=self._sampling,
        )
        return [
            self._answer(Method.grounded, tokens, len(prompt), tuple(own))
            for prompt, tokens, own in zip(prompts, written, documents, strict=True)
        ]

    def _answer(
        self, method: Method, tokens: np.ndarray, n_read: int, citations: tuple[Document, ...]
    ) -> HybridAnswer:
        text = self.vocabulary.decode(tokens)
        facts, separator, rest = text.partition(HINT_END)
        if not separator:
            facts, rest = "", "" if method is not Method.model else text
        n_tokens = n_read + len(tokens)
        return HybridAnswer(rest.strip(), method, facts.strip(), citations, n_tokens)

    def _prompts(self, questions: Sequence[str], last: str) -> list[np.ndarray]:
        with refused_values():  # words that the model does not know
            return [self.vocabulary.encode_document(question + last) for question in questions]

    @property
    def _sampling(self) -> Sampling:
        return Sampling(
            max_new_tokens=self.max_new_tokens,
            eos=self.vocabulary.eos,
            temperature=0.0,
            batch_size=self.batch_size,
        )
