"""How a model uses its depth: what each state predicts, compared with uninformed lenses."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

from physlm.analysis.depth.lens_scorer import LensScorerConfig
from physlm.analysis.lenses.config import WeightBy
from physlm.data.corpus import require_some
from physlm.errors import InputError, refused_values
from physlm.measurement import Measurement
from physlm.registry import register
from physlm.sources import SOURCE, located, pinned

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from physlm.analysis.depth.buckets import Buckets
    from physlm.data.corpus import Corpus
    from physlm.models.language_model import LanguageModel

_FEWEST_TOKENS = 50  # smaller vocabularies are divided by frequency only on request
_MANY_TOKENS = 10_000  # from this vocabulary on, buckets are those of the publication
_RANKS = (10, 100, 1000)
_MASSES = (0.25, 0.5, 0.75)


@register("eval", "depth")
@dataclass(kw_only=True, slots=True)
class DepthConfig(LensScorerConfig):
    """Onset, settling, flips and frequency of predictions by state, through a lens.

    It also measures the logit lens, an untrained model with a lens of its own, a lens of shuffled
    pairs, and the lens used one state off; the constant and the token-only predictor are the
    yardsticks. The dimension ``lens`` names them: ``own`` is the chosen lens.

    Frequent tokens are the most frequent ones of the training data. Vocabularies below 50 tokens
    have no frequency metrics; there, classes of true entropy are compared (``depth_classes``).

    Source:
        Gupta et al. (2025), How Do LLMs Use Their Depth?; Belrose et al. (2023), Tuned Lens.
    """

    figure_names: ClassVar[tuple[str, ...]] = (
        "depth_divergence",
        "depth_frequency",
        "depth_flips",
        "depth_ranks",
        "depth_histogram",
    )
    table_names: ClassVar[tuple[str, ...]] = ("predictions",)

    # Last rank of each bucket by frequency; null: 10, 100, 1000 if there are 10,000 tokens or more.
    buckets: list[int] | None = None
    # Cumulative frequency at the end of each bucket; null: 0.25, 0.5, 0.75 if none are by rank.
    bucket_mass: list[float] | None = None
    # Fractions of a corpus by token, as JSON; empty: those of the training data.
    counts_path: str = field(default="", metadata=SOURCE)
    # Weight of updates from the most frequent bucket, for a second lens; 1: no second lens.
    frequent_weight: float = 1.0
    weight_by: WeightBy = WeightBy.position

    def validate(self) -> None:
        """Every value in its range."""
        LensScorerConfig.validate(self)
        require_some(self, "buckets", "bucket_mass")
        if self.buckets is not None and self.bucket_mass is not None:
            raise ValueError(
                f"buckets={self.buckets} and bucket_mass={self.bucket_mass}; give one of them"
            )
        if not self.frequent_weight > 0:
            raise ValueError(f"frequent_weight={self.frequent_weight}; must be above 0")
        self.counts_path = pinned(self.counts_path)

    def check(self, model: "LanguageModel", corpus: "Corpus") -> None:
        """The lens fits the model, and the buckets its vocabulary."""
        LensScorerConfig.check(self, model, corpus)
        if model.text is not None:
            from physlm.analysis.depth.read_texts import require_texts

            require_texts(corpus)
        n = model.vocabulary_size
        for name, default in {"counts_path": "", "frequent_weight": 1.0}.items():
            if (value := getattr(self, name)) != default and not self._is_divided(n):
                raise InputError(
                    f"eval.depth.{name}={value}; a vocabulary of {n} tokens, fewer than "
                    f"{_FEWEST_TOKENS}, is not divided by frequency; leave it out, or give "
                    "eval.depth.bucket_mass"
                )
        if self.counts_path or self.buckets is not None or self.bucket_mass is not None:
            self.chosen_buckets(model, corpus)

    def measure(self, model: "LanguageModel", corpus: "Corpus") -> Measurement:
        """All metrics, one row per prediction, and the lens."""
        from physlm.analysis.depth.depth_arms import measured_depth

        return measured_depth(self, model, corpus)

    def figures(self, measurement: Measurement) -> dict[str, "Figure"]:
        """Divergence by state, and frequency, flips, ranks and depths through the chosen lens."""
        from physlm.analysis.depth.depth_arms import draw_depth

        return draw_depth(measurement)

    def chosen_buckets(self, model: "LanguageModel", corpus: "Corpus") -> "Buckets | None":
        """Tokens by frequency; None for a vocabulary that is too small to be divided.

        Raises:
            InputError: If the counts belong to another vocabulary, or the buckets do not fit it.
        """
        from physlm.analysis.depth.buckets import by_mass, by_rank, read_fractions
        from physlm.analysis.depth.sample import token_counts

        n, ranks, masses = model.vocabulary_size, self.buckets, self.bucket_mass
        if not self._is_divided(n):
            return None
        if self.counts_path:
            with refused_values():
                counts = read_fractions(located(self.counts_path), n)
        else:
            counts = token_counts(model, corpus)
        if masses is None and (ranks is not None or n >= _MANY_TOKENS):
            return by_rank(counts, tuple(ranks or _RANKS))
        return by_mass(counts, tuple(masses or _MASSES))

    def _is_divided(self, n_tokens: int) -> bool:
        """Whether a vocabulary is divided by frequency."""
        is_asked_for = self.buckets is not None or self.bucket_mass is not None
        return n_tokens >= _FEWEST_TOKENS or is_asked_for
