"""How far a model's next-token distribution is from the true one: loss, its floor, and KL."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float

from physlm.data.cfg.corpus import CfgCorpus
from physlm.data.cfg.derivation import Strings
from physlm.data.cfg.grammar import Grammar
from physlm.data.corpus import Corpus, require_at_least
from physlm.errors import InputError, refused_values
from physlm.eval.scorer import ScorerConfig, mean, require_causal
from physlm.memory import require_memory
from physlm.models.language_model import LanguageModel
from physlm.record import Metric
from physlm.registry import register

_LEAST_FITTING = 0.9  # share of strings that a window must hold
_LEAST_LONGER = 0.001  # share of strings that must be longer than a beginning
_MOST_LOOKED_AT = 1000  # strings, of which nine in ten fit


@register("eval", "cfg_distribution")
@dataclass(kw_only=True, slots=True)
class CfgDistributionConfig(ScorerConfig):
    """Loss of fresh strings beside its exact floor, and KL to the true next-token distribution.

    The floor is the loss of the true distribution on the same strings, so that the two share their
    chance. KL is the mean over the positions of a string, its end included, then over strings.

    Source:
        Physics of Language Models, Part 1, section 3 (KL-divergence); the oracle is exact here.
    """

    n_strings: int = 1000
    batch_size: int = 100  # strings per forward pass
    n_strings_of_curve: int = 100  # when measured during training

    def validate(self) -> None:
        """Every value in its range."""
        require_at_least(self, 1, "n_strings", "batch_size", "n_strings_of_curve")

    def check(self, model: LanguageModel, corpus: Corpus) -> None:
        """The model reads from left to right, and its window holds most strings."""
        corpus = require_cfg("cfg_distribution", corpus)
        require_causal("cfg_distribution", model, "predicts no next token; use eval=cfg_probing")
        require_room(model, corpus.grammar.length_distribution)
        require_strings(
            "cfg_distribution", model, corpus, ["distribution"], n_strings=self.n_strings,
            n_strings_of_curve=self.n_strings_of_curve,
        )  # fmt: skip

    def score(self, model: LanguageModel, corpus: Corpus) -> list[Metric]:
        """Loss, floor, their ratio, and KL."""
        assert isinstance(corpus, CfgCorpus)
        return self._measured(model, corpus, self.n_strings)

    def curve(self, model: LanguageModel, corpus: Corpus) -> list[Metric]:
        """Excess loss and KL, on fewer strings."""
        assert isinstance(corpus, CfgCorpus)
        measured = self._measured(model, corpus, self.n_strings_of_curve)
        return [m for m in measured if m.name in {"cfg/excess_loss_nats", "cfg/kl_nats"}]

    def _measured(self, model: LanguageModel, corpus: CfgCorpus, n: int) -> list[Metric]:
        strings = fitting(model, corpus.measured(n, "distribution"))
        losses, divergences = [], []
        for first, log_p in next_token_scores(model, corpus, strings, self.batch_size):
            for i, rows in enumerate(log_p, start=first):
                scores = rows[: len(strings[i]) + 1]
                losses.append(-_log_probability(scores, corpus, strings[i], has_end=True))
                truth = corpus.grammar.next_token_distribution(strings[i])
                divergences.append(_kl(np.roll(truth, -1, axis=1), scores).mean())
        floors = -corpus.grammar.log_probabilities(strings)
        return _loss_metrics(np.array(losses), floors, strings.lengths + 1, np.array(divergences))


def require_cfg(name: str, corpus: Corpus) -> CfgCorpus:
    """A corpus whose grammar is known.

    Raises:
        InputError: If it is of another world.
    """
    if not isinstance(corpus, CfgCorpus):
        raise InputError(f"eval={name} measures data=cfg only")
    return corpus


def require_room(model: LanguageModel, length_distribution: np.ndarray) -> None:
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


def require_beginning(name: str, model: LanguageModel, grammar: Grammar, n_tokens: int) -> None:
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
    name: str, model: LanguageModel, corpus: CfgCorpus, purpose: Sequence[str], **counts: int
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


def require_inner_levels(name: str, grammar: Grammar) -> None:
    """The grammar has nonterminals between its root and its terminals.

    Raises:
        InputError: If it has none.
    """
    if len(grammar.levels) < 3:
        raise InputError(f"eval={name} needs a grammar of at least 3 levels")


def fitting(model: LanguageModel, strings: Strings) -> Strings:
    """The strings that the model's window holds, with end-of-text before them."""
    if model.longest_window is None:
        return strings
    return strings.chosen(strings.lengths < model.longest_window)


def next_token_scores(
    model: LanguageModel, corpus: CfgCorpus, strings: Strings, batch_size: int
) -> Iterator[tuple[int, Float[np.ndarray, "strings positions vocabulary"]]]:
    """Log-probabilities after end-of-text and each token of strings, a batch at a time.

    Columns are token ids: the grammar's tokens in ascending order, then end-of-text. Each batch
    comes with the number of its first string; behind a string's end its rows mean nothing. Of
    strings longer than the model's window, what follows the window's last token is the last row.
    """
    rows = corpus.documents(strings).rows(corpus.vocabulary.eos)
    longest = strings.lengths + 1
    for first in range(0, len(strings), batch_size):
        n_read = min(longest[first : first + batch_size].max(), model.longest_window or rows.size)
        batch = torch.from_numpy(rows[first : first + batch_size, :n_read])
        with torch.inference_mode():
            logits = model(batch.long().to(model.device))
        yield first, logits.double().log_softmax(dim=-1).cpu().numpy()


def log_probabilities(
    model: LanguageModel,
    corpus: CfgCorpus,
    strings: Strings,
    *,
    has_end: Bool[np.ndarray, " strings"],
    batch_size: int,
) -> Float[np.ndarray, " strings"]:
    """A model's log-probability, in nats, of strings and of the ends of those that have one."""
    found = np.empty(len(strings))
    for first, log_p in next_token_scores(model, corpus, strings, batch_size):
        for i, scores in enumerate(log_p, start=first):
            found[i] = _log_probability(scores, corpus, strings[i], has_end=bool(has_end[i]))
    return found


def _log_probability(
    scores: Float[np.ndarray, "positions vocabulary"], corpus: CfgCorpus, string: np.ndarray, *,
    has_end: bool,
) -> float:  # fmt: skip
    """Of a string, and of its end if it has one, by the scores after each token."""
    ids = corpus.ids(string)
    if has_end:
        ids = np.append(ids, corpus.vocabulary.eos)
    return float(scores[np.arange(len(ids)), ids].sum())


def _kl(
    truth: Float[np.ndarray, "positions vocabulary"],
    log_p: Float[np.ndarray, "positions vocabulary"],
) -> Float[np.ndarray, " positions"]:
    """KL(truth || model) in nats; what is impossible adds nothing."""
    log_truth = np.log(truth, where=truth > 0, out=np.zeros_like(truth))
    divergence: np.ndarray = (truth * (log_truth - log_p)).sum(axis=1)
    return divergence


def _loss_metrics(
    losses: Float[np.ndarray, " strings"],
    floors: Float[np.ndarray, " strings"],
    n_tokens: np.ndarray,
    divergences: Float[np.ndarray, " strings"],
) -> list[Metric]:
    """Losses per token are sums over strings by sums of tokens, as training counts them."""
    return [
        _ratio("cfg/loss_nats", losses, n_tokens, "nats/token"),
        _ratio("cfg/floor_nats", floors, n_tokens, "nats/token"),
        _ratio("cfg/loss_over_floor", losses, floors, "ratio"),
        _ratio("cfg/excess_loss_nats", losses - floors, n_tokens, "nats/token"),
        mean("cfg/kl_nats", divergences, "nats/token"),
    ]


def _ratio(name: str, values: np.ndarray, per: np.ndarray, unit: str) -> Metric:
    """A ratio of two sums over strings, with the standard error of the ratio estimator.

    Source:
        Cochran (1977), Sampling Techniques, section 6.4.
    """
    n, value = len(values), float(values.sum() / per.sum())
    rest = values - value * per
    stderr = float(rest.std(ddof=1) / math.sqrt(n) / per.mean()) if n > 1 else None
    return Metric(name=name, value=value, unit=unit, n=n, stderr=stderr, split="test")
