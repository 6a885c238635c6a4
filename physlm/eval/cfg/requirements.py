"""Requirements of grammar scorers: strings to measure, and a model that can read them."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from physlm.errors import InputError, refused_values
from physlm.memory import require_memory

if TYPE_CHECKING:
    from physlm.data.cfg.corpus import CfgCorpus
    from physlm.data.cfg.derivation import Strings
    from physlm.data.cfg.grammar import Grammar
    from physlm.data.corpus import Corpus
    from physlm.models.language_model import LanguageModel

_MIN_FITTING = 0.9  # fraction of strings that the window must hold
_MIN_LONGER = 0.001  # fraction of strings that must be longer than a prefix
_MAX_DRAWN = 1000  # strings drawn for a check


def require_cfg(name: str, corpus: "Corpus") -> "CfgCorpus":
    """The corpus, which must be that of a grammar.

    Raises:
        InputError: If the world is another one.
    """
    from physlm.data.cfg.corpus import CfgCorpus

    if not isinstance(corpus, CfgCorpus):
        raise InputError(f"eval={name} measures data=cfg only; use data=cfg")
    return corpus


def require_room(model: "LanguageModel", length_distribution: np.ndarray) -> None:
    """Require that the model's learned positions hold most strings.

    Raises:
        InputError: If they do not.
    """
    window = model.longest_window
    if window is None or length_distribution[:window].sum() >= _MIN_FITTING:
        return
    fraction = length_distribution[:window].sum()
    raise InputError(
        f"data.seq_len={window}: only {fraction:.0%} of the strings, with end-of-text, fit the "
        "learned positions; raise it or use model.position=rope"
    )


def require_prefix(name: str, model: "LanguageModel", grammar: "Grammar", n_tokens: int) -> None:
    """Require strings longer than a prefix, and a window longer than it.

    Args:
        name: The setting that gives the length, with its value.
        model: The model that reads the prefix.
        grammar: The grammar of the strings.
        n_tokens: Length of the prefix.

    Raises:
        InputError: If hardly any string is longer, or the window is not.
    """
    fraction = grammar.length_distribution[n_tokens + 1 :].sum()
    if fraction < _MIN_LONGER:
        raise InputError(
            f"{name}; the longest string of this grammar has {grammar.longest} tokens, and "
            f"{fraction:.2%} of all are longer than {n_tokens}; use shorter prefixes"
        )
    if model.longest_window is not None and n_tokens >= model.longest_window:
        raise InputError(
            f"{name} leaves no room for what follows: learned positions end at "
            f"data.seq_len={model.longest_window}; raise it or use shorter prefixes"
        )


def require_strings(
    name: str, model: "LanguageModel", corpus: "CfgCorpus", purpose: Sequence[str], **counts: int
) -> None:
    """Require that each number of strings fits memory, and that some string fits the window.

    Args:
        name: Name of the scorer.
        model: The model that reads the strings.
        corpus: The corpus that they are drawn from.
        purpose: As in ``CfgCorpus.measured``.
        counts: Number of strings that each setting asks for.

    Raises:
        InputError: If a number is too large, or no string fits the window.
    """
    mean_length = int(corpus.grammar.mean_length)
    with refused_values():
        for setting, n in counts.items():
            require_memory({f"eval.{name}.{setting}={n}": 8 * n * mean_length})
    setting = min(counts, key=lambda setting: counts[setting])
    drawn = corpus.measured(min(counts[setting], _MAX_DRAWN), *purpose)
    if len(fitting(model, drawn)) == 0:
        raise InputError(
            f"eval.{name}.{setting}={counts[setting]}: none of these strings fits the learned "
            f"positions, which end at data.seq_len={model.longest_window}; raise one of them"
        )


def require_inner_levels(name: str, grammar: "Grammar") -> None:
    """Require nonterminals between the root and the terminals.

    Raises:
        InputError: If the grammar has none.
    """
    if len(grammar.levels) < 3:
        raise InputError(
            f"eval={name} needs a grammar of at least 3 levels, and this one has "
            f"{len(grammar.levels)}; use another grammar"
        )


def fitting(model: "LanguageModel", strings: "Strings") -> "Strings":
    """The strings that fit the model's window after end-of-text."""
    if model.longest_window is None:
        return strings
    return strings.chosen(strings.lengths < model.longest_window)
