"""Losses and accuracy of a model on held-out texts, against the true entropies."""

import numpy as np
import torch
from jaxtyping import Bool, Float64

from physlm.data.fixed_length import FixedLengthCorpus, Rows
from physlm.eval.scorer import mean
from physlm.measurement import Metric
from physlm.models.language_model import LanguageModel


def held_out_metrics(
    model: LanguageModel, corpus: FixedLengthCorpus, n_texts: int, batch_size: int
) -> list[Metric]:
    """Means over texts, end-of-text excluded, which begins every text.

    Args:
        model: The model.
        corpus: The world.
        n_texts: Number of texts.
        batch_size: Texts per forward pass.
    """
    texts = corpus.held_out(0, n_texts, "loss")
    losses, is_first_choice = _scored(model, texts, batch_size)
    entropies = corpus.true_entropies(texts)[:, 1:]
    classes = corpus.token_classes(texts)[:, 1:]
    found = [
        mean("texts/loss_nats", losses.mean(axis=1), "nats/token"),
        mean("texts/floor_nats", entropies.mean(axis=1), "nats/token"),
    ]
    follows = entropies == 0
    found += _accuracies(is_first_choice, follows)
    for name in np.unique(classes[follows]).tolist():
        found += _accuracies(is_first_choice, follows & (classes == name), kind=name)
    return found


def _accuracies(
    is_right: Bool[np.ndarray, "texts targets"],
    chosen: Bool[np.ndarray, "texts targets"],
    **dims: str,
) -> list[Metric]:
    """The mean over texts of the fraction right among chosen tokens; texts without any left out."""
    has_any = chosen.any(axis=1)
    counts = chosen[has_any].sum(axis=1)
    fractions = (is_right & chosen)[has_any].sum(axis=1) / counts
    return [mean("texts/accuracy", fractions, "fraction", **dims)] if len(fractions) else []


@torch.inference_mode()
def _scored(
    model: LanguageModel, texts: Rows, batch_size: int
) -> tuple[Float64[np.ndarray, "texts targets"], Bool[np.ndarray, "texts targets"]]:
    """The loss of each token after the first, and whether it has the highest score."""
    losses, is_first = [], []
    for batch in torch.split(torch.from_numpy(texts.astype(np.int64)), batch_size):
        inputs, targets = batch[:, :-1].to(model.device), batch[:, 1:].to(model.device)
        logits = model(inputs).float()
        loss = torch.nn.functional.cross_entropy(logits.mT, targets, reduction="none")
        losses.append(loss.double().cpu().numpy())
        is_first.append((logits.argmax(-1) == targets).cpu().numpy())
    return np.concatenate(losses), np.concatenate(is_first)
