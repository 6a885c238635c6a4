"""What a model can do with what it knows of people: straight away, and with facts written out."""

from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np
from jaxtyping import Int64

from physlm.data.bio.manipulation import ManipulationCorpus
from physlm.data.bio.tasks import FACTS_END, Exercise, Task
from physlm.data.corpus import Corpus, require_at_least
from physlm.data.mixture import part_of
from physlm.errors import InputError
from physlm.eval.generate import Sampling, generate
from physlm.eval.qa import IN, OUT
from physlm.eval.scorer import ScorerConfig, mean, require_causal, require_window, sample
from physlm.models.language_model import LanguageModel
from physlm.record import Metric
from physlm.registry import register
from physlm.rng import stream


@register("eval", "manipulation")
@dataclass(kw_only=True, slots=True)
class ManipulationScorerConfig(ScorerConfig):
    """Exact match of whole answers, decoded greedily to their end.

    In distribution are people whom training asked about, out of distribution all others; pairs are
    of people of one split. Chance is what the answer that training gave most often is right in.
    Where training wrote facts out, the model is also asked to: ``facts`` says how often they are
    right, whatever comes after them, ``accuracy_with_facts`` how often the answer after them is,
    and ``reliance`` how often, told the facts of somebody else whose answer is another, it gives
    the other's answer. What comes to no end within more tokens than anything right has, with room
    for facts that are twice too long, is cut: ``unfinished`` or ``unfinished_with_facts`` has the
    share.

    Source:
        Physics of Language Models, Part 3.2, sections 3 to 5.
    """

    version: ClassVar[int] = 2
    max_questions: int = 1000  # of each task and split; above that, a sample
    batch_size: int = 512  # questions read at once

    def validate(self) -> None:
        """Every value in its range."""
        require_at_least(self, 1, "max_questions", "batch_size")

    def check(self, model: LanguageModel, corpus: Corpus) -> None:
        """The corpus asks to manipulate, and the model reads and answers it."""
        asked = _questions(corpus)
        require_causal("manipulation", model, "does not answer")
        for task in asked.tasks:
            self._require_questions(task, asked)
            needed = _longest_prompt(task, asked) + _most_new_tokens(
                task, asked, writes_facts=False
            )
            what = f"questions, facts and answers of {task.name}"
            require_window(model, what, needed, n_unread=1)

    def _require_questions(self, task: Task, asked: ManipulationCorpus) -> None:
        """Both splits have questions, of two people where two are compared."""
        for split, people in _splits(task, asked):
            n_asked = min(self.max_questions, len(task.distinct(asked.dossiers, people)))
            if n_asked < task.n_people:
                raise InputError(
                    f"eval.manipulation: {task.name} is about {task.n_people} people, but of those "
                    f"{split} only {n_asked} can be asked about; take more people, a larger "
                    f"data.pool_size, or max_questions={task.n_people} or more"
                )

    def score(self, model: LanguageModel, corpus: Corpus) -> list[Metric]:
        """Each task in both splits, beside chance."""
        asked = _questions(corpus)
        metrics = []
        for task in asked.tasks:
            for split, people in _splits(task, asked):
                rng = stream(asked.world.seed, "questions measured", task.name, split)
                about = sample(task.distinct(asked.dossiers, people), self.max_questions, rng)
                exercise = task.ask(asked.dossiers, _with_others(about, task.n_people, rng))
                accepted = _accepted(task, asked, exercise)
                measured = self._straight(model, asked, task, exercise, accepted)
                commonest = _commonest(task, asked)
                measured["chance"] = [commonest in right for right in accepted]
                if asked.config.facts_share and exercise.facts:
                    measured |= self._with_facts(model, asked, task, exercise, accepted)
                metrics += [
                    mean(f"manipulation/{task.name}/{name}", np.array(values), "share", split=split)
                    for name, values in measured.items()
                ]
        return metrics

    def _straight(
        self,
        model: LanguageModel,
        asked: ManipulationCorpus,
        task: Task,
        exercise: Exercise,
        accepted: list[set[str]],
    ) -> dict[str, list[bool]]:
        """Whether each answer is right."""
        prompts = asked.prompts(exercise, wants_facts=False)
        written = self._written(model, asked, task, prompts)
        return {
            "accuracy": [w.ends_as(right) for w, right in zip(written, accepted, strict=True)],
            "unfinished": [not w.is_ended for w in written],
        }

    def _with_facts(
        self,
        model: LanguageModel,
        asked: ManipulationCorpus,
        task: Task,
        exercise: Exercise,
        accepted: list[set[str]],
    ) -> dict[str, list[bool]]:
        """Whether what is written first is right, the answer after it, and which facts count."""
        prompts = asked.prompts(exercise, wants_facts=True)
        written = self._written(model, asked, task, prompts, writes_facts=True)
        split = [w.split() for w in written]
        facts = asked.texts(exercise.facts)
        measured = {
            "accuracy_with_facts": [
                after.ends_as(right) for (_, after), right in zip(split, accepted, strict=True)
            ],
            "facts": [told.ends_as({fact}) for (told, _), fact in zip(split, facts, strict=True)],
            "unfinished_with_facts": [not w.is_ended for w in written],
        }
        own = asked.texts(exercise.answer)
        others = Exercise(*(tuple(np.roll(c, 1) for c in columns) for columns in exercise))
        theirs = asked.texts(others.answer)
        prompts = asked.prompts_with_facts(exercise, others.facts)
        answers = self._written(model, asked, task, prompts)
        reliance = [
            answer.ends_as({their})
            for answer, our, their in zip(answers, own, theirs, strict=True)
            if our != their
        ]
        return {**measured, **({"reliance": reliance} if reliance else {})}

    def _written(
        self,
        model: LanguageModel,
        asked: ManipulationCorpus,
        task: Task,
        prompts: list[np.ndarray],
        *,
        writes_facts: bool = False,
    ) -> list["_Written"]:
        """What the model writes."""
        sampling = Sampling(
            max_new_tokens=_most_new_tokens(task, asked, writes_facts=writes_facts),
            eos=asked.vocabulary.eos, temperature=0.0, batch_size=self.batch_size,
            is_compiled=model.device.type == "cuda",
        )  # fmt: skip
        written = generate(model, prompts, sampling, seed=0)
        texts = [asked.vocabulary.decode(tokens).strip() for tokens in written.tokens]
        return [_Written(t, bool(e)) for t, e in zip(texts, written.is_ended, strict=True)]


class _Written(NamedTuple):
    """A text, and whether it came to an end before it was cut."""

    text: str
    is_ended: bool

    def split(self) -> tuple["_Written", "_Written"]:
        """Facts, which end where the answer is announced, and the answer after them."""
        facts, announced, answer = self.text.partition(FACTS_END)
        is_ended = self.is_ended or bool(announced)
        return _Written(facts, is_ended), _Written(answer.strip(), self.is_ended)

    def ends_as(self, right: set[str]) -> bool:
        """Whether it is one of the right texts, to its end."""
        return self.is_ended and self.text in right


_AROUND = 8  # tokens at most of the words around facts, and the end


def _most_new_tokens(task: Task, asked: ManipulationCorpus, *, writes_facts: bool) -> int:
    """A limit that no right answer reaches, not even one after facts that are much too long.

    It is of everyone, not of those measured: another person's answer may be right as well.
    """
    everyone = _everyone(task, asked)
    n_facts, n_answer = asked.longest(everyone.facts), asked.longest(everyone.answer)
    # Facts that are told have left their room to the tokens that a model may waste.
    return (1 + writes_facts) * n_facts + n_answer + _AROUND


def _longest_prompt(task: Task, asked: ManipulationCorpus) -> int:
    """Tokens of the longest text that a model is to go on with."""
    # In pairs of everyone with themselves, the longest names and facts stand together.
    people = np.arange(asked.dossiers.n_people)
    exercise = task.ask(asked.dossiers, np.stack([people] * task.n_people, axis=1))
    prompts = asked.prompts(exercise, wants_facts=False)
    if asked.config.facts_share and exercise.facts:
        prompts = asked.prompts_with_facts(exercise, exercise.facts)
    return max(map(len, prompts))


def _splits(
    task: Task, asked: ManipulationCorpus
) -> tuple[tuple[str, Int64[np.ndarray, " people"]], ...]:
    """Whom questions of each split are about."""
    return (IN, asked.train), (OUT, _unasked(task, asked))


def _questions(corpus: Corpus) -> ManipulationCorpus:
    asked = part_of(corpus, ManipulationCorpus)
    if asked is None:
        raise InputError("eval=manipulation measures data=manipulation; use it")
    return asked


def _unasked(task: Task, asked: ManipulationCorpus) -> Int64[np.ndarray, " people"]:
    """People of the tests, but those whose question training asks, too, of somebody like them."""
    if not task.may_fit_several:
        return asked.test
    trained, tested = (
        asked.texts(task.ask(asked.dossiers, people[:, None]).question)
        for people in (asked.train, asked.test)
    )
    return asked.test[~np.isin(tested, trained)]


def _everyone(task: Task, asked: ManipulationCorpus) -> Exercise:
    """A question about everyone, for a comparison with the next one."""
    people = np.arange(asked.dossiers.n_people)
    both = np.stack([people, np.roll(people, 1)], axis=1)
    return task.ask(asked.dossiers, both[:, : task.n_people])


def _with_others(
    people: Int64[np.ndarray, " questions"], n_people: int, rng: np.random.Generator
) -> Int64[np.ndarray, "questions people"]:
    """Each with another one of them."""
    if n_people == 1:
        return people[:, None]
    n = len(people)
    others = people[(np.arange(n) + rng.integers(1, n, n)) % n]
    return np.stack([people, others], axis=1)


def _accepted(task: Task, asked: ManipulationCorpus, exercise: Exercise) -> list[set[str]]:
    """The answers to each question; where several people fit it, those of all of them."""
    answers = asked.texts(exercise.answer)
    if not task.may_fit_several:
        return [{answer} for answer in answers]
    fitting = defaultdict(set)
    everyone = _everyone(task, asked)
    for question, answer in zip(
        asked.texts(everyone.question), asked.texts(everyone.answer), strict=True
    ):
        fitting[question].add(answer)
    return [fitting[question] for question in asked.texts(exercise.question)]


def _commonest(task: Task, asked: ManipulationCorpus) -> str:
    """The answer that is right most often in training."""
    rng = stream(asked.world.seed, "questions counted", task.name)
    people = _with_others(asked.train, task.n_people, rng)
    answers = Counter(asked.texts(task.ask(asked.dossiers, people).answer))
    return answers.most_common(1)[0][0]
