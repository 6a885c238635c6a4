"""What a model tells of public figures: forwards, by reckoning with it, and backwards."""

import itertools
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import ClassVar

import numpy as np
from rich.console import Console
from rich.progress import track

from physlm.data.corpus import Corpus, require_at_least
from physlm.data.public.corpus import PublicFiguresCorpus
from physlm.data.public.figures import figures
from physlm.data.public.questions import TASKS, PublicTask, Question, line_of
from physlm.errors import InputError
from physlm.eval.generate import Sampling, generate
from physlm.eval.scorer import ScorerConfig, mean, require_causal, require_window
from physlm.models.language_model import LanguageModel
from physlm.record import Metric
from physlm.registry import register
from physlm.rng import stream


@register("eval", "public_figures")
@dataclass(kw_only=True, slots=True)
class PublicFiguresScorerConfig(ScorerConfig):
    """Exact match of the value that the first line of an answer gives, decoded greedily.

    Before the question stand others of its kind with their answers, about other people, so that a
    model that was never told to answer knows what is wanted. Chance is always giving the commonest
    answer. Whoever else was born on a date is not in the table: the names asked for by dates alone
    are a lower bound. What a model of our own was trained to answer is split ``train``. Where a
    reasoning model is still thinking after ``max_new_tokens`` it has not answered, which is wrong;
    if that happens, the share of such questions is a metric, too.

    Source:
        Physics of Language Models, Part 3.2, sections 5 and 6 (GPT-4 asked about celebrities).
    """

    version: ClassVar[int] = 2
    n_shots: int = 3  # questions with answers before each question
    batch_size: int = 16  # questions read at once
    max_new_tokens: int = 32  # of an answer

    def validate(self) -> None:
        """Every value in its range."""
        require_at_least(self, 0, "n_shots")
        require_at_least(self, 1, "batch_size", "max_new_tokens")
        if self.n_shots > _MAX_SHOTS:
            raise ValueError(f"n_shots={self.n_shots}; must be at most {_MAX_SHOTS}")

    def check(self, model: LanguageModel, corpus: Corpus) -> None:
        """The corpus is of public figures, and the model reads and answers."""
        known = _known(corpus)
        require_causal("public_figures", model, "does not answer")
        prompts = [prompt for task in TASKS for prompt in self._prompts(task, known.seed)]
        if model.text is not None:
            model.text.require_reads(prompts, self.max_new_tokens)
        else:
            longest = max(len(known.vocabulary.encode(prompt)) for prompt in prompts)
            require_window(model, "questions and answers", longest + 1 + self.max_new_tokens)

    def score(self, model: LanguageModel, corpus: Corpus) -> list[Metric]:
        """Each task beside chance."""
        known, metrics = _known(corpus), []
        for task in TASKS:
            questions = _questions(task, known.seed)
            answers = self._answers(model, known, task)
            is_right = [
                answer is not None and task.is_right(question, answer)
                for question, answer in zip(questions, answers, strict=True)
            ]
            is_cut_off = [answer is None for answer in answers]
            commonest, _ = Counter(q.answer for q in questions).most_common(1)[0]
            chance = [task.is_right(question, commonest) for question in questions]
            is_trained = task.is_trained and known.config.exposures > 0
            measured = {"accuracy": is_right, "chance": chance}
            if any(is_cut_off):
                measured["cut_off"] = is_cut_off
                self._say_cut_off(task, sum(is_cut_off), len(questions))
            for name, values in measured.items():
                full = f"public_figures/{task.name}/{name}"
                split = "train" if is_trained else "test"
                metrics.append(mean(full, np.array(values), "share", split=split))
        return metrics

    def _prompts(self, task: PublicTask, seed: int) -> list[str]:
        """Each question after others with their answers."""
        questions = _questions(task, seed)
        rng = stream(seed, "shots", task.name)
        prompts = []
        for question in questions:
            drawn = (questions[i] for i in rng.permutation(len(questions)))
            apart = (other for other in drawn if question.is_apart_from(other))
            shots = itertools.islice(apart, self.n_shots)
            lines = [line_of(shot.text, shot.answer) for shot in shots]
            prompts.append("\n".join([*lines, line_of(question.text)]))
        return prompts

    def _answers(
        self, model: LanguageModel, known: PublicFiguresCorpus, task: PublicTask
    ) -> list[str | None]:
        """The first line of the model's answer to each question of a task, where it gives one."""
        prompts, written = self._prompts(task, known.seed), list[str | None]()
        firsts = range(0, len(prompts), self.batch_size)
        console = Console(stderr=True)
        for first in track(firsts, f"asking {task.name}", console=console, transient=True):
            batch = prompts[first : first + self.batch_size]
            if model.text is not None:
                written += model.text.answers(batch, max_tokens=self.max_new_tokens)
            else:
                written += self._generated(model, known, batch)
        return [None if text is None else text.strip().partition("\n")[0] for text in written]

    def _say_cut_off(self, task: PublicTask, n: int, n_asked: int) -> None:
        Console(stderr=True, soft_wrap=True).print(
            f"{task.name}: {n} of {n_asked} answers were cut off in their thoughts and count as "
            f"wrong; raise eval.public_figures.max_new_tokens={self.max_new_tokens}"
        )

    def _generated(
        self, model: LanguageModel, known: PublicFiguresCorpus, prompts: Sequence[str]
    ) -> list[str]:
        vocabulary = known.vocabulary
        sampling = Sampling(
            max_new_tokens=self.max_new_tokens, eos=vocabulary.eos, temperature=0.0,
            batch_size=self.batch_size,
        )  # fmt: skip
        read = [np.append(vocabulary.eos, vocabulary.encode(prompt)) for prompt in prompts]
        written = generate(model, read, sampling, seed=0)
        return [vocabulary.decode(tokens) for tokens in written.tokens]


_MAX_SHOTS = 64  # among the others of the table, whom the question does not concern


def _known(corpus: Corpus) -> PublicFiguresCorpus:
    if not isinstance(corpus, PublicFiguresCorpus):
        raise InputError("eval=public_figures asks about data=public_figures; use it")
    return corpus


@cache
def _questions(task: PublicTask, seed: int) -> tuple[Question, ...]:
    """One about every person, with another where two are needed."""
    people, rng = figures(), stream(seed, "pairs of figures", task.name)
    others = [(i + int(rng.integers(1, len(people)))) % len(people) for i in range(len(people))]
    return tuple(task.ask(figure, people[j]) for figure, j in zip(people, others, strict=True))
