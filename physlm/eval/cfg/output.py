"""Errors and diversity of generated strings."""

import numpy as np
from jaxtyping import Bool

from physlm.data.cfg.corpus import CfgCorpus
from physlm.data.cfg.derivation import Strings
from physlm.data.cfg.grammar import Grammar
from physlm.eval.cfg.generation import Written
from physlm.eval.cfg.scores import log_probabilities
from physlm.eval.scorer import mean
from physlm.measurement import Metric
from physlm.models.language_model import LanguageModel
from physlm.rng import stream


def error_metrics(
    grammar: Grammar, written: Written, is_valid: Bool[np.ndarray, " strings"], prefix: int
) -> list[Metric]:
    """Position and level of the first error of invalid strings; empty if all are valid.

    Args:
        grammar: The grammar of the language.
        written: Generated strings.
        is_valid: Whether each is in the language.
        prefix: Tokens of the prefix from which they were generated.
    """
    wrong = written.strings.chosen(~is_valid)
    if len(wrong) == 0:
        return []
    faults = grammar.faults(wrong)
    metrics = [mean("cfg/error_position", faults.n_sound, "tokens", split="test", prefix=prefix)]
    for level in range(1, len(grammar.levels)):
        is_here = faults.broken_level == level
        metrics.append(
            mean(
                "cfg/error_fraction", is_here, "fraction", split="test", level=level, prefix=prefix
            )
        )
    return metrics


def diversity_metrics(
    model: LanguageModel, corpus: CfgCorpus, written: Written, batch_size: int
) -> list[Metric]:
    """Entropy of the model's output with that of the grammar, and the number of repeated strings.

    The entropy is estimated from the strings that the model ended, the only ones whose probability
    is known.

    Args:
        model: The model that generated them.
        corpus: The corpus of the grammar.
        written: Strings generated from scratch at temperature 1.
        batch_size: Strings per forward pass.
    """
    ended = written.strings.chosen(written.is_ended)
    has_end = np.ones(len(ended), dtype=np.bool_)
    truth = corpus.grammar.string_entropy_bits(1000, stream(corpus.seed, "string entropy"))
    metrics = [
        Metric(
            name="cfg/string_entropy_bits",
            value=truth.value,
            unit="bits",
            n=1000,
            stderr=truth.stderr,
            dims={"split": "test"},
        ),
        Metric(
            name="cfg/derivation_entropy_bits",
            unit="bits",
            n=1,
            dims={"split": "test"},
            value=corpus.grammar.derivation_entropy_bits,
        ),
        _collisions(written.strings),
    ]
    if len(ended):
        nats = -log_probabilities(model, corpus, ended, has_end=has_end, batch_size=batch_size)
        metrics.append(mean("cfg/output_entropy_bits", nats / np.log(2), "bits", split="test"))
    return metrics


def _collisions(strings: Strings) -> Metric:
    """The number of pairs of equal strings, among all pairs."""
    texts = np.array([string.tobytes() for string in strings], dtype=object)
    _, times = np.unique(texts, return_counts=True)
    n_pairs = len(strings) * (len(strings) - 1) // 2
    return Metric(
        name="cfg/collisions",
        value=int((times * (times - 1) // 2).sum()),
        unit="pairs of equal strings",
        n=n_pairs,
        dims={"split": "test"},
    )
