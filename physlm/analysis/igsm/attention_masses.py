"""Attention of every head to tokens by their role, as means of each problem."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float

from physlm.analysis.igsm.attention_roles import ORIGINS, ROLES, Prediction, predictions_of
from physlm.data.tasks.igsm.places import Document
from physlm.models.language_model import LanguageModel

# P problems, O origins, R roles, L layers, H heads, Q predictions, T tokens.


@dataclass(frozen=True, slots=True)
class Masses:
    """Mean attention mass from predictions of an origin to all tokens of a role.

    The mean is over the predictions of a problem that have tokens of the role; NaN if none has.

    Attributes:
        of_heads: Mass of each head.
        uniform: Mass if attention were uniform over the tokens up to the current one.
    """

    of_heads: Float[np.ndarray, "problems origins roles layers heads"]
    uniform: Float[np.ndarray, "problems origins roles"]


def attention_masses(model: LanguageModel, documents: Sequence[Document]) -> Masses:
    """Attention of a model in documents with right solutions.

    Args:
        model: A causal model with attention weights.
        documents: Documents of iGSM.
    """
    found = [_document_masses(model, document) for document in documents]
    of_heads, uniform = zip(*found, strict=True)
    return Masses(np.stack(of_heads), np.stack(uniform))


@torch.inference_mode()
def _document_masses(
    model: LanguageModel, document: Document
) -> tuple[Float[np.ndarray, "origins roles layers heads"], Float[np.ndarray, "origins roles"]]:
    predictions = list(predictions_of(document))
    marks = _marks(predictions, len(document))
    # Rows of predictions alone are kept, so that one layer's maps are held at a time.
    at = torch.tensor([prediction.at for prediction in predictions], device=model.device)
    tokens = torch.from_numpy(document).long()[None].to(model.device)
    layers = [maps[0, :, at].float().cpu().numpy() for _, maps in model.attention_patterns(tokens)]
    masses = np.einsum("lhqt,qrt->qrlh", np.stack(layers), marks)
    n_tokens = marks.sum(axis=(1, 2))
    uniform = marks.sum(axis=2) / n_tokens[:, None]
    weights = _weights(predictions, marks.max(axis=2) > 0)
    return (np.einsum("oqr,qrlh->orlh", weights, masses), np.einsum("oqr,qr->or", weights, uniform))


def _marks(predictions: Sequence[Prediction], n: int) -> Float[np.ndarray, "Q roles tokens"]:
    """1 where a token has a role; every token up to the current one has exactly one."""
    marks = np.zeros((len(predictions), len(ROLES), n), dtype=np.float32)
    for q, prediction in enumerate(predictions):
        marks[q, prediction.roles, np.arange(len(prediction.roles))] = 1
    return marks


def _weights(
    predictions: Sequence[Prediction], has_role: np.ndarray
) -> Float[np.ndarray, "origins Q roles"]:
    """Weight of each prediction in the mean over an origin and a role; NaN if there is none."""
    origins = np.array([prediction.origin for prediction in predictions])
    is_counted = (origins == np.array(ORIGINS)[:, None])[:, :, None] & has_role
    n = is_counted.sum(axis=1, keepdims=True)
    return np.where(n > 0, is_counted / np.maximum(n, 1), np.nan)
