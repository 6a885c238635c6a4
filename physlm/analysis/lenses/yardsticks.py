"""Yardsticks of lenses: the best predictions without a state, and the bias of each state's.

A context-free predictor that knows the average prediction already has a finite divergence; a lens
shows that a state knows something only where it is below it.
"""

from collections.abc import Iterator
from typing import NamedTuple

import torch
from jaxtyping import Float, Float64, Int
from torch import Tensor

from physlm.analysis.lenses.divergence import cross_entropy, state_groups, token_chunks
from physlm.analysis.lenses.lens import Lens
from physlm.analysis.lenses.update_weights import UpdateWeights
from physlm.models.language_model import LanguageModel


class Yardstick(NamedTuple):
    """Divergence of the best predictor that knows only a context.

    Attributes:
        kl_nats: Its mean divergence from state L's predictions, on these very tokens: no predictor
            that knows the context alone is better here.
        singleton_fraction: Fraction of tokens whose context occurs once, where the divergence is 0
            by construction; the yardstick says little if there are many.
    """

    kl_nats: float
    singleton_fraction: float


@torch.no_grad()
def constant_yardstick(model: LanguageModel, last: Float[Tensor, "tokens width"]) -> Yardstick:
    """The best context-free predictor, which is the mean prediction.

    Its divergence is the entropy of the mean minus the mean entropy.

    Args:
        model: The model.
        last: States L.
    """
    return context_yardstick(model, last, torch.zeros(len(last), dtype=torch.long))


@torch.no_grad()
def context_yardstick(
    model: LanguageModel, last: Float[Tensor, "tokens width"], contexts: Int[Tensor, " tokens"]
) -> Yardstick:
    """The best predictor that knows the context of each token, which is the mean in each context.

    With the current token as context (and its position, if positions are learned) no lens of
    state 0 is better.

    Args:
        model: The model.
        last: States L.
        contexts: The number of each token's context.
    """
    contexts = contexts.to(last.device)
    order = contexts.argsort(stable=True)
    entropy = torch.zeros((), dtype=torch.float64, device=last.device)
    for part in token_chunks(len(last), model):
        logits = model.unembed(last[order[part]])
        entropy += cross_entropy(logits, logits.softmax(-1)).double().sum()
    explained = sum(
        float(count) * _entropy(total / count)
        for total, count in _sums(model, last[order], contexts[order])
    )
    n_singletons = int((torch.bincount(contexts) == 1).sum())
    return Yardstick((explained - entropy.item()) / len(last), n_singletons / len(last))


def _sums(
    model: LanguageModel, last: Tensor, contexts: Tensor
) -> Iterator[tuple[Float64[Tensor, " vocab"], int]]:
    """Summed predictions and number of tokens of each context; equal contexts are neighbours."""
    open_sum, open_count, open_context = None, 0, None
    for part in token_chunks(len(last), model):
        probabilities = model.unembed(last[part]).softmax(-1)
        found, counts = torch.unique_consecutive(contexts[part], return_counts=True)
        rows = torch.split(probabilities, counts.tolist())
        for context, row in zip(found.tolist(), rows, strict=True):
            total = row.double().sum(0)
            if context == open_context and open_sum is not None:
                open_sum, open_count = open_sum + total, open_count + len(row)
                continue
            if open_sum is not None:
                yield open_sum, open_count
            open_sum, open_count, open_context = total, len(row), context
    if open_sum is not None:
        yield open_sum, open_count


def _entropy(probabilities: Float64[Tensor, " vocab"]) -> float:
    return float(torch.special.entr(probabilities).sum())


@torch.no_grad()
def constant_prediction(
    model: LanguageModel, last: Float[Tensor, "tokens width"], weights: UpdateWeights
) -> Float64[Tensor, " vocab"]:
    """Probabilities of the best context-free predictor under weights of a lens' updates.

    What such weights do to a predictor that knows nothing is no finding about the model.

    Args:
        model: The model.
        last: States L.
        weights: Weights of updates by the frequency of tokens.
    """
    total = sum(
        _weighted_sum(model.unembed(last[part]), weights) for part in token_chunks(len(last), model)
    )
    assert isinstance(total, Tensor)
    return total / total.sum()


def _weighted_sum(logits: Tensor, weights: UpdateWeights) -> Tensor:
    target = weights.of_entries(logits.softmax(-1))
    return (target * weights.of_positions(logits)[:, None]).double().sum(0)


@torch.no_grad()
def marginal_bias(
    lens: Lens, states: Float[Tensor, "states tokens width"]
) -> Float64[Tensor, " read"]:
    """KL divergence of the mean prediction of each state of the lens from that of state L, in nats.

    It is 0 at state L. Where it is not, the lens over- or underestimates tokens on average.

    Args:
        lens: The lens.
        states: States 0 to L.
    """
    parts = token_chunks(states.shape[1], lens.model)
    total = sum(_summed_predictions(lens, states[:, part]) for part in parts)
    assert isinstance(total, Tensor)
    mean = total / states.shape[1]
    return (torch.xlogy(mean[-1], mean[-1]) - torch.xlogy(mean[-1], mean)).sum(-1)


def _summed_predictions(lens: Lens, chunk: Tensor) -> Tensor:
    groups = state_groups(lens.states, chunk.shape[1], lens.model)
    rows = [lens.logits_of_states(chunk[ks], ks).softmax(-1).double().sum(1) for ks in groups]
    return torch.cat(rows)


def skill(kl_nats: Float[Tensor, "*states"], constant: Yardstick) -> Float[Tensor, "*states"]:
    """Fraction of the constant predictor's divergence that a lens removes; 1 is the model itself.

    Args:
        kl_nats: Mean divergence of the lens on the tokens of the yardstick.
        constant: The constant predictor.
    """
    return 1 - kl_nats / constant.kl_nats
