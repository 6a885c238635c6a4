"""Attention on one string of a grammar, with its derivation, as arrays."""

import numpy as np

from physlm.analysis.attention_statistics import attention_of
from physlm.data.cfg.corpus import CfgCorpus
from physlm.data.cfg.derivation import Strings
from physlm.models.language_model import LanguageModel


def attention_over(
    model: LanguageModel, corpus: CfgCorpus, string: Strings
) -> dict[str, np.ndarray]:
    """Mean attention over layers and heads, and the ancestor of each token on every level.

    Returns:
        ``string_attention`` of shape (query, key), and three arrays of shape (level, token):
        ``string_symbols``, the names of the ancestors; ``string_classes``, their indices among the
        symbols of the level; ``string_is_end``, true where a subtree of the level ends.
    """
    truth, grammar = string.derivations, corpus.grammar
    assert truth is not None
    maps = next(attention_of(model, corpus, string))
    names = [[grammar.rules.name(int(s)) for s in symbols] for symbols in truth.ancestors]
    places = [
        [level.index(int(s)) for s in symbols]
        for level, symbols in zip(grammar.levels, truth.ancestors, strict=True)
    ]
    return {
        "string_attention": maps.mean(axis=(0, 1)),
        "string_symbols": np.array(names),
        "string_classes": np.array(places),
        "string_is_end": np.asarray(truth.is_boundary, dtype=np.bool_),
    }
