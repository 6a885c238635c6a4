"""Is what a model writes in the language? Validity, diversity, and how errors look."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Bool

from physlm.data.cfg.corpus import CfgCorpus
from physlm.data.cfg.derivation import Strings
from physlm.data.cfg.grammar import Grammar
from physlm.data.corpus import Corpus, require_at_least
from physlm.errors import InputError
from physlm.eval.cfg_distribution import (
    log_probabilities,
    require_beginning,
    require_cfg,
    require_room,
    require_strings,
)
from physlm.eval.generate import Generated, Sampling, generate
from physlm.eval.scorer import ScorerConfig, mean, require_causal
from physlm.models.language_model import LanguageModel
from physlm.record import Metric
from physlm.registry import register
from physlm.rng import stream


@dataclass(frozen=True, slots=True)
class Written:
    """Strings a model wrote, their beginnings included.

    Attributes:
        strings: In the grammar's tokens, without the end.
        is_ended: Whether the model ended them.
    """

    strings: Strings
    is_ended: Bool[np.ndarray, " strings"]

    def is_valid(self, grammar: Grammar) -> Bool[np.ndarray, " strings"]:
        """Which strings the model ended, and are in the language."""
        is_valid: np.ndarray = self.is_ended & grammar.accepts_batch(self.strings)
        return is_valid


@register("eval", "cfg_accuracy")
@dataclass(kw_only=True, slots=True)
class CfgAccuracyConfig(ScorerConfig):
    """Share of valid strings among those a model writes, from their start and from true beginnings.

    A string counts if the model ends it and all of it, its beginning included, is in the language;
    one that is not ended within the grammar's longest length, or the model's window, is a failure.

    Source:
        Physics of Language Models, Part 1, section 3 (cut 0 and 50, temperature 1, no top-k).
    """

    n_samples: int = 2000  # 20,000 in the paper
    prefixes: list[int] = field(default_factory=lambda: [0, 50])  # tokens of the true beginning
    temperature: float = 1.0
    batch_size: int = 500
    n_samples_of_curve: int = 200  # when measured during training

    def validate(self) -> None:
        """Every value in its range."""
        require_at_least(self, 1, "n_samples", "batch_size", "n_samples_of_curve")
        if not self.prefixes or min(self.prefixes) < 0:
            raise ValueError(f"prefixes={self.prefixes}; lengths from 0 up, one at least")
        if len(set(self.prefixes)) < len(self.prefixes):
            raise ValueError(f"prefixes={self.prefixes}; name each length once")
        Sampling(max_new_tokens=1, temperature=self.temperature)

    def check(self, model: LanguageModel, corpus: Corpus) -> None:
        """The model generates, and strings reach beyond the longest beginning."""
        corpus = require_cfg("cfg_accuracy", corpus)
        require_causal("cfg_accuracy", model, "does not generate; use eval=cfg_probing")
        require_room(model, corpus.grammar.length_distribution)
        name = f"eval.cfg_accuracy.prefixes={self.prefixes}"
        require_beginning(name, model, corpus.grammar, max(self.prefixes))
        require_strings(
            "cfg_accuracy", model, corpus, ["beginnings", "1"], n_samples=self.n_samples,
            n_samples_of_curve=self.n_samples_of_curve,
        )  # fmt: skip

    def score(self, model: LanguageModel, corpus: Corpus) -> list[Metric]:
        """Accuracy for every beginning, with errors; diversity of what has none."""
        return self._measured(model, corpus, self.n_samples, is_whole=True)

    def curve(self, model: LanguageModel, corpus: Corpus) -> list[Metric]:
        """Accuracy alone, on fewer strings."""
        return self._measured(model, corpus, self.n_samples_of_curve, is_whole=False)

    def _measured(
        self, model: LanguageModel, corpus: Corpus, n: int, *, is_whole: bool
    ) -> list[Metric]:
        assert isinstance(corpus, CfgCorpus)
        metrics = []
        for prefix in self.prefixes:
            beginnings = list(_beginnings(corpus, n, prefix))
            written = write(
                model, corpus, beginnings, beginnings, n_new=corpus.grammar.longest - prefix + 1,
                temperature=self.temperature, batch_size=self.batch_size,
            )  # fmt: skip
            is_valid = written.is_valid(corpus.grammar)
            metrics.append(mean(f"cfg/accuracy_prefix_{prefix}", is_valid, "share"))
            if is_whole:
                unfinished = f"cfg/unfinished_prefix_{prefix}"
                metrics.append(mean(unfinished, ~written.is_ended, "share"))
                metrics += _errors(corpus.grammar, written, is_valid, prefix)
            if is_whole and prefix == 0 and self.temperature == 1:
                metrics += self._diversity(model, corpus, written)
        return metrics

    def _diversity(self, model: LanguageModel, corpus: CfgCorpus, written: Written) -> list[Metric]:
        """Entropy of what the model writes, beside the grammar's, and how many strings come twice.

        The entropy is over strings that the model ended; of others it is not known.
        """
        ended = written.strings.chosen(written.is_ended)
        has_end = np.ones(len(ended), dtype=np.bool_)
        truth = corpus.grammar.string_entropy_bits(1000, stream(corpus.seed, "string entropy"))
        metrics = [
            Metric(name="cfg/string_entropy_bits", value=truth.value, unit="bits", n=1000,
                   stderr=truth.stderr, split="test"),
            Metric(name="cfg/derivation_entropy_bits", unit="bits", n=1, split="test",
                   value=corpus.grammar.derivation_entropy_bits),
            _collisions(written.strings),
        ]  # fmt: skip
        if len(ended):
            nats = -log_probabilities(model, corpus, ended, has_end=has_end,
                                      batch_size=self.batch_size)  # fmt: skip
            metrics.append(mean("cfg/output_entropy_bits", nats / np.log(2), "bits"))
        return metrics


def write(
    model: LanguageModel,
    corpus: CfgCorpus,
    prompts: Sequence[np.ndarray],
    meant: Sequence[np.ndarray],
    *,
    n_new: int,
    temperature: float,
    batch_size: int,
) -> Written:
    """Have a model go on after prompts, which stand for what was ``meant``; both begin with eos.

    It writes ``n_new`` tokens at most, or what its window holds.
    """
    if model.longest_window is not None:
        n_new = min(n_new, model.longest_window - max(map(len, prompts)) + 1)
    sampling = Sampling(
        max_new_tokens=n_new, eos=corpus.vocabulary.eos, temperature=temperature,
        batch_size=batch_size, is_compiled=model.device.type == "cuda",
    )  # fmt: skip
    return joined(corpus, meant, generate(model, prompts, sampling, seed=corpus.seed))


def joined(corpus: CfgCorpus, prompts: Iterable[np.ndarray], generated: Generated) -> Written:
    """Prompts, which begin with end-of-text, and what a model wrote after them, as strings."""
    rows = zip(prompts, generated.tokens, strict=True)
    # End-of-text cannot stand inside: the model's first one ended the string.
    strings = Strings.of(corpus.string(np.concatenate([p[1:], new])) for p, new in rows)
    return Written(strings, generated.is_ended)


def _beginnings(corpus: CfgCorpus, n: int, prefix: int) -> np.ndarray:
    """End-of-text and the first tokens of n strings that have more of them."""
    rows = np.empty((0, prefix + 1), dtype=np.int64)
    for attempt in range(1, 1000):
        strings = corpus.measured(2 * n, "beginnings", str(attempt))
        is_longer = strings.lengths > prefix
        rows = np.concatenate([rows, corpus.documents(strings).rows(0)[is_longer, : prefix + 1]])
        if len(rows) >= n:
            return rows[:n]
    raise InputError(f"prefixes: hardly any string of this grammar has more than {prefix} tokens")


def _errors(
    grammar: Grammar, written: Written, is_valid: Bool[np.ndarray, " strings"], prefix: int
) -> list[Metric]:
    """Where invalid strings first go wrong, and on which level; missing where there is none."""
    wrong = written.strings.chosen(~is_valid)
    if len(wrong) == 0:
        return []
    faults = grammar.faults(wrong)
    metrics = [mean(f"cfg/error_position_prefix_{prefix}", faults.n_sound, "tokens")]
    for level in range(1, len(grammar.levels)):
        name = f"cfg/error_on_level_{level}_prefix_{prefix}"
        metrics.append(mean(name, faults.broken_level == level, "share of errors"))
    return metrics


def _collisions(strings: Strings) -> Metric:
    """How many pairs of strings are equal, of all pairs."""
    texts = np.array([string.tobytes() for string in strings], dtype=object)
    _, times = np.unique(texts, return_counts=True)
    n_pairs = len(strings) * (len(strings) - 1) // 2
    return Metric(name="cfg/collisions", value=int((times * (times - 1) // 2).sum()),
                  unit="pairs of equal strings", n=n_pairs, split="test")  # fmt: skip
