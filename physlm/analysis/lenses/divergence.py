"""Divergence of a lens from the model's own predictions, in chunks of bounded memory."""

from collections.abc import Iterator

import torch
from jaxtyping import Float
from torch import Tensor

from physlm.analysis.lenses.lens import Lens
from physlm.models.language_model import LanguageModel

_SCORES = 2**24  # scores held at once: 64 MiB in fp32, times the few tensors made from them


def token_chunks(n_tokens: int, model: LanguageModel) -> Iterator[slice]:
    """Parts of the tokens whose scores at one state fit in memory."""
    size = max(1, _SCORES // model.vocabulary_size)
    return (slice(first, min(first + size, n_tokens)) for first in range(0, n_tokens, size))


def state_groups(states: list[int], n_tokens: int, model: LanguageModel) -> Iterator[list[int]]:
    """Groups of states whose scores at all of a chunk's tokens fit in memory."""
    size = max(1, _SCORES // (model.vocabulary_size * max(1, n_tokens)))
    return (states[first : first + size] for first in range(0, len(states), size))


def cross_entropy(
    logits: Float[Tensor, "*states tokens vocab"], target: Float[Tensor, "tokens vocab"]
) -> Float[Tensor, "*states tokens"]:
    """Cross-entropy of predictions, in nats.

    Args:
        logits: Scores of the predictions.
        target: The weight of each token; probabilities, or multiples of them.
    """
    # Fewer passes over the scores than by log_softmax, whose output is as large as they are.
    return target.sum(-1) * logits.logsumexp(-1) - (logits * target).sum(-1)


@torch.no_grad()
def kl_to_final(
    lens: Lens, states: Float[Tensor, "states tokens width"]
) -> Float[Tensor, "states tokens"]:
    """KL divergence of each state's prediction from that of state L, in nats.

    Args:
        lens: The lens.
        states: States 0 to L.
    """
    model, found = lens.model, []
    for part in token_chunks(states.shape[1], model):
        chunk = states[:, part]
        last = model.unembed(chunk[-1])
        target = last.softmax(-1)
        entropy = cross_entropy(last, target)
        groups = state_groups(list(range(len(states))), chunk.shape[1], model)
        rows = [cross_entropy(lens.logits_of_states(chunk[ks], ks), target) for ks in groups]
        found.append(torch.cat(rows) - entropy)
    return torch.cat(found, dim=1)
