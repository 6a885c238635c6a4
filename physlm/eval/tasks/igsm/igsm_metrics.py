"""All metrics and the table of solutions of one model."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from physlm.data.tasks.task_corpus import TaskCorpus
from physlm.eval.tasks.igsm.answer_metrics import answers_at_once, by_operations
from physlm.eval.tasks.igsm.problem_sets import (
    ProblemSet,
    igsm_task,
    most_common_answer,
    of_operations,
    problem_sets,
    training_like,
)
from physlm.eval.tasks.igsm.solution_metrics import accuracies, dropped, solution_metrics
from physlm.eval.tasks.igsm.solution_table import solution_table
from physlm.eval.tasks.igsm.solutions import Written, written_solutions
from physlm.eval.tasks.igsm.token_metrics import token_metrics
from physlm.measurement import Measurement, Metric
from physlm.models.language_model import LanguageModel

if TYPE_CHECKING:
    from physlm.eval.tasks.igsm.igsm import IgsmScorerConfig

_CURVES = ("parameter", "result")  # tokens that show planning and arithmetic


def measured_sets(config: "IgsmScorerConfig", corpus: TaskCorpus) -> Iterator[ProblemSet]:
    """The sets that a model of this corpus is measured on."""
    task = igsm_task(corpus)
    if task.shows_all:
        ops = config.longer_than(task.op_max)
        yield from problem_sets(corpus, config.n_problems, ops, has_reask=config.has_reask)
    else:
        yield training_like(corpus, config.n_problems, has_known_templates=True)
        for op in range(1, task.op_max):
            yield of_operations(corpus, config.n_problems, op, "shorter")
        yield of_operations(corpus, config.n_problems, task.op_max, "longest")


def measured_igsm(
    config: "IgsmScorerConfig", model: LanguageModel, corpus: TaskCorpus
) -> Measurement:
    """Metrics of whole solutions if training shows them whole, otherwise of answers alone."""
    sets = list(measured_sets(config, corpus))
    metrics = [dropped(asked) for asked in sets]
    sets = [asked for asked in sets if asked.questions]
    common, eos = most_common_answer(corpus), corpus.vocabulary.eos
    tables: list[tuple[ProblemSet, list[Written]]] = []
    for asked in sets:
        written = written_solutions(model, asked, config, eos=eos)
        if igsm_task(corpus).shows_all:
            metrics += solution_metrics(asked, written, common)
            tables.append((asked, written))
        else:
            metrics += _answers(asked, written, common)
        if len(asked.questions[0].solution):
            metrics += token_metrics(model, corpus, asked, config.batch_size)
            metrics += _at_once(config, model, corpus, asked)
    table = {config.table_names[0]: solution_table(tables)} if tables else {}
    return Measurement(tuple(metrics), tables=table)


def igsm_curve(
    config: "IgsmScorerConfig", model: LanguageModel, corpus: TaskCorpus
) -> list[Metric]:
    """Accuracies of a few problems as in training, and of the tokens of their solutions."""
    return [
        metric
        for has_known_templates in (False, True)
        for metric in _of_few(config, model, corpus, has_known_templates=has_known_templates)
    ]


def _of_few(
    config: "IgsmScorerConfig",
    model: LanguageModel,
    corpus: TaskCorpus,
    *,
    has_known_templates: bool,
) -> list[Metric]:
    n = config.n_curve_problems
    asked = training_like(corpus, n, has_known_templates=has_known_templates)
    if not asked.questions:
        return []
    written = written_solutions(model, asked, config, eos=corpus.vocabulary.eos)
    tokens = token_metrics(model, corpus, asked, config.batch_size)
    found = [m for m in tokens if m.name == "igsm/token_accuracy" and m.dims.get("role") in _CURVES]
    if igsm_task(corpus).shows_all:
        whole = [m for m in accuracies(written, asked.dims) if m.name != "igsm/unfinished"]
        return [*whole, *found]
    is_right = np.array([w.has_right_answer for w in written])
    return [*by_operations(is_right, asked.questions, asked.dims), *found]


def _answers(asked: ProblemSet, written: list[Written], common: int) -> Iterator[Metric]:
    """The answers of a model that has learnt to leave sentences out."""
    is_right = np.array([w.has_right_answer for w in written])
    is_common = np.array([q.problem.answer == common for q in asked.questions])
    yield from by_operations(is_right, asked.questions, asked.dims)
    yield from by_operations(is_common, asked.questions, asked.dims, "igsm/chance")


def _at_once(
    config: "IgsmScorerConfig", model: LanguageModel, corpus: TaskCorpus, asked: ProblemSet
) -> Iterator[Metric]:
    mark = corpus.task.mark("<answer>")
    for n_given in config.given:
        yield from answers_at_once(model, asked, n_given, mark, config.batch_size)
