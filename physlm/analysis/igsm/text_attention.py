"""Attention of the best heads in one document, as arrays to be drawn."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch

from physlm.analysis.igsm.attention_roles import Prediction, predictions_of
from physlm.data.tasks.igsm.language import words_of_tokens
from physlm.data.tasks.igsm.places import Document
from physlm.models.language_model import LanguageModel


@torch.inference_mode()
def text_attention(
    model: LanguageModel, documents: Sequence[Document], tops: Mapping[str, tuple[int, int]]
) -> dict[str, np.ndarray]:
    """Attention from the last prediction of each origin, in the shortest document with the most.

    Args:
        model: A causal model with attention weights.
        documents: Documents of iGSM, with right solutions.
        tops: The layer and the head to show, by origin.

    Returns:
        ``text_words``; and with one entry or row for each origin: ``text_from``, ``text_layer``,
        ``text_head``, ``text_at`` (the current token) and ``text_attention``, weights of all
        tokens.
    """
    document, last = min(
        ((document, _last(document)) for document in documents),
        key=lambda own: (-len(own[1]), len(own[0])),
    )
    shown = [origin for origin in tops if origin in last]
    tokens = torch.from_numpy(document).long()[None].to(model.device)
    layers = sorted({tops[origin][0] for origin in shown})
    rows = np.zeros((len(shown), len(document)), dtype=np.float32)
    for layer, maps in model.attention_patterns(tokens, layers):
        for i, origin in enumerate(shown):
            if tops[origin][0] == layer:
                rows[i] = maps[0, tops[origin][1], last[origin].at].float().cpu().numpy()
    return {
        "text_words": np.array(words_of_tokens(document.tolist())),
        "text_from": np.array(shown),
        "text_layer": np.array([tops[origin][0] for origin in shown]),
        "text_head": np.array([tops[origin][1] for origin in shown]),
        "text_at": np.array([last[origin].at for origin in shown]),
        "text_attention": rows,
    }


def _last(document: Document) -> dict[str, Prediction]:
    """The last prediction of each origin."""
    return {own.origin: own for own in predictions_of(document)}
