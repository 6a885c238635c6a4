"""Picking the best of several sampled continuations, by spectra and by log-probability."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

from physlm.analysis.spectra.metric_options import MetricOptions
from physlm.data.corpus import require_at_least
from physlm.data.prompted import Prompted
from physlm.errors import InputError, refused_values
from physlm.eval.scorer import ScorerConfig, require_causal, require_window
from physlm.measurement import Measurement
from physlm.registry import register

if TYPE_CHECKING:
    from physlm.data.corpus import Corpus
    from physlm.models.language_model import LanguageModel

METRICS = (
    "fiedler",
    "connectivity_ratio",
    "eigenvalue_variance",
    "smoothness",
    "hfer",
    "spectral_entropy_normalised",
)


@register("eval", "spectral_best_of")
@dataclass(kw_only=True, slots=True)
class SpectralBestOfConfig(ScorerConfig):
    """How often a spectrum picks a right continuation among several of one prompt.

    Continuations of held-out prompts are sampled at temperature 1, and the world checks each.
    Metric, layer, head and direction are those that pick most right ones on half of the prompts;
    ``best_of/right`` is the fraction of right picks on the other half, ``best_of/gain`` the
    difference from another pick on the same prompts. Controls: a random pick (its expected value),
    the highest mean and the highest least log-probability, the spectra of an untrained model,
    length where it varies, and the ceiling (some continuation is right).

    Source:
        Noel (2026), Geometry of Reason, for the use; the controls are physlm's.
    """

    table_names: ClassVar[tuple[str, ...]] = ("best_of_picks",)

    metrics: list[str] = field(default_factory=lambda: list(METRICS))  # without dimensions
    n_prompts: int = 200  # held-out prompts; half choose, half measure
    n_candidates: int = 16  # continuations of each prompt
    batch_size: int = 32  # texts of equal length

    def validate(self) -> None:
        """Every value in its range."""
        require_at_least(self, 4, "n_prompts")
        require_at_least(self, 2, "n_candidates")
        require_at_least(self, 1, "batch_size")
        require_metrics(self.metrics)

    def check(self, model: "LanguageModel", corpus: "Corpus") -> None:
        """The model generates and has attention maps; the world has prompts and checks texts."""
        require_maps("spectral_best_of", model)
        if not model.shows("prefill"):
            raise InputError("eval=spectral_best_of: this model cannot generate; use a decoder")
        if not isinstance(corpus, Prompted):
            raise InputError(
                "eval=spectral_best_of: this world checks no continuations; use "
                "data=sums, brackets or cfg"
            )
        with refused_values():
            prompts = corpus.prompts(self.n_prompts)
        longest = max(map(len, prompts.tokens)) + prompts.max_new_tokens
        require_window(model, "continued prompts", longest, n_unread=1)

    def measure(self, model: "LanguageModel", corpus: "Corpus") -> Measurement:
        """The fraction of right picks of every kind."""
        from physlm.analysis.spectra.best_of_metrics import measured_best_of

        return measured_best_of(self, model, corpus)


def require_maps(name: str, model: "LanguageModel") -> None:
    """Require a causal model with states and attention maps.

    Raises:
        InputError: If the model lacks one of these.
    """
    require_causal(name, model, "gives texts no likelihood")
    for member in ("residuals", "attention_patterns", "untrained"):
        if not model.shows(member):
            raise InputError(f"eval={name}: this model has no {member}; use a decoder")


def require_metrics(metrics: list[str]) -> None:
    """Require names of metrics of the default graph.

    Raises:
        ValueError: If there are none, or one is unknown.
    """
    if not metrics:
        raise ValueError("metrics=[]; give at least one, such as hfer")
    try:
        MetricOptions(metrics=metrics).names(has_signal=True)
    except InputError as error:
        raise ValueError(str(error)) from error
