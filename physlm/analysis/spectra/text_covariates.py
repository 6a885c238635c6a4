"""Length, likelihood and repetition of texts: the controls of a spectrum."""

import numpy as np
import polars as pl
import torch

from physlm.analysis.spectra.text_rows import batches
from physlm.data.labelled import LabelledTexts
from physlm.models.language_model import LanguageModel


@torch.inference_mode()
def text_covariates(model: LanguageModel, texts: LabelledTexts, batch_size: int) -> pl.DataFrame:
    """One row per text: its label, and what is known of it without any spectrum.

    Args:
        model: A causal model; log-probabilities and entropies (nats) are its own, without tokens
            that are given.
        texts: The texts.
        batch_size: Texts of equal length that are read at once.
    """
    found = {name: np.empty(len(texts)) for name in ("mean", "min", "entropy")}
    for batch in batches(texts, batch_size):
        tokens = torch.from_numpy(np.stack([texts.tokens[i] for i in batch])).long()
        tokens = tokens.to(model.device)
        log_p = model(tokens[:, :-1]).float().log_softmax(-1)
        own = log_p.gather(-1, tokens[:, 1:, None])[..., 0].cpu().numpy()
        entropy = -(log_p.exp() * log_p).nan_to_num(0.0).sum(-1).cpu().numpy()
        for i, of_text, entropies in zip(batch, own, entropy, strict=True):
            first = int(texts.n_given[i]) - 1
            found["mean"][i] = of_text[first:].mean()
            found["min"][i] = of_text[first:].min()
            found["entropy"][i] = entropies[first:].mean()
    distinct = np.array([len(np.unique(text)) for text in texts.tokens])
    return pl.DataFrame(
        {
            "text": np.arange(len(texts)),
            "problem": texts.problem,
            "is_valid": texts.is_valid,
            "corruption": list(texts.corruption),
            "n_errors": texts.n_errors,
            "error_position": texts.error_position,
            "source": list(texts.source),
            "is_complete": texts.is_complete,
            "n_tokens": texts.n_tokens,
            "mean_log_probability": found["mean"],
            "min_log_probability": found["min"],
            "mean_entropy": found["entropy"],
            "distinct_tokens": distinct,
            "repeated_fraction": 1 - distinct / texts.n_tokens,
        }
    )
