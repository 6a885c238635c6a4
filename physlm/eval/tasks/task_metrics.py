"""The metrics of a synthetic task."""

from typing import TYPE_CHECKING

import numpy as np

from physlm.data.tasks.brevo import Brevo
from physlm.data.tasks.synthetic_task import Evaluation, SyntheticTask
from physlm.data.tasks.task_corpus import TaskCorpus
from physlm.eval.scorer import mean
from physlm.eval.tasks.generated_answers import generated_answers
from physlm.eval.tasks.marked_answers import Scored, scored_answers
from physlm.measurement import Metric
from physlm.models.language_model import LanguageModel
from physlm.stats.ratio import ratio_of_sums

if TYPE_CHECKING:
    from physlm.eval.tasks.task_accuracy import TaskAccuracyConfig


def task_metrics(
    model: LanguageModel, corpus: TaskCorpus, config: "TaskAccuracyConfig"
) -> list[Metric]:
    """Accuracies of all evaluation sets of a task, and the depth that follows from them."""
    if isinstance(corpus.task, Brevo):
        return _of_generated(model, corpus, corpus.task, config)
    metrics = [
        metric
        for evaluation in corpus.task.evaluations
        for metric in _of_set(model, corpus, evaluation, config)
    ]
    return [*metrics, *_loss_of_all(metrics), *_depth(metrics)]


def _loss_of_all(metrics: list[Metric]) -> list[Metric]:
    """The mean over the evaluation sets, if there are several."""
    found = [m.value for m in metrics if m.name == "task/loss_nats"]
    if len(found) < 2:
        return []
    value = float(np.mean(found))
    return [Metric(name="task/loss_nats", value=value, unit="nats/token", n=len(found))]


def _of_generated(
    model: LanguageModel, corpus: TaskCorpus, task: Brevo, config: "TaskAccuracyConfig"
) -> list[Metric]:
    """Accuracy of generated answers, overall and by depth."""
    (evaluation,) = task.evaluations
    documents = corpus.measured(evaluation, 0, config.n_answers)
    answers = generated_answers(model, task, documents, config.batch_size)
    parts = [("accuracy", answers.is_right), ("unfinished", answers.is_unfinished)]
    parts.append(("first_vertex_accuracy", answers.is_first_right))
    metrics = [mean(f"task/{name}", values, "fraction") for name, values in parts]
    metrics += [
        mean("task/accuracy", answers.is_right[answers.depth == d], "fraction", depth=int(d))
        for d in np.unique(answers.depth)
    ]
    windows = corpus.windows(evaluation, config.n_answers)
    scored = scored_answers(model, corpus, windows, config.batch_size)
    return [*metrics, _loss(scored, {}), _chance(task, evaluation, config.n_answers)]


def _of_set(
    model: LanguageModel, corpus: TaskCorpus, evaluation: Evaluation, config: "TaskAccuracyConfig"
) -> list[Metric]:
    windows = corpus.windows(evaluation, config.n_answers)
    scored = scored_answers(model, corpus, windows, config.batch_size)
    ones, dims = np.ones(len(scored.n_tokens)), dict(evaluation.dims)
    return [
        _mean("task/accuracy", "fraction", scored, scored.is_right, ones, dims),
        _mean("task/token_accuracy", "fraction", scored, scored.n_right, scored.n_tokens, dims),
        _loss(scored, dims),
        _chance(corpus.task, evaluation, len(ones)),
    ]


def _loss(scored: Scored, dims: dict[str, int]) -> Metric:
    return _mean("task/loss_nats", "nats/token", scored, scored.losses, scored.n_tokens, dims)


def _chance(task: SyntheticTask, evaluation: Evaluation, n: int) -> Metric:
    value = task.chance(evaluation.difficulty)
    return Metric(name="task/chance", value=value, unit="fraction", n=n, dims=evaluation.dims)


def _mean(
    name: str, unit: str, scored: Scored, sums: np.ndarray, n: np.ndarray, dims: dict[str, int]
) -> Metric:
    """The mean over all items of the answers, with the standard error over documents.

    Args:
        name: Name of the metric.
        unit: Unit of its values.
        scored: The answers.
        sums: Sum of the values of each answer.
        n: Items of each answer.
        dims: Dimensions of the metric.
    """
    totals, counts = (np.bincount(scored.documents, weights=x) for x in (sums, n))
    is_there = counts > 0
    value, stderr = ratio_of_sums(totals[is_there], counts[is_there])
    return Metric(name=name, value=value, unit=unit, n=int(n.sum()), stderr=stderr, dims=dims)


def _depth(metrics: list[Metric]) -> list[Metric]:
    """The largest number of steps with an accuracy of at least one half."""
    found = {
        int(m.dims["k"]): m.value for m in metrics if m.name == "task/accuracy" and "k" in m.dims
    }
    if not found:
        return []
    depth = max((k for k, value in found.items() if value >= 0.5), default=0)
    return [Metric(name="task/depth", value=depth, unit="steps", n=len(found))]
