"""Answers of a synthetic task under the true prefix: predicted tokens, and losses."""

from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from physlm.data.tasks.evaluation_windows import EvaluationWindows
from physlm.data.tasks.task_corpus import TaskCorpus
from physlm.models.language_model import LanguageModel


class Scored(NamedTuple):
    """The answers of one evaluation set.

    Attributes:
        n_right: Tokens of each answer that the model predicts.
        n_tokens: Tokens of each answer.
        losses: Loss of each answer in nats, summed over its tokens.
        documents: Number of the document of each answer.
    """

    n_right: Float[np.ndarray, " answers"]
    n_tokens: Int64[np.ndarray, " answers"]
    losses: Float[np.ndarray, " answers"]
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
        corpus: Corpus of the windows.
        windows: Windows with answers.
        batch_size: Windows per forward pass.
    """
    found = [token_scores(model, corpus, part) for part in _parts(windows, batch_size)]
    is_predicted, losses = (np.concatenate(columns) for columns in zip(*found, strict=True))
    return Scored(
        _summed(is_predicted, windows),
        windows.lasts - windows.firsts,
        _summed(losses, windows),
        windows.documents,
    )


def _summed(tokens: np.ndarray, windows: EvaluationWindows) -> np.ndarray:
    """Values of tokens, summed over each answer."""
    # Sums up to each token, whose differences are those of an answer.
    upto = np.pad(tokens.cumsum(axis=1, dtype=np.float64), ((0, 0), (1, 0)))
    found: np.ndarray = upto[windows.rows, windows.lasts] - upto[windows.rows, windows.firsts]
    return found


def _parts(windows: EvaluationWindows, batch_size: int) -> tuple[Tensor, ...]:
    tokens = torch.from_numpy(np.ascontiguousarray(windows.tokens)).long()
    return torch.split(tokens, batch_size)


def token_scores(
    model: LanguageModel, corpus: TaskCorpus, tokens: Tensor
) -> tuple[np.ndarray, np.ndarray]:
    """Whether each token is the model's argmax, and its loss in nats; 0 for the first of a window.

    Args:
        model: The model.
        corpus: Corpus of the tokens; its config decides whether documents of a window attend to
            each other.
        tokens: Windows of documents.
    """
    tokens = tokens.to(model.device)
    inputs, segments = tokens[:, :-1], None
    if not corpus.config.attention_across_documents:
        segments = (inputs == corpus.vocabulary.eos).cumsum(dim=1)
    scores = model(inputs, segments).float()
    is_predicted = scores.argmax(dim=-1) == tokens[:, 1:]
    losses = torch.nn.functional.cross_entropy(scores.mT, tokens[:, 1:], reduction="none")
    found = (torch.nn.functional.pad(x, (1, 0)).cpu().numpy() for x in (is_predicted, losses))
    return next(found), next(found)
