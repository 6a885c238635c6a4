"""What a model can do with what it knows of people: straight away, and with facts written out."""

from collections import Counter, defaultdict
from dataclasses import dataclass

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
from physlm.rng import stream


@dataclass(kw_only=True, slots=True)
class ManipulationScorerConfig(ScorerConfig):
    """Exact match of whole answers, decoded greedily to their end.

    In distribution are people whom training asked about, out of distribution all others; pairs are
    of people of one split. Chance is what the answer that training gave most often is right in.
    Where training wrote facts out, the model is also asked to: ``facts`` says how often they are
    right, ``accuracy_with_facts`` how often the answer after them is, and ``reliance`` how often,
    told the facts of somebody else whose answer is another, it gives the other's answer.

    Source:
        Physics of Language Models, Part 3.2, sections 3 to 5.
    """

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
            needed = sum(asked.longest(columns) for columns in _everyone(task, asked)) + _AROUND
            require_window(model, f"questions, facts and answers of {task.name}", needed)

    def score(self, model: LanguageModel, corpus: Corpus) -> list[Metric]:
        """Each task in both splits, beside chance."""
        asked = _questions(corpus)
        metrics = []
        for task in asked.tasks:
            for split, people in ((IN, asked.train), (OUT, _unasked(task, asked))):
                rng = stream(asked.world.seed, "questions measured", task.name, split)
                about = sample(task.distinct(asked.dossiers, people), self.max_questions, rng)
                exercise = task.ask(asked.dossiers, _with_others(about, task.n_people, rng))
                accepted = _accepted(task, asked, exercise)
                measured = self._straight(model, asked, exercise, accepted)
                commonest = _commonest(task, asked)
                measured["chance"] = [commonest in right for right in accepted]
                if asked.config.facts_share and exercise.facts:
                    measured |= self._with_facts(model, asked, exercise, accepted)
                metrics += [
                    mean(f"manipulation/{task.name}/{name}", np.array(values), "share", split=split)
                    for name, values in measured.items()
                ]
        return metrics

    def _straight(
        self,
        model: LanguageModel,
        asked: ManipulationCorpus,
        exercise: Exercise,
        accepted: list[set[str]],
    ) -> dict[str, list[bool]]:
        """Whether each answer is right."""
        prompts = asked.prompts(exercise, wants_facts=False)
        answers = self._written(model, asked, exercise, prompts)
        return {"accuracy": [a in right for a, right in zip(answers, accepted, strict=True)]}

    def _with_facts(
        self,
        model: LanguageModel,
        asked: ManipulationCorpus,
        exercise: Exercise,
        accepted: list[set[str]],
    ) -> dict[str, list[bool]]:
        """Whether what is written first is right, the answer after it, and which facts count."""
        prompts = asked.prompts(exercise, wants_facts=True)
        written = [
            text.partition(FACTS_END) for text in self._written(model, asked, exercise, prompts)
        ]
        facts = asked.texts(exercise.facts)
        measured = {
            "accuracy_with_facts": [
                after.strip() in right
                for (_, _, after), right in zip(written, accepted, strict=True)
            ],
            "facts": [told == fact for (told, _, _), fact in zip(written, facts, strict=True)],
        }
        own = asked.texts(exercise.answer)
        others = Exercise(*(tuple(np.roll(c, 1) for c in columns) for columns in exercise))
        theirs = asked.texts(others.answer)
        prompts = asked.prompts_with_facts(exercise, others.facts)
        answers = self._written(model, asked, exercise, prompts)
        reliance = [
            answer == their
            for answer, our, their in zip(answers, own, theirs, strict=True)
            if our != their
        ]
        return {**measured, **({"reliance": reliance} if reliance else {})}

    def _written(
        self,
        model: LanguageModel,
        asked: ManipulationCorpus,
        exercise: Exercise,
        prompts: list[np.ndarray],
    ) -> list[str]:
        """What the model writes, as text; nothing where it comes to no end."""
        longest = asked.longest(exercise.facts) + asked.longest(exercise.answer) + _AROUND
        sampling = Sampling(
            max_new_tokens=longest, eos=asked.vocabulary.eos, temperature=0.0,
            batch_size=self.batch_size, is_compiled=model.device.type == "cuda",
        )  # fmt: skip
        written = generate(model, prompts, sampling, seed=0)
        texts = [asked.vocabulary.decode(tokens).strip() for tokens in written.tokens]
        return [text if e else "" for text, e in zip(texts, written.is_ended, strict=True)]


_AROUND = 8  # tokens at most of the words around facts, and the end


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
