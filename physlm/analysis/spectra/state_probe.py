"""A supervised probe of the states, which spectral metrics of states are compared with."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float

from physlm.analysis.spectra.comparison.effects import auc
from physlm.analysis.spectra.comparison.folds import grouped_folds
from physlm.analysis.spectra.comparison.groups import Texts
from physlm.analysis.spectra.comparison.splits import Split
from physlm.analysis.spectra.text_rows import batches
from physlm.data.labelled import LabelledTexts
from physlm.models.language_model import LanguageModel
from physlm.rng import stream

_N_FOLDS = 5


@dataclass(frozen=True, slots=True)
class ProbeAucs:
    """How well probes of the states separate valid from invalid texts, on held-out texts.

    Attributes:
        by_state: AUC of the probe of each state.
        chosen: AUC of the probe of the state that each training fold chooses.
    """

    by_state: tuple[float, ...]
    chosen: float


def probe_aucs(
    states: Float[np.ndarray, "states texts width"], texts: Texts, seed: int = 0
) -> ProbeAucs:
    """AUC of logistic regressions on the mean state of a text.

    Cross-validated in folds grouped by problem; the penalty, and the state, are those of the least
    loss in the inner folds.

    Args:
        states: Result of ``mean_states``.
        texts: The texts, as the comparison knows them.
        seed: Seed of the folds.
    """
    folds = grouped_folds(texts, _N_FOLDS, stream(seed, "outer folds"))
    logits, chosen = np.empty((len(texts.is_valid), len(states))), np.empty(len(texts.is_valid))
    for i, fold in enumerate(np.unique(folds)):
        is_test: Bool[np.ndarray, " texts"] = folds == fold
        split = Split(texts, is_test, stream(seed, "inner folds", i))
        fits = [split.best(values) for values in states]
        logits[is_test] = np.column_stack([fit.logits for fit in fits])
        chosen[is_test] = min(fits, key=lambda fit: fit.loss).logits
    *by_state, of_chosen = auc(np.column_stack([logits, chosen]), texts.is_valid).tolist()
    return ProbeAucs(tuple(by_state), of_chosen)


@torch.inference_mode()
def mean_states(
    model: LanguageModel, texts: LabelledTexts, batch_size: int
) -> Float[np.ndarray, "states texts width"]:
    """Mean over the tokens of each state of each text, texts of equal length read at once."""
    found: list[np.ndarray] = []
    order: list[int] = []
    for batch in batches(texts, batch_size):
        tokens = torch.from_numpy(np.stack([texts.tokens[i] for i in batch])).long()
        states = model.residuals(tokens.to(model.device)).float().mean(dim=2)
        found.append(states.double().cpu().numpy())
        order += batch.tolist()
    whole: np.ndarray = np.concatenate(found, axis=1)[:, np.argsort(order)]
    return whole
