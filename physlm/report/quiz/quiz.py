"""Questions with the answers of a model, to be put to a reader as well."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from physlm.data.mixture import part_of
from physlm.data.public.corpus import PublicFiguresConfig
from physlm.data.public.figures import Figure
from physlm.data.public.questions import TASKS, PublicTask, Question
from physlm.data.tasks.manipulation import ManipulationCorpus
from physlm.errors import InputError
from physlm.eval.public.answers import answered
from physlm.eval.public.questions import Asked as PublicAsked
from physlm.hybrid.calibrated import Asked, calibrated
from physlm.hybrid.hybrid import Hybrid
from physlm.hybrid.hybrid_figure import METHODS
from physlm.hybrid.hybrid_metrics import TOGETHER
from physlm.hybrid.hybrid_scorer import HybridScorerConfig
from physlm.hybrid.router import Method
from physlm.models.language_model import LanguageModel
from physlm.models.pretrained import load_pretrained
from physlm.report.exploration.run_subject import world_of
from physlm.report.exploration.source import Source

_N_CALIBRATED = 100  # questions of each task
_N_SHOTS, _N_TOKENS = 3, 32  # of prompts and answers about public figures


@dataclass(frozen=True, slots=True)
class QuizItem:
    """One question.

    Attributes:
        task: What kind it is.
        question: The question.
        accepted: The correct answers.
        answers: The answer of each column and whether it is right.
    """

    task: str
    question: str
    accepted: tuple[str, ...]
    answers: Mapping[str, tuple[str, bool]]


@dataclass(frozen=True, slots=True)
class Quiz:
    """Questions, and what a reader studies before them.

    Attributes:
        name: Of the model.
        texts: Texts with the facts of the questions; none where a reader may know them.
        items: The questions.
    """

    name: str
    texts: tuple[str, ...]
    items: tuple[QuizItem, ...]


def quiz_of(source: Source, n_each: int) -> Quiz:
    """The quiz of a run or a checkpoint.

    A run of manipulation tasks with hints is asked about held-out people of its world, and answers
    by every method of the hybrid system. A checkpoint is asked about public figures.

    Args:
        source: Where the model is.
        n_each: Questions of each task.

    Raises:
        InputError: If the run has no such tasks.
    """
    if source.is_run:
        world = world_of(source.path)
        return _people_quiz(str(source.path), world.model, world.corpus, n_each)
    return _public_quiz(str(source.path), load_pretrained(source.path), n_each)


def _people_quiz(name: str, model: LanguageModel, corpus: object, n_each: int) -> Quiz:
    try:
        HybridScorerConfig().check(model, corpus)  # type: ignore[arg-type] # it refuses others
    except InputError as error:
        raise InputError(
            f"--quiz needs a run of manipulation tasks with hints, or a checkpoint: {error}"
        ) from error
    questions = part_of(corpus, ManipulationCorpus)  # type: ignore[arg-type]
    assert questions is not None  # by the check
    system = calibrated(model, questions, max_questions=_N_CALIBRATED, batch_size=128)
    chosen = [own.first(n_each) for own in system.tested]
    items = [item for own in chosen for item in _items(system.hybrid, own)]
    names = questions.world.full_names()
    texts: dict[str, None] = {}
    for own in chosen:
        for text, right in zip(own.texts, own.accepted, strict=True):
            about = [name for name in names if name in text] or sorted(right)
            for person in about:
                texts |= {document.text: None for document in system.hybrid.database.about(person)}
    return Quiz(name, tuple(texts), tuple(items))


def _items(hybrid: Hybrid, asked: Asked) -> Iterator[QuizItem]:
    """The questions of a task with the answers of all methods."""
    answers = {
        label: hybrid.answers(asked.texts, None if method == TOGETHER else Method(method))
        for method, label in METHODS.items()
    }
    right = {label: asked.are_right(own).tolist() for label, own in answers.items()}
    for i, question in enumerate(asked.texts):
        yield QuizItem(
            asked.task,
            question,
            tuple(sorted(asked.accepted[i])),
            {label: (own[i].text, right[label][i]) for label, own in answers.items()},
        )


def _public_quiz(name: str, model: LanguageModel, n_each: int) -> Quiz:
    known = PublicFiguresConfig().build(0)
    items = []
    for task in TASKS:
        asked = PublicAsked(task, 0, _N_SHOTS, n_each)
        found = answered(model, known, asked, batch_size=16, max_new_tokens=_N_TOKENS)
        rows = zip(found.questions, found.lines, found.is_right.tolist(), strict=True)
        items += [
            QuizItem(
                task.name, question.text, _accepted(task, question), {"the model": (line or "", ok)}
            )
            for question, line, ok in rows
        ]
    return Quiz(name, (), tuple(items))


def _accepted(task: PublicTask, question: Question) -> tuple[str, ...]:
    """Every answer that a reader may write."""
    found = {question.answer: None}
    for figure in question.fitting:
        found |= dict.fromkeys(_names(task, figure))
    return tuple(found)


def _names(task: PublicTask, figure: Figure) -> Iterator[str]:
    if task.is_inverse:
        yield from (figure.name, *figure.other_names)
    elif task.name == "birthplace":
        yield from (figure.birthplace, *figure.other_places)
    elif task.name == "birth_date":
        yield from (figure.written_date, figure.birth_date.isoformat())


def write_quiz(quiz: Quiz, folder: Path) -> Path:
    """Write the page of a quiz; its path."""
    from physlm.atomic import write_text
    from physlm.report.quiz.document import document

    path = folder / "quiz.html"
    write_text(path, document(quiz))
    return path
