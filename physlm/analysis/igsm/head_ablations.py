"""Loss and accuracy of predictions of each kind without one attention head."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
import torch
from jaxtyping import Float

from physlm.analysis.igsm.attention_roles import ORIGINS, Prediction, predictions_of
from physlm.data.tasks.igsm.places import Document
from physlm.eval.padding import padded
from physlm.models.language_model import LanguageModel
from physlm.models.transformer import transformer, without_heads


@dataclass(frozen=True, slots=True)
class Scores:
    """Loss and accuracy on tokens of solutions, as means of each problem; NaN if it has none.

    Attributes:
        losses: Mean loss of the tokens of each origin, in nats.
        accuracies: Fraction of them that are the argmax under the true prefix.
    """

    losses: Float[np.ndarray, "problems origins"]
    accuracies: Float[np.ndarray, "problems origins"]


@dataclass(frozen=True, slots=True)
class Ablations:
    """Scores of a model, and of the model without each of its heads.

    Attributes:
        whole: Scores with all heads.
        without: Scores without each head, by layer and head.
    """

    whole: Scores
    without: dict[tuple[int, int], Scores]

    def table(self, tops: Mapping[str, tuple[int, int]]) -> pl.DataFrame:
        """One row per origin and head: what its ablation costs.

        Args:
            tops: The head of each origin that attends most to the source of what is written.
        """
        rows = [
            {"from": origin, "layer": head[0], "head": head[1], "is_top": head == tops[origin]}
            | {"loss_rise": float(np.nanmean((own.losses - self.whole.losses)[:, o]))}
            | {"accuracy_drop": float(np.nanmean((self.whole.accuracies - own.accuracies)[:, o]))}
            for o, origin in enumerate(ORIGINS)
            if origin in tops
            for head, own in self.without.items()
        ]
        return pl.DataFrame(rows)


def head_ablations(model: LanguageModel, documents: Sequence[Document], size: int) -> Ablations:
    """Scores with all heads, and with each head ablated in turn.

    Args:
        model: A decoder of physlm.
        documents: Documents of iGSM, with right solutions.
        size: Documents that are read at once.
    """
    config = transformer(model, "ablating heads").config
    heads = list(np.ndindex(model.n_layers, config.attention_shape.n_heads))
    predictions = [list(predictions_of(document)) for document in documents]
    return Ablations(
        scores(model, documents, predictions, size),
        {
            head: scores(without_heads(model, [head]), documents, predictions, size)
            for head in heads
        },
    )


@torch.inference_mode()
def scores(
    model: LanguageModel,
    documents: Sequence[Document],
    predictions: Sequence[Sequence[Prediction]],
    size: int,
) -> Scores:
    """Loss and accuracy of a model under the true prefix.

    Args:
        model: A causal model.
        documents: Documents with right solutions.
        predictions: Predictions of each document.
        size: Documents that are read at once.
    """
    shape = (len(documents), len(ORIGINS))
    losses, accuracies = np.full(shape, np.nan), np.full(shape, np.nan)
    for first in range(0, len(documents), size):
        rows = padded(documents[first : first + size])[0].to(model.device)
        logits = model(rows).float()
        for i, own in enumerate(predictions[first : first + size]):
            at = torch.tensor([prediction.at for prediction in own], device=rows.device)
            log_p, targets = logits[i, at].log_softmax(-1), rows[i, at + 1]
            loss = -log_p.gather(-1, targets[:, None])[:, 0].double().cpu().numpy()
            is_right = (log_p.argmax(-1) == targets).cpu().numpy()
            for origin, chosen in _by_origin(own):
                losses[first + i, origin] = loss[chosen].mean()
                accuracies[first + i, origin] = is_right[chosen].mean()
    return Scores(losses, accuracies)


def _by_origin(predictions: Sequence[Prediction]) -> Iterator[tuple[int, np.ndarray]]:
    """Number of each origin, and which predictions have it."""
    origins = np.array([prediction.origin for prediction in predictions])
    for number, origin in enumerate(ORIGINS):
        chosen = origins == origin
        if chosen.any():
            yield number, chosen
