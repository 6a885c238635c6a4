"""What scorers of grammars require: strings to measure, and a model that can read them."""

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

_LEAST_FITTING = 0.9  # share of strings that a window must hold
_LEAST_LONGER = 0.001  # share of strings that must be longer than a beginning
_MOST_LOOKED_AT = 1000  # strings, of which nine in ten fit


def require_cfg(name: str, corpus: "Corpus") -> "CfgCorpus":
    """A corpus whose grammar is known.

    Raises:
        InputError: If it is of another world.
    """
    from physlm.data.cfg.corpus import CfgCorpus

    if not isinstance(corpus, CfgCorpus):
        raise InputError(f"eval={name} measures data=cfg only")
    return corpus


def require_room(model: "LanguageModel", length_distribution: np.ndarray) -> None:
    """Learned positions reach over most strings.

    Raises:
        InputError: If they do not.
    """
    window = model.longest_window
    if window is None or length_distribution[:window].sum() >= _LEAST_FITTING:
        return
    share = length_distribution[:window].sum()
    raise InputError(
        f"data.seq_len={window}: only {share:.0%} of the strings, with end-of-text, fit the "
        "learned positions; raise it or use model.position=rope"
    )


def require_beginning(name: str, model: "LanguageModel", grammar: "Grammar", n_tokens: int) -> None:
    """Strings go on after so many tokens, and the model's window holds more than these.

    Args:
        name: Of the setting, with its value.
        model: What reads them.
        grammar: Whose strings they are.
        n_tokens: Of the beginning.

    Raises:
        InputError: If hardly any string does, or the window ends before.
    """
    share = grammar.length_distribution[n_tokens + 1 :].sum()
    if share < _LEAST_LONGER:
        raise InputError(
            f"{name}; the longest string of this grammar has {grammar.longest} tokens, and "
            f"{share:.2%} of all go on after {n_tokens}; use shorter beginnings"
        )
    if model.longest_window is not None and n_tokens >= model.longest_window:
        raise InputError(
            f"{name} leaves no room for what follows: learned positions end at "
            f"data.seq_len={model.longest_window}; raise it or use shorter beginnings"
        )


def require_strings(
    name: str, model: "LanguageModel", corpus: "CfgCorpus", purpose: Sequence[str], **counts: int
) -> None:
    """Strings of every count fit into memory, and of the fewest one at least the model's window.

    Args:
        name: Of the scorer.
        model: What reads them.
        corpus: Where they are drawn.
        purpose: As in ``CfgCorpus.measured``.
        counts: How many are drawn, by setting.

    Raises:
        InputError: Naming the setting.
    """
    mean_length = int(corpus.grammar.mean_length)
    with refused_values():
        for setting, n in counts.items():
            require_memory({f"eval.{name}.{setting}={n}": 8 * n * mean_length})
    setting = min(counts, key=lambda setting: counts[setting])
    drawn = corpus.measured(min(counts[setting], _MOST_LOOKED_AT), *purpose)
    if len(fitting(model, drawn)) == 0:
        raise InputError(
            f"eval.{name}.{setting}={counts[setting]}: no string that is drawn fits the learned "
            f"positions, which end at data.seq_len={model.longest_window}; raise one of them"
        )


def require_inner_levels(name: str, grammar: "Grammar") -> None:
    """The grammar has nonterminals between its root and its terminals.

    Raises:
        InputError: If it has none.
    """
    if len(grammar.levels) < 3:
        raise InputError(f"eval={name} needs a grammar of at least 3 levels")


def fitting(model: "LanguageModel", strings: "Strings") -> "Strings":
    """The strings that the model's window holds, with end-of-text before them."""
    if model.longest_window is None:
        return strings
    return strings.chosen(strings.lengths < model.longest_window)
