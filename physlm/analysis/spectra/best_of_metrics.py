"""Everything that the scorer ``spectral_best_of`` measures."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import torch
from jaxtyping import Bool, Float

from physlm.analysis.spectra.best_of import Right, chosen_pick, length_scores, picked
from physlm.analysis.spectra.text_columns import Choice, half, text_columns, unpaired_texts
from physlm.analysis.spectra.text_rows import batches
from physlm.data.corpus import Corpus
from physlm.data.labelled import LabelledTexts
from physlm.data.prompted import Prompted, Prompts
from physlm.errors import InputError
from physlm.eval.generate import generate
from physlm.eval.sampling import Sampling
from physlm.eval.scorer import mean
from physlm.measurement import Dim, Measurement, Metric
from physlm.models.language_model import LanguageModel

if TYPE_CHECKING:
    from physlm.analysis.spectra.spectral_best_of import SpectralBestOfConfig

_P = "best_of"
_SEED = 0  # of the continuations and the untrained model
_OVER = ("random", "mean_log_probability", "min_log_probability")


@dataclass(frozen=True, slots=True)
class Candidates:
    """Continuations of prompts, grouped by prompt.

    Attributes:
        texts: Prompts with their continuations, and whether each is right; a problem is a prompt.
        is_right: The same, one row per prompt.
        mean_log_probability: Mean over the tokens of each continuation, with the end of the text.
        min_log_probability: That of the least likely of these tokens.
    """

    texts: LabelledTexts
    is_right: Right
    mean_log_probability: Float[np.ndarray, "prompts candidates"]
    min_log_probability: Float[np.ndarray, "prompts candidates"]


@dataclass(frozen=True, slots=True)
class Pick:
    """A way to pick a continuation, and how often it is right.

    Attributes:
        dims: Its name, and the metric if it uses a single one.
        right: Whether the picked continuation is right, for each prompt on which nothing was
            chosen.
        choice: Column and direction, of a spectral pick.
    """

    dims: dict[str, Dim]
    right: Float[np.ndarray, " prompts"]
    choice: Choice | None = None


def measured_best_of(
    config: "SpectralBestOfConfig", model: LanguageModel, corpus: Corpus
) -> Measurement:
    """The measurement of the scorer ``spectral_best_of``."""
    assert isinstance(corpus, Prompted)
    found = candidates(config, model, corpus)
    is_fitting = half(config.n_prompts, "best of")
    tested = found.is_right[~is_fitting]
    picks = [*_controls(found, is_fitting), *_spectral(config, model, found, is_fitting)]
    by_name = {pick.dims["pick"]: pick for pick in picks if "metric" not in pick.dims}
    metrics = [mean(f"{_P}/right", pick.right, "fraction", **pick.dims) for pick in picks]
    for pick in picks:
        metrics += _gains(pick, by_name)
    metrics.append(mean(f"{_P}/all_right", tested.all(axis=1), "fraction"))
    metrics.append(mean(f"{_P}/none_right", ~tested.any(axis=1), "fraction"))
    return Measurement(tuple(metrics), tables={"best_of_picks": _table(picks)})


def candidates(
    config: "SpectralBestOfConfig", model: LanguageModel, corpus: Prompted
) -> Candidates:
    """Continuations of held-out prompts, sampled at temperature 1 and checked."""
    prompts = corpus.prompts(config.n_prompts)
    repeated = [prompt for prompt in prompts.tokens for _ in range(config.n_candidates)]
    sampling = Sampling(max_new_tokens=prompts.max_new_tokens, eos=prompts.eos)
    written = generate(model, repeated, sampling, seed=_SEED)
    tokens = [
        np.concatenate([prompt, new]).astype(np.int32)
        for prompt, new in zip(repeated, written.tokens, strict=True)
    ]
    is_whole = written.is_ended if prompts.eos is not None else np.ones(len(tokens), dtype=bool)
    right = np.asarray(corpus.are_right(tokens)) & is_whole
    _require_both(right)
    shape = (config.n_prompts, config.n_candidates)
    problem = np.repeat(np.arange(config.n_prompts), config.n_candidates)
    log_p = _log_probabilities(model, tokens, is_whole, prompts, config.batch_size)
    return Candidates(
        texts=unpaired_texts(tokens, right, problem),
        is_right=right.reshape(shape),
        mean_log_probability=log_p[0].reshape(shape),
        min_log_probability=log_p[1].reshape(shape),
    )


@torch.inference_mode()
def _log_probabilities(
    model: LanguageModel,
    tokens: list[np.ndarray],
    is_ended: Bool[np.ndarray, " texts"],
    prompts: Prompts,
    batch_size: int,
) -> Float[np.ndarray, "2 texts"]:
    """Mean and least log-probability of the tokens of each continuation."""
    if prompts.eos is not None:
        end = np.array([prompts.eos], dtype=np.int32)
        tokens = [
            np.concatenate([text, end]) if ended else text
            for text, ended in zip(tokens, is_ended, strict=True)
        ]
    n_candidates = len(tokens) // len(prompts.tokens)
    n_given = np.repeat([len(prompt) for prompt in prompts.tokens], n_candidates)
    read = unpaired_texts(tokens, is_ended, np.arange(len(tokens)))
    found = np.empty((2, len(tokens)))
    for batch in batches(read, batch_size):
        rows = torch.from_numpy(np.stack([tokens[i] for i in batch])).long().to(model.device)
        log_p = model(rows[:, :-1]).float().log_softmax(-1)
        own = log_p.gather(-1, rows[:, 1:, None])[..., 0].double().cpu().numpy()
        for i, values in zip(batch, own, strict=True):
            new = values[n_given[i] - 1 :]
            found[:, i] = new.mean(), new.min()
    return found


def _controls(found: Candidates, is_fitting: Bool[np.ndarray, " prompts"]) -> Iterator[Pick]:
    """Picks without spectra: chance, the ceiling, likelihood and length."""
    tested = found.is_right[~is_fitting]
    yield Pick({"pick": "random"}, tested.mean(axis=1))
    yield Pick({"pick": "ceiling"}, tested.any(axis=1).astype(float))
    scores = {name: getattr(found, name) for name in _OVER[1:]}
    n_tokens = found.texts.n_tokens.reshape(found.is_right.shape)
    if np.ptp(n_tokens, axis=1).any():
        scores |= length_scores(n_tokens)
    for name, own in scores.items():
        yield Pick({"pick": name}, picked(own[~is_fitting], tested).astype(float))


def _spectral(
    config: "SpectralBestOfConfig",
    model: LanguageModel,
    found: Candidates,
    is_fitting: Bool[np.ndarray, " prompts"],
) -> Iterator[Pick]:
    """Picks by spectra, of all metrics and of each alone; and by those of an untrained model."""
    for name, read in (("spectra", model), ("untrained", model.untrained(_SEED))):
        columns = text_columns(read, found.texts, config.metrics, config.batch_size)
        yield _of_choice(found, is_fitting, chosen_pick(columns, found.is_right, is_fitting), name)
        if name == "untrained":
            continue
        for metric in columns.metrics:
            choice = chosen_pick(columns.of_metric(metric), found.is_right, is_fitting)
            yield _of_choice(found, is_fitting, choice, name, metric=metric.split("/")[0])


def _of_choice(
    found: Candidates,
    is_fitting: Bool[np.ndarray, " prompts"],
    choice: Choice,
    name: str,
    **dims: Dim,
) -> Pick:
    scores = choice.scores.reshape(found.is_right.shape)
    right = picked(scores[~is_fitting], found.is_right[~is_fitting]).astype(float)
    return Pick({"pick": name, **dims}, right, choice)


def _gains(pick: Pick, by_name: dict[Dim, Pick]) -> Iterator[Metric]:
    """Differences from chance and from likelihood on the same prompts."""
    for over in _OVER:
        if pick.dims["pick"] not in {over, "random"}:
            difference = pick.right - by_name[over].right
            yield mean(f"{_P}/gain", difference, "fraction", over=over, **pick.dims)


def _table(picks: list[Pick]) -> pl.DataFrame:
    """One row per pick: what was chosen, and the fraction of right ones on the other prompts."""
    return pl.DataFrame(
        {
            "pick": [str(pick.dims["pick"]) for pick in picks],
            "metric": [pick.choice.key[2] if pick.choice else None for pick in picks],
            "layer": [pick.choice.key[0] if pick.choice else None for pick in picks],
            "head": [pick.choice.key[1] if pick.choice else None for pick in picks],
            "sign": [pick.choice.sign if pick.choice else None for pick in picks],
            "is_one_metric": ["metric" in pick.dims for pick in picks],
            "right": [float(pick.right.mean()) for pick in picks],
        },
        schema_overrides={"metric": pl.String, "layer": pl.Int64, "head": pl.Int64},
    )


def _require_both(is_right: Bool[np.ndarray, " texts"]) -> None:
    if is_right.all() or not is_right.any():
        which = "all" if is_right.all() else "none"
        raise InputError(
            f"eval=spectral_best_of: {which} of {len(is_right)} sampled continuations are right, "
            "so no pick differs from another; use a weaker or a better model"
        )
