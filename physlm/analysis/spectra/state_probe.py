"""A supervised probe of the states, which spectral metrics of states are compared with."""

from collections.abc import Iterator

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


def probe_aucs(
    model: LanguageModel, labelled: LabelledTexts, texts: Texts, batch_size: int, seed: int = 0
) -> Iterator[tuple[int, float]]:
    """AUC of a logistic regression on the mean state of a text, for each state of the model.

    Cross-validated in folds grouped by problem, the penalty chosen in inner folds.

    Args:
        model: The model.
        labelled: The texts.
        texts: The same, as the comparison knows them.
        batch_size: Texts that are read at once.
        seed: Of the folds.
    """
    folds = grouped_folds(texts, _N_FOLDS, stream(seed, "outer folds"))
    for state, values in enumerate(_mean_states(model, labelled, batch_size)):
        logits = np.empty(len(values))
        for i, fold in enumerate(np.unique(folds)):
            is_test: Bool[np.ndarray, " texts"] = folds == fold
            split = Split(texts, is_test, stream(seed, "inner folds", i))
            logits[is_test] = split.best(values).logits
        yield state, float(auc(logits[:, None], texts.is_valid)[0])


@torch.inference_mode()
def _mean_states(
    model: LanguageModel, texts: LabelledTexts, batch_size: int
) -> Float[np.ndarray, "states texts width"]:
    found: list[np.ndarray] = []
    order: list[int] = []
    for batch in batches(texts, batch_size):
        tokens = torch.from_numpy(np.stack([texts.tokens[i] for i in batch])).long()
        states = model.residuals(tokens.to(model.device)).float().mean(dim=2)
        found.append(states.double().cpu().numpy())
        order += batch.tolist()
    whole: np.ndarray = np.concatenate(found, axis=1)[:, np.argsort(order)]
    return whole
