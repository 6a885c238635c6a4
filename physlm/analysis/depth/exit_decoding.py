"""Decoding with early exit, measured against decoding with the whole model in the same run."""

import time
from bisect import bisect_left
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from physlm.analysis.depth.early_exit import AGREEMENT, STATIC, is_calibrated_on, thresholds
from physlm.analysis.depth.early_exit_decoder import EarlyExitDecoder
from physlm.analysis.depth.exit_rule import ExitRule
from physlm.analysis.depth.sample import DepthSample
from physlm.analysis.lenses.lens import Lens
from physlm.eval.generate import generate
from physlm.eval.sampling import Sampling
from physlm.measurement import Metric
from physlm.models.language_model import LanguageModel

if TYPE_CHECKING:
    from physlm.analysis.depth.early_exit_scorer import EarlyExitConfig

_PREFIX = "depth/early_exit/decoding"
_WHOLE = "whole"


def decoding_metrics(
    config: "EarlyExitConfig", lens: Lens, sample: DepthSample, static_state: int
) -> list[Metric]:
    """Agreement on given texts, blocks per token, and time relative to the whole model.

    Tokens that leave early change what later tokens attend to, so a threshold chosen on traced rows
    is too lax for decoding; it is chosen by decoding other texts.

    Args:
        config: Settings of the scorer.
        lens: Reads the states.
        sample: The texts.
        static_state: State at which all tokens leave; not decoded if it is the last.
    """
    documents = sample.positions.documents
    assert documents is not None
    is_choosing = torch.from_numpy(is_calibrated_on(documents[:, 0].numpy()))
    early = {}
    if static_state < lens.n_layers:
        early[STATIC] = EarlyExitDecoder(lens, ExitRule.static(static_state))
    rule = calibrated(lens, _texts(config, lens.model, sample, is_choosing), config)
    if rule is not None:
        early[config.criterion.value] = EarlyExitDecoder(lens, rule)
    texts = _texts(config, lens.model, sample, ~is_choosing)
    found = [
        metric for name, decoder in early.items() for metric in _on_texts(decoder, texts, name)
    ]
    return found + _times(config, lens.model, early, texts)


def calibrated(
    lens: Lens, texts: Int[Tensor, "texts seq"], config: "EarlyExitConfig"
) -> ExitRule | None:
    """The most permissive rule with 99 % agreement on the texts; None if there is none.

    The threshold is found by bisection, which assumes that stricter ones agree more.

    Args:
        lens: Reads the states.
        texts: Given texts.
        config: Criterion and candidate states.
    """
    states = tuple(config.exit_states(lens.model))
    rules = [
        ExitRule(states=states, criterion=config.criterion, threshold=threshold)
        for threshold in thresholds(config.criterion, len(states), lens.model.vocabulary_size)
    ]
    whole = _top1(lens.model, texts)

    def is_good(rule: ExitRule) -> bool:
        agrees = _top1(EarlyExitDecoder(lens, rule), texts) == whole
        return agrees.double().mean().item() >= AGREEMENT

    first = bisect_left(range(len(rules)), 1, key=lambda number: is_good(rules[number]))
    return rules[first] if first < len(rules) else None


def best_seconds(runs: Mapping[str, Callable[[], object]], n_repeats: int) -> dict[str, float]:
    """Shortest time of each run in seconds; runs alternate, after one warm-up each."""
    for run in runs.values():
        run()
    best = dict.fromkeys(runs, float("inf"))
    for _ in range(n_repeats):
        for name, run in runs.items():
            began = time.perf_counter()
            run()
            best[name] = min(best[name], time.perf_counter() - began)
    return best


def _times(
    config: "EarlyExitConfig",
    model: LanguageModel,
    early: Mapping[str, EarlyExitDecoder],
    texts: Int[Tensor, "texts seq"],
) -> list[Metric]:
    """Time of greedy decoding with early exit, over that of the whole model."""
    n_new = min(config.n_new_tokens, texts.shape[1] - 1)
    prompts = texts[:, : texts.shape[1] - n_new]
    sampling = Sampling(
        max_new_tokens=n_new, temperature=0.0, batch_size=config.decoding_batch_size
    )

    def decoding(decoder: LanguageModel) -> Callable[[], object]:
        return lambda: generate(decoder, prompts, sampling, seed=0)

    runs = {name: decoding(decoder) for name, decoder in {_WHOLE: model, **early}.items()}
    seconds = best_seconds(runs, config.n_repeats) if early else {}
    return [
        Metric(
            name=f"{_PREFIX}/time_ratio",
            value=seconds[name] / seconds[_WHOLE],
            unit="ratio",
            n=config.n_repeats,
            dims={"criterion": name},
        )
        for name in early
    ]


def _on_texts(early: EarlyExitDecoder, texts: Int[Tensor, "texts seq"], name: str) -> list[Metric]:
    """Agreement with the whole model on given texts, and blocks per decoded token."""
    agrees = (_top1(early, texts) == _top1(early.model, texts)).double()
    per_text: Float[Tensor, " texts"] = agrees.mean(dim=1)
    n_texts = len(texts)
    return [
        Metric(
            name=f"{_PREFIX}/agreement",
            value=per_text.mean().item(),
            unit="fraction",
            n=agrees.numel(),
            stderr=per_text.std().item() / n_texts**0.5 if n_texts > 1 else None,
            dims={"criterion": name},
        ),
        Metric(
            name=f"{_PREFIX}/blocks",
            value=early.mean_blocks,
            unit="blocks",
            n=sum(early.n_left.values()),
            dims={"criterion": name},
        ),
    ]


@torch.inference_mode()
def _top1(model: LanguageModel, texts: Int[Tensor, "texts seq"]) -> Int[Tensor, "texts seq"]:
    found: Tensor = model(texts).argmax(dim=-1)
    return found


def _texts(
    config: "EarlyExitConfig",
    model: LanguageModel,
    sample: DepthSample,
    is_chosen: Bool[Tensor, " windows"],
) -> Int[Tensor, "texts seq"]:
    """The longest of the chosen windows, cut to the shortest of them."""
    lengths = sample.positions.lengths
    assert lengths is not None
    order = lengths.where(is_chosen, 0).argsort(descending=True, stable=True)
    kept = order[: min(config.n_texts, int(is_chosen.sum()))]
    return sample.tokens[kept, : int(lengths[kept].min())].to(model.device)
