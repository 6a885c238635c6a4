"""Robustness of generation to corrupted prefixes."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from physlm.data.corpus import require_at_least
from physlm.errors import InputError
from physlm.eval.cfg.requirements import (
    require_cfg,
    require_inner_levels,
    require_prefix,
    require_room,
    require_strings,
)
from physlm.eval.scorer import ScorerConfig, mean, require_causal, require_temperature
from physlm.measurement import Measurement
from physlm.registry import register

if TYPE_CHECKING:
    from physlm.data.cfg.corruption import CorruptionKind
    from physlm.data.corpus import Corpus
    from physlm.models.language_model import LanguageModel


@register("eval", "cfg_robustness")
@dataclass(kw_only=True, slots=True)
class CfgRobustnessConfig(ScorerConfig):
    """Fraction of continuations of corrupted prefixes that fit the clean prefix.

    A prefix of about ``prefix`` tokens is corrupted, the model continues it, and the clean prefix
    with the model's continuation must be in the language. If nonterminals are replaced, the prefix
    is cut where one of them ends, so that the clean prefix is known. Clean prefixes are measured
    as a control.

    Source:
        Physics of Language Models, Part 1, results 11 to 13.
    """

    n_samples: int = 500  # prefixes of each kind of corruption
    prefix: int = 50  # tokens of a prefix
    token_rate: float = 0.15  # tokens redrawn at random
    symbol_rate: float = 0.10  # nonterminals replaced by a random one of their level
    fixed_symbol_rate: float = 0.05  # nonterminals replaced by the next one of their level
    temperatures: list[float] = field(default_factory=lambda: [1.0, 0.1])  # of sampling; 0: greedy
    batch_size: int = 500  # strings generated at once

    def validate(self) -> None:
        """Every value in its range."""
        require_at_least(self, 1, "n_samples", "prefix", "batch_size")
        for name in ("token_rate", "symbol_rate", "fixed_symbol_rate"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name}={getattr(self, name)}; must be from 0 to 1")
        names = {f"{temperature:g}" for temperature in self.temperatures}
        if not names or len(names) < len(self.temperatures):
            raise ValueError(f"temperatures={self.temperatures}; name at least one, each once")
        for temperature in self.temperatures:
            require_temperature(temperature)

    def check(self, model: "LanguageModel", corpus: "Corpus") -> None:
        """The model generates, and enough strings are longer than the prefix."""
        corpus = require_cfg("cfg_robustness", corpus)
        grammar = corpus.grammar
        require_causal("cfg_robustness", model, "does not generate; use eval=cfg_probing")
        require_inner_levels("cfg_robustness", grammar)
        require_room(model, grammar.length_distribution)
        inner = slice(grammar.tables.level_starts[-3], grammar.tables.level_starts[-2])
        least = int(grammar.tables.longest[inner].max())
        if self.prefix < least:
            raise InputError(
                f"eval.cfg_robustness.prefix={self.prefix}; must be at least {least}, so that a "
                "symbol above the terminals ends in it"
            )
        longer = grammar.length_distribution[self.prefix + 1 :].sum()
        if longer < 0.1:
            raise InputError(
                f"eval.cfg_robustness.prefix={self.prefix}: only {longer:.0%} of the strings are "
                "longer; use a shorter prefix"
            )
        require_prefix(f"eval.cfg_robustness.prefix={self.prefix}", model, grammar, self.prefix)
        require_strings("cfg_robustness", model, corpus, ["robustness"], n_samples=self.n_samples)

    def measure(self, model: "LanguageModel", corpus: "Corpus") -> Measurement:
        """Accuracy with clean prefixes and every kind of corruption, at every temperature."""
        from physlm.data.cfg.corruption import CorruptionKind
        from physlm.eval.cfg.prefixes import is_continued, longer_strings, prefixes_of

        corpus = require_cfg("cfg_robustness", corpus)
        metrics = []
        clean = longer_strings(corpus, self.n_samples, self.prefix)
        for kind in (None, *CorruptionKind):
            rate = 0.0 if kind is None else self._rate(kind)
            prefixes = prefixes_of(corpus, clean, self.prefix, kind, rate)
            for temperature in self.temperatures:
                is_right = is_continued(
                    model, corpus, prefixes, temperature=temperature, batch_size=self.batch_size
                )
                metrics.append(
                    mean(
                        "cfg/robust_accuracy",
                        is_right,
                        "fraction",
                        split="test",
                        corruption="clean" if kind is None else kind.value,
                        temperature=temperature,
                    )
                )
        return Measurement(tuple(metrics))

    def _rate(self, kind: "CorruptionKind") -> float:
        rates = {
            "terminal": self.token_rate,
            "nonterminal": self.symbol_rate,
            "nonterminal_fixed": self.fixed_symbol_rate,
        }
        return rates[kind.value]
