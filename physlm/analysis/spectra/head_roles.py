"""Roles of heads: what each attends to, and which role a spectral metric correlates with."""

from collections.abc import Iterator

import numpy as np
import polars as pl
import torch
from jaxtyping import Float, Int64
from scipy import stats
from torch import Tensor

from physlm.data.corpus import Corpus
from physlm.measurement import Metric
from physlm.models.language_model import LanguageModel
from physlm.rng import stream

_N_SEQUENCES = 50
_N_STRINGS = 50  # of a grammar, for its boundaries
ROLES = ("induction", "previous_token", "sink", "self", "boundary_peak")

Heads = Float[np.ndarray, "layers heads"]


def head_roles(model: LanguageModel, corpus: Corpus, n_tokens: int) -> dict[str, Heads]:
    """Scores of each head, on random tokens that are repeated once.

    ``induction``: attention to the tokens that followed earlier occurrences of the current token.
    ``previous_token``, ``sink`` and ``self``: attention to the token before, the first one and
    itself. All are means over the tokens of the repetition. In grammars also ``boundary_peak``,
    attention to ends of constituents above that to the tokens next to them.

    Args:
        model: A causal model.
        corpus: Its world.
        n_tokens: Maximum number of tokens that it reads.

    Source:
        Olsson et al. (2022), In-context learning and induction heads.
    """
    tokens = repeated_tokens(corpus.vocabulary.size, corpus.vocabulary.eos, (n_tokens - 1) // 2)
    given = torch.from_numpy(tokens).to(model.device)
    by_layer = [role_scores(maps, given) for _, maps in model.attention_patterns(given)]
    found = {name: np.stack([scores[name] for scores in by_layer]) for name in by_layer[0]}
    peaks = _boundary_peaks(model, corpus)
    return found if peaks is None else {**found, "boundary_peak": peaks}


def repeated_tokens(size: int, eos: int, period: int) -> Int64[np.ndarray, "sequences tokens"]:
    """Random tokens other than end-of-text, twice in a row after an end-of-text.

    Args:
        size: Number of tokens of the vocabulary.
        eos: End-of-text.
        period: Tokens until they repeat.
    """
    rng = stream(0, "spectra", "induction")
    once = rng.choice(np.setdiff1d(np.arange(size), [eos]), (_N_SEQUENCES, period))
    return np.insert(np.concatenate([once, once], axis=1), 0, eos, axis=1)


def role_scores(
    maps: Float[Tensor, "texts heads tokens tokens"], tokens: Int64[Tensor, "texts tokens"]
) -> dict[str, Float[np.ndarray, " heads"]]:
    """The scores of a layer's heads; see `head_roles`."""
    second = slice((tokens.shape[1] + 1) // 2, None)
    place = torch.arange(tokens.shape[1], device=tokens.device)
    is_same = tokens[:, :, None] == tokens[:, None, :]
    # The key after an earlier occurrence: shifted by one to the right, and not beyond the query.
    follows = torch.zeros_like(is_same)
    follows[:, :, 1:] = is_same[:, :, :-1]
    follows &= place[:, None] >= place
    masses = {
        "induction": (maps * follows[:, None]).sum(-1),
        "previous_token": torch.nn.functional.pad(maps.diagonal(-1, -2, -1), (1, 0)),
        "sink": maps[..., 0],
        "self": maps.diagonal(dim1=-2, dim2=-1),
    }
    return {
        name: mass[..., second].mean((0, 2)).double().cpu().numpy() for name, mass in masses.items()
    }


def role_table(roles: dict[str, Heads], metrics: dict[str, Heads]) -> pl.DataFrame:
    """One row per head: its roles beside the means of its spectral metrics."""
    n_layers, n_heads = next(iter(roles.values())).shape
    layer, head = np.divmod(np.arange(n_layers * n_heads), n_heads)
    values = {name: scores.ravel() for name, scores in {**roles, **metrics}.items()}
    return pl.DataFrame({"layer": layer, "head": head, **values})


def role_correlations(roles: dict[str, Heads], metrics: dict[str, Heads]) -> Iterator[Metric]:
    """Rank correlations over heads of each spectral metric with each role."""
    for metric, values in metrics.items():
        for role, scores in roles.items():
            if np.ptp(values) == 0 or np.ptp(scores) == 0:
                continue
            rho = float(stats.spearmanr(values.ravel(), scores.ravel()).statistic)
            dims = {"metric": metric.split("/")[0], "role": role}
            yield Metric(name="roles/spearman", value=rho, unit="rho", n=scores.size, dims=dims)


def _boundary_peaks(model: LanguageModel, corpus: Corpus) -> Heads | None:
    """Boundary peaks, for a grammar with levels between root and terminals; else None."""
    from physlm.analysis.attention_metrics import peaks
    from physlm.analysis.attention_statistics import attention_statistics
    from physlm.data.cfg.corpus import CfgCorpus
    from physlm.eval.cfg.requirements import fitting

    if not isinstance(corpus, CfgCorpus) or len(corpus.grammar.levels) < 3:
        return None
    strings = fitting(model, corpus.measured(_N_STRINGS, "roles", derivations=True))
    found = attention_statistics(model, corpus, strings)
    shape = found.at_boundary.shape[:2]
    of_heads = [
        peaks(found.at_boundary[at], found.end_to_end[at], found.adjacent[at])["boundary_peak"]
        for at in np.ndindex(shape)
    ]
    return np.array(of_heads).reshape(shape)
