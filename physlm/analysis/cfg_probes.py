"""Probes of hidden states for the ancestors of tokens and the ends of subtrees."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from physlm.analysis.probing import Labels, ProbeRecipe, fit_probes, is_found
from physlm.analysis.reach import Reach
from physlm.data.cfg.corpus import CfgCorpus
from physlm.data.cfg.derivation import Strings
from physlm.eval.scorer import mean
from physlm.measurement import Dim, Metric
from physlm.models.language_model import LanguageModel


def probed(
    model: LanguageModel,
    corpus: CfgCorpus,
    train: Strings,
    test: Strings,
    reaches: Sequence[Reach],
    recipe: ProbeRecipe,
) -> dict[Reach, Bool[np.ndarray, "questions strings positions"]]:
    """Whether probes trained on the states of some strings are correct on others, by reach.

    Args:
        model: The model whose states are probed.
        corpus: The corpus of the grammar.
        train: Strings that the probes are trained on.
        test: Strings that they are tested on.
        reaches: One set of probes is trained for each.
        recipe: Size and training of the probes.
    """
    longest = int(max(train.lengths.max(), test.lengths.max()))
    states, labels = {}, {}
    for name, strings in (("train", train), ("test", test)):
        states[name] = _states(model, corpus, strings, longest)
        labels[name] = _labels(corpus, strings, longest, states[name].device)
    found = {}
    for reach in reaches:
        probes = fit_probes(states["train"], labels["train"], reach, recipe, seed=corpus.seed)
        found[reach] = is_found(probes, states["test"], labels["test"]).cpu().numpy()
    return found


def compared_metrics(
    trained: Bool[np.ndarray, "questions strings positions"],
    untrained: Bool[np.ndarray, "questions strings positions"],
    strings: Strings,
    corpus: CfgCorpus,
    reach: Reach,
) -> Iterator[Metric]:
    """Accuracy on the trained and the untrained model, and the gain, averaged over strings.

    Args:
        trained: Whether probes of the trained model are correct.
        untrained: Whether probes of the same architecture with random weights are correct.
        strings: Strings that they were tested on.
        corpus: The corpus of the grammar.
        reach: Reach of the probes.
    """
    for question in _questions(strings, corpus, reach, trained.shape[2]):
        accuracy, control = (
            _accuracy(is_right[question.row], question.is_asked)
            for is_right in (trained, untrained)
        )
        if len(accuracy) == 0:  # no string has such a position
            continue
        dims: dict[str, Dim] = {
            "level": question.level,
            "positions": question.positions,
            "reach": reach.value,
            "target": question.target,
        }
        yield mean("probe/accuracy", accuracy, "accuracy", split="test", **dims)
        yield mean("probe/untrained_accuracy", control, "accuracy", split="test", **dims)
        yield mean("probe/gain", accuracy - control, "accuracy", split="test", **dims)


@torch.no_grad()
def _states(
    model: LanguageModel, corpus: CfgCorpus, strings: Strings, longest: int
) -> Float[Tensor, "strings positions width"]:
    """The last hidden state at every token; 0 after the end of a string.

    Padding is a segment of its own for encoders, which would attend to it otherwise.
    """
    rows = torch.from_numpy(corpus.documents(strings).rows(corpus.vocabulary.eos)).long()
    tokens = rows.to(model.device)
    is_read = torch.arange(rows.shape[1]) <= torch.from_numpy(strings.lengths)[:, None]
    is_read = is_read.to(model.device)
    states: list[Tensor] = []
    for part, is_part in zip(torch.split(tokens, 64), torch.split(is_read, 64), strict=True):
        segments = None if model.is_causal else is_part.long()
        states.append(model.hidden_states(part, segments).float() * is_part[..., None])
    whole = torch.cat(states)[:, 1:]
    return torch.nn.functional.pad(whole, (0, 0, 0, longest - whole.shape[1]))


def _labels(corpus: CfgCorpus, strings: Strings, longest: int, device: torch.device) -> Labels:
    """For every inner level the ancestor of each token, then whether a subtree ends there."""
    truth, levels = strings.derivations, corpus.grammar.levels
    assert truth is not None
    inner = range(1, len(levels) - 1)
    rows = [np.searchsorted(levels[i], truth.ancestors[i]) for i in inner]
    rows += [truth.is_boundary[i].astype(np.int64) for i in inner]
    is_asked = np.arange(longest) < strings.lengths[:, None]
    classes = np.zeros((len(rows), len(strings), longest), dtype=np.int64)
    classes[:, is_asked] = np.stack(rows)
    return Labels(
        n_classes=(*(len(levels[i]) for i in inner), *(2 for _ in inner)),
        classes=torch.from_numpy(classes).to(device),
        is_asked=torch.from_numpy(is_asked).to(device),
    )


class _Question(NamedTuple):
    """A target at some positions; ``row`` is its index among the labels."""

    target: str
    level: int
    positions: str
    row: int
    is_asked: Bool[np.ndarray, "strings positions"]


def _questions(
    strings: Strings, corpus: CfgCorpus, reach: Reach, longest: int
) -> Iterator[_Question]:
    """For each level the ancestor, at all positions or at ends and elsewhere, then the boundary."""
    truth, n_levels = strings.derivations, len(corpus.grammar.levels)
    assert truth is not None
    is_token = np.arange(longest) < strings.lengths[:, None]
    is_end = np.zeros((n_levels, *is_token.shape), dtype=np.bool_)
    is_end[:, is_token] = truth.is_boundary
    for k, level in enumerate(range(2, n_levels)):
        ends = is_end[level - 1]
        if reach is Reach.full:
            yield _Question("ancestor", level, "all", k, is_token)
        else:
            yield _Question("ancestor", level, "ends", k, ends)
            yield _Question("ancestor", level, "elsewhere", k, is_token & ~ends)
        yield _Question("boundary", level, "all", n_levels - 2 + k, is_token)


def _accuracy(
    is_right: Bool[np.ndarray, "strings positions"], is_asked: Bool[np.ndarray, "strings positions"]
) -> Float[np.ndarray, " asked"]:
    """Accuracy of each string over its positions; strings without any are left out."""
    n_asked = is_asked.sum(axis=1)
    accuracy: np.ndarray = (is_right & is_asked).sum(axis=1)[n_asked > 0] / n_asked[n_asked > 0]
    return accuracy
