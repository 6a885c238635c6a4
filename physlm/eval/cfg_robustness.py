"""Whether a model goes on as was meant when the beginning has mistakes."""

from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Int

from physlm.data.cfg.corpus import CfgCorpus
from physlm.data.cfg.corruption import CorruptionKind, corrupt
from physlm.data.cfg.derivation import Strings
from physlm.data.corpus import Corpus, require_at_least
from physlm.errors import InputError
from physlm.eval.cfg_accuracy import write
from physlm.eval.cfg_distribution import (
    require_beginning,
    require_cfg,
    require_inner_levels,
    require_room,
    require_strings,
)
from physlm.eval.generate import Sampling
from physlm.eval.scorer import ScorerConfig, mean, require_causal
from physlm.models.language_model import LanguageModel
from physlm.record import Metric
from physlm.registry import register
from physlm.rng import stream_key


@register("eval", "cfg_robustness")
@dataclass(kw_only=True, slots=True)
class CfgRobustnessConfig(ScorerConfig):
    """Share of continuations of corrupted beginnings that fit what was meant.

    A beginning of about ``prefix`` tokens is corrupted, the model goes on, and the clean beginning
    with the model's continuation must be in the language. Where nonterminals are replaced the
    beginning is cut where one of them ends, so that what it was meant to be is known. The same
    without corruption is measured beside.

    Source:
        Physics of Language Models, Part 1, results 11 to 13.
    """

    n_samples: int = 500
    prefix: int = 50
    rate_of_tokens: float = 0.15  # redrawn
    rate_of_symbols: float = 0.10  # replaced by any of their level
    rate_of_fixed_symbols: float = 0.05  # replaced by the next of their level
    temperatures: list[float] = field(default_factory=lambda: [1.0, 0.1])
    batch_size: int = 500

    def validate(self) -> None:
        """Every value in its range."""
        require_at_least(self, 1, "n_samples", "prefix", "batch_size")
        for name in ("rate_of_tokens", "rate_of_symbols", "rate_of_fixed_symbols"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name}={getattr(self, name)}; must be from 0 to 1")
        names = {f"{temperature:g}" for temperature in self.temperatures}  # as metrics have them
        if not names or len(names) < len(self.temperatures):
            raise ValueError(f"temperatures={self.temperatures}; one at least, and each once")
        for temperature in self.temperatures:
            Sampling(max_new_tokens=1, temperature=temperature)

    def check(self, model: LanguageModel, corpus: Corpus) -> None:
        """The model generates, and some strings are longer than the beginning."""
        corpus = require_cfg("cfg_robustness", corpus)
        grammar = corpus.grammar
        require_causal("cfg_robustness", model, "does not generate; use eval=cfg_probing")
        require_inner_levels("cfg_robustness", grammar)
        require_room(model, grammar.length_distribution)
        inner = slice(grammar.tables.level_starts[-3], grammar.tables.level_starts[-2])
        least = int(grammar.tables.longest[inner].max())
        if self.prefix < least:
            raise InputError(
                f"eval.cfg_robustness.prefix={self.prefix}; at least {least}, so that one symbol "
                "above the terminals ends in it"
            )
        longer = grammar.length_distribution[self.prefix + 1 :].sum()
        if longer < 0.1:
            raise InputError(
                f"eval.cfg_robustness.prefix={self.prefix}: only {longer:.0%} of the strings are "
                "longer; use a shorter beginning"
            )
        require_beginning(f"eval.cfg_robustness.prefix={self.prefix}", model, grammar, self.prefix)
        require_strings("cfg_robustness", model, corpus, ["robustness"], n_samples=self.n_samples)

    def score(self, model: LanguageModel, corpus: Corpus) -> list[Metric]:
        """Accuracy for every kind of corruption, and for none, at every temperature."""
        assert isinstance(corpus, CfgCorpus)
        metrics = []
        clean = self._strings(corpus)
        for kind in (None, *CorruptionKind):
            prompts, meant = self._beginnings(corpus, clean, kind)
            for temperature in self.temperatures:
                is_right = self._is_right(model, corpus, prompts, meant, temperature)
                name = "clean" if kind is None else kind.value
                metrics.append(
                    mean(f"cfg/robust/{name}/temperature_{temperature:g}", is_right, "share")
                )
        return metrics

    def _strings(self, corpus: CfgCorpus) -> Strings:
        """Clean strings that are longer than the beginning."""
        likely = corpus.grammar.length_distribution[self.prefix + 1 :].sum()
        n_drawn = int(self.n_samples / likely * 1.5) + 50
        strings = corpus.measured(n_drawn, "robustness", derivations=True)
        is_longer = strings.lengths > self.prefix
        is_longer &= is_longer.cumsum() <= self.n_samples
        return strings.chosen(is_longer)

    def _beginnings(
        self, corpus: CfgCorpus, clean: Strings, kind: CorruptionKind | None
    ) -> tuple[list[Int[np.ndarray, " _tokens"]], list[Int[np.ndarray, " _meant"]]]:
        """What the model reads, and what was meant, both with end-of-text before them, as ids."""
        documents = corpus.documents(clean)
        rows = [documents.tokens[a:] for a in documents.starts[:-1]]
        if kind is None:
            cut = [row[: self.prefix + 1] for row in rows]
            return cut, cut
        rate = {
            CorruptionKind.terminal: self.rate_of_tokens,
            CorruptionKind.nonterminal: self.rate_of_symbols,
            CorruptionKind.nonterminal_fixed: self.rate_of_fixed_symbols,
        }[kind]
        key = stream_key(corpus.seed, "robustness", kind.value)
        made = corrupt(corpus.grammar, clean, kind, rate, key)
        corrupted = corpus.documents(made.strings)
        prompts, meant = [], []
        for i, start in enumerate(corrupted.starts[:-1]):
            string = slice(made.strings.starts[i], made.strings.starts[i + 1])
            n_meant = made.n_meant[string][: self.prefix]
            n_read = int(np.flatnonzero(n_meant > 0)[-1]) + 1
            prompts.append(corrupted.tokens[start : start + n_read + 1])
            meant.append(rows[i][: n_meant[n_read - 1] + 1])
        return prompts, meant

    def _is_right(
        self,
        model: LanguageModel,
        corpus: CfgCorpus,
        prompts: list[np.ndarray],
        meant: list[np.ndarray],
        temperature: float,
    ) -> np.ndarray:
        n_read = max(map(len, prompts)) - 1
        written = write(
            model, corpus, prompts, meant, n_new=corpus.grammar.longest + self.prefix - n_read + 1,
            temperature=temperature, batch_size=self.batch_size,
        )  # fmt: skip
        return written.is_valid(corpus.grammar)
