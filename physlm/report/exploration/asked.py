"""Questions answered by the hybrid system of a run, with the documents that it cites."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from physlm.data.mixture import part_of
from physlm.data.tasks.manipulation import ManipulationCorpus
from physlm.hybrid.calibrated import calibrated
from physlm.hybrid.hybrid import HybridAnswer
from physlm.hybrid.hybrid_scorer import HybridScorerConfig
from physlm.report.exploration.run_subject import world_of

_N_CALIBRATED = 100  # questions of each task


def asked(path: Path, questions: Sequence[str]) -> Iterator[str]:
    """The lines to be printed for each question.

    Args:
        path: A run whose model answers questions about people, with hints.
        questions: In the vocabulary of its world.

    Raises:
        InputError: If the run has no such model, or a question has an unknown word.
    """
    world = world_of(path)
    HybridScorerConfig().check(world.model, world.corpus)
    corpus = part_of(world.corpus, ManipulationCorpus)
    assert corpus is not None  # by the check
    system = calibrated(world.model, corpus, max_questions=_N_CALIBRATED, batch_size=128).hybrid
    for question in questions:
        yield from _lines(question, system.router.kind(question), system.ask(question))


def _lines(question: str, kind: str, answer: HybridAnswer) -> Iterator[str]:
    yield f"question: {question}"
    yield f"answer: {answer.text or '(none)'}"
    facts = f", from the facts: {answer.facts}" if answer.facts else ""
    yield f"  method: {answer.method.value} (kind of question: {kind}){facts}"
    for document in answer.citations:
        yield f"  [{document.number}] {document.text}"
