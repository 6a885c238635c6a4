"""Metrics of a model's depth through one lens, and of the lens itself."""

from typing import NamedTuple

import polars as pl
import torch
from jaxtyping import Float, Int
from torch import Tensor

from physlm.analysis.depth.buckets import Buckets
from physlm.analysis.depth.depth_means import depth_means
from physlm.analysis.depth.metrics import metrics_of
from physlm.analysis.depth.sample import DepthSample
from physlm.analysis.lenses.lens import Lens
from physlm.analysis.lenses.state_pool import StatePool
from physlm.analysis.lenses.update_weights import UpdateWeights
from physlm.analysis.lenses.yardsticks import (
    Yardstick,
    constant_prediction,
    constant_yardstick,
    context_yardstick,
    marginal_bias,
)
from physlm.measurement import Metric
from physlm.models.language_model import LanguageModel

_DEPTHS = {
    "onset": ("depth/onset", "blocks"),
    "settled": ("depth/settled", "blocks"),
    "flickers": ("depth/flicker_fraction", "fraction"),
    "onset_fraction": ("depth/onset_fraction", "fraction"),
    "settled_fraction": ("depth/settled_fraction", "fraction"),
}
_STATES = {
    "agreement": ("depth/agreement", "fraction"),
    "accuracy": ("depth/accuracy", "fraction"),
    "entropy_nats": ("depth/entropy_nats", "nats"),
    "true_kl_nats": ("lens/true_kl_nats", "nats"),
}


class Yardsticks(NamedTuple):
    """Predictors that a lens is compared with.

    Attributes:
        constant: The best predictor without a context.
        token: The best predictor from the current token alone.
    """

    constant: Yardstick
    token: Yardstick

    def metrics(self, n: int) -> list[Metric]:
        """Their divergences, and the fraction of tokens that occur once among the predictions.

        Args:
            n: Number of predictions.
        """
        kl = [
            Metric(name=f"lens/{name}_kl_nats", value=own.kl_nats, unit="nats", n=n)
            for name, own in self._asdict().items()
        ]
        singletons = self.token.singleton_fraction
        return [
            *kl,
            Metric(name="lens/token_singleton_fraction", value=singletons, unit="fraction", n=n),
        ]


@torch.no_grad()
def yardsticks(model: LanguageModel, sample: DepthSample) -> Yardsticks:
    """The yardsticks on the analysed predictions."""
    last, tokens = last_states(model, sample)
    return Yardsticks(constant_yardstick(model, last), context_yardstick(model, last, tokens))


@torch.no_grad()
def last_states(
    model: LanguageModel, sample: DepthSample
) -> tuple[Float[Tensor, "n width"], Int[Tensor, " n"]]:
    """State L at every analysed prediction, and the token that is read there."""
    is_counted = sample.analysed.counted(sample.positions.skip_first)
    parts = [
        model.residuals(tokens.to(model.device), [model.n_layers])[0][own.to(model.device)]
        for tokens, own in zip(
            torch.split(sample.tokens, 32), torch.split(is_counted, 32), strict=True
        )
    ]
    return torch.cat(parts), sample.tokens[is_counted]


def lens_metrics(means: pl.DataFrame, name: str, constant: Yardstick) -> list[Metric]:
    """Divergence of each state from the model, and its skill: 1 minus its ratio to the constant's.

    Args:
        means: Result of ``state_means``.
        name: Name of the lens.
        constant: The constant predictor of the same predictions.
    """
    kl = metrics_of(means, {"kl_nats": ("lens/kl_nats", "nats")}, ["state"], lens=name)
    skill = [
        Metric(
            name="lens/skill",
            value=1 - metric.value / constant.kl_nats,
            unit="fraction",
            n=metric.n,
            stderr=None if metric.stderr is None else metric.stderr / constant.kl_nats,
            dims=metric.dims,
        )
        for metric in kl
    ]
    return [*kl, *skill]


def depth_metrics(rows: pl.DataFrame, means: pl.DataFrame, name: str) -> list[Metric]:
    """Onset, settled and flicker; agreement, accuracy and entropy by state.

    Args:
        rows: Rows of ``trace``.
        means: Their ``state_means``.
        name: Name of the lens.
    """
    return [
        *metrics_of(depth_means(rows), _DEPTHS, lens=name),
        *metrics_of(means, _STATES, ["state"], lens=name),
    ]


def bias_metrics(lens: Lens, sample: DepthSample, name: str) -> list[Metric]:
    """How far each state's mean prediction is from the model's, see ``marginal_bias``.

    Args:
        lens: The lens.
        sample: What is analysed.
        name: Name of the lens.
    """
    pool = StatePool(lens.model, sample.analysed, skip_first=sample.positions.skip_first, seed=0)
    states = next(iter(pool))
    return [
        Metric(
            name="lens/bias_nats",
            value=float(value),
            unit="nats",
            n=states.shape[1],
            dims={"lens": name, "state": k},
        )
        for k, value in zip(lens.states, marginal_bias(lens, states), strict=True)
    ]


@torch.no_grad()
def weighted_constant_metrics(
    model: LanguageModel, sample: DepthSample, weights: UpdateWeights, buckets: Buckets
) -> list[Metric]:
    """Guesses and masses of the constant predictor under the weights of a lens' updates.

    Args:
        model: The model.
        sample: What is analysed.
        weights: Weights of updates by the frequency of tokens.
        buckets: Groups of tokens.
    """
    last, _ = last_states(model, sample)
    probabilities = constant_prediction(model, last, weights).cpu()
    masses = (probabilities[:, None] * buckets.membership()).sum(0)
    guess = buckets.names[buckets.of_token[int(probabilities.argmax())]]
    found = []
    for bucket, mass in zip(buckets.names, masses.tolist(), strict=True):
        for name, value in (("top1_fraction", float(bucket == guess)), ("mass", mass)):
            found.append(
                Metric(
                    name=f"depth/frequency/constant_{name}",
                    value=value,
                    unit="fraction",
                    n=len(last),
                    dims={"bucket": bucket, "lens": "weighted"},
                )
            )
    return found
