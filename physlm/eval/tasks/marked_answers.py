"""Answers of a synthetic task under the true prefix: how many tokens the model predicts."""

from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Int64
from torch import Tensor

from physlm.data.tasks.evaluation_windows import EvaluationWindows
from physlm.data.tasks.task_corpus import TaskCorpus
from physlm.models.language_model import LanguageModel


class Scored(NamedTuple):
    """The answers of one evaluation set.

    Attributes:
        n_right: Tokens of each answer that the model predicts.
        n_tokens: Tokens of each answer.
        documents: Number of its document.
    """

    n_right: Int64[np.ndarray, " answers"]
    n_tokens: Int64[np.ndarray, " answers"]
    documents: Int64[np.ndarray, " answers"]

    @property
    def is_right(self) -> Bool[np.ndarray, " answers"]:
        """Whether all tokens of an answer are predicted, as greedy decoding would give it."""
        found: np.ndarray = self.n_right == self.n_tokens
        return found


@torch.inference_mode()
def scored_answers(
    model: LanguageModel, corpus: TaskCorpus, windows: EvaluationWindows, batch_size: int
) -> Scored:
    """Compare the answers with the model's predictions.

    Args:
        model: The model.
        corpus: Whose windows they are.
        windows: Windows with answers.
        batch_size: Windows per forward pass.
    """
    is_predicted = np.concatenate(
        [_is_predicted(model, corpus, part) for part in _parts(windows, batch_size)]
    )
    # Sums up to each token, whose differences count the tokens of an answer.
    n_upto = np.pad(is_predicted.cumsum(axis=1), ((0, 0), (1, 0)))
    n_right = n_upto[windows.rows, windows.lasts] - n_upto[windows.rows, windows.firsts]
    return Scored(n_right, windows.lasts - windows.firsts, windows.documents)


def _parts(windows: EvaluationWindows, batch_size: int) -> tuple[Tensor, ...]:
    tokens = torch.from_numpy(np.ascontiguousarray(windows.tokens)).long()
    return torch.split(tokens, batch_size)


def _is_predicted(model: LanguageModel, corpus: TaskCorpus, tokens: Tensor) -> np.ndarray:
    """Which tokens are the model's argmax; the first of a window never is."""
    tokens = tokens.to(model.device)
    inputs, segments = tokens[:, :-1], None
    if not corpus.config.attention_across_documents:
        segments = (inputs == corpus.vocabulary.eos).cumsum(dim=1)
    is_predicted = model(inputs, segments).argmax(dim=-1) == tokens[:, 1:]
    found: np.ndarray = torch.nn.functional.pad(is_predicted, (1, 0)).cpu().numpy()
    return found
