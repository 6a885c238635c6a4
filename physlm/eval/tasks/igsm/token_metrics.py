"""Tokens of true solutions that a model predicts under the true prefix, by role."""

from collections.abc import Iterator

import numpy as np
import torch

from physlm.data.tasks.igsm.language import words_of_tokens
from physlm.data.tasks.task_corpus import TaskCorpus
from physlm.eval.padding import padded
from physlm.eval.tasks.igsm.problem_sets import ProblemSet
from physlm.eval.tasks.igsm.token_roles import ROLES, solution_roles
from physlm.eval.tasks.marked_answers import token_scores
from physlm.measurement import Dim, Metric
from physlm.models.language_model import LanguageModel
from physlm.stats.ratio import ratio_of_sums


@torch.inference_mode()
def token_metrics(
    model: LanguageModel, corpus: TaskCorpus, asked: ProblemSet, batch_size: int
) -> list[Metric]:
    """Accuracy and loss of the tokens of a set's true solutions, overall and by role.

    Args:
        model: The model.
        corpus: The corpus of training.
        asked: Problems with solutions.
        batch_size: Documents per forward pass.
    """
    eos = corpus.vocabulary.eos
    documents = [np.array([*q.prompt, *q.solution, eos]) for q in asked.questions]
    documents.sort(key=len)
    sums = np.zeros((3, len(documents), len(ROLES)))  # tokens, predicted ones, losses
    for first in range(0, len(documents), batch_size):
        batch = documents[first : first + batch_size]
        is_predicted, losses = token_scores(model, corpus, padded(batch, eos)[0])
        for i, document in enumerate(batch):
            roles = _roles(document, corpus.task.mark("<solution>"))
            at = slice(len(document) - len(roles), len(document))
            for values, total in zip((None, is_predicted[i, at], losses[i, at]), sums, strict=True):
                total[first + i] = np.bincount(roles, values, minlength=len(ROLES))
    return list(_metrics(sums, asked.dims))


def _roles(document: np.ndarray, solution_mark: int) -> np.ndarray:
    """Numbers of the roles of a solution's tokens, which end a document."""
    first = int((document == solution_mark).argmax()) + 1
    words = words_of_tokens(document[first:].tolist())
    return np.array([ROLES.index(role) for role in solution_roles(words)])


def _metrics(sums: np.ndarray, dims: dict[str, Dim]) -> Iterator[Metric]:
    yield from _pair(sums.sum(axis=2), dims)
    for i, role in enumerate(ROLES):
        if sums[0, :, i].any():
            yield from _pair(sums[:, :, i], {**dims, "role": role})


def _pair(sums: np.ndarray, dims: dict[str, Dim]) -> Iterator[Metric]:
    """Accuracy and loss, with errors over solutions, whose tokens are not independent."""
    counts, *totals = sums[:, sums[0] > 0]
    named = (("token_accuracy", "fraction"), ("loss_nats", "nats/token"))
    for (name, unit), total in zip(named, totals, strict=True):
        value, stderr = ratio_of_sums(total, counts)
        n = int(counts.sum())
        yield Metric(name=f"igsm/{name}", value=value, unit=unit, n=n, stderr=stderr, dims=dims)
