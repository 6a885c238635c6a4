"""Spectra of attention on right and wrong texts, compared with every control."""

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, ClassVar

from physlm.analysis.spectra.metric_options import ADJACENCY, COMPANIONS, MetricOptions
from physlm.analysis.spectra.options import (
    Diagonal,
    GraphOptions,
    Heads,
    LaplacianKind,
    SignalKind,
    Symmetrise,
)
from physlm.data.corpus import require_at_least, require_some
from physlm.data.labelled import Labelled
from physlm.errors import InputError, refused_values
from physlm.eval.scorer import ScorerConfig, require_causal
from physlm.measurement import Measurement
from physlm.registry import register
from physlm.run_id import LATER

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from physlm.data.corpus import Corpus
    from physlm.models.language_model import LanguageModel

# One of each kind; many of the others restate them.
_METRICS = (
    "fiedler",
    "connectivity_ratio",
    "eigenvalue_variance",
    "free_energy",
    "adjacency_radius",
    "smoothness",
    "hfer",
    "spectral_entropy_normalised",
)


@register("eval", "spectra")
@dataclass(kw_only=True, slots=True)
class SpectraConfig(ScorerConfig):
    """Whether attention spectra separate right from wrong texts beyond length and likelihood.

    Every comparison has all of its controls (``compare_groups``): length, likelihood and entropy
    of the same texts, an untrained model, shuffled labels, the first layer alone, a planted effect.
    They cannot be switched off. With ``heads=each``, the graph of the mean map is measured beside
    the heads (dimension ``graph=mean``).

    Source:
        Noel (2026), Geometry of Reason, for the metrics; the comparison is physlm's.
    """

    version: ClassVar[int] = 3
    measures_checkpoints: ClassVar[bool] = True
    figure_names: ClassVar[tuple[str, ...]] = (
        "spectra_effects",
        "spectra_q",
        "spectra_groups",
        "spectra_controls",
        "spectra_roles",
        "spectra_auc",
        "spectra_texts",
        "spectra_coverage",
    )
    table_names: ClassVar[tuple[str, ...]] = (
        "spectra",
        "spectra_texts",
        "spectra_values",
        "spectra_coverage",
        "spectra_published",
        "spectra_selected",
        "spectra_nested",
    )

    # Without dimensions; of the default, operators that lack some have the others
    metrics: list[str] = field(default_factory=lambda: list(_METRICS))
    laplacian: LaplacianKind = LaplacianKind.sym
    symmetrise: Symmetrise = Symmetrise.mean
    self_loops: bool = False  # keep the diagonal, a token's attention to itself
    clip: float = 0.0  # attention weights below it become 0
    diagonal: Diagonal = Diagonal.unchanged
    heads: Heads = Heads.each
    n_heads: int | None = None  # heads of each layer to measure; null: all
    layers: list[int] | None = None  # null: all
    signal: SignalKind = SignalKind.rms
    drop_first: list[int] = field(default_factory=lambda: [0, 1])  # tokens left out of the graph
    n_problems: int = 200  # problems to measure, for each corruption
    corruptions: list[str] | None = None  # null: all that the world has
    n_errors: list[int] = field(default_factory=lambda: [1])  # per wrong text, each measured apart
    planted_share: float = 0.1  # of the attention of wrong texts, in the arm with a planted effect
    batch_size: int = 32  # texts of equal length
    # "above_one", "half_max", or the upper fraction of modes that metric hfer sums
    hfer_cut: str = field(default="above_one", metadata=LATER)
    # Tokens of each text that are in the graph, as [first, last + 1]; null: all
    span: list[int] | None = field(default=None, metadata=LATER)
    # Largest eigenvalues of LapEigvals of each layer and head, as further metrics
    n_lap_eigvals: int = field(default=0, metadata=LATER)
    reference_compat: bool = False  # also the published computations, with their faults

    def validate(self) -> None:
        """Every value in its range."""
        require_at_least(self, 2, "n_problems")
        require_at_least(self, 1, "batch_size")
        require_at_least(self, 0, "n_lap_eigvals")
        if self.n_heads is not None:
            require_at_least(self, 1, "n_heads")
        require_some(self, "layers", "corruptions")
        self._require_graphs()
        if not self.n_errors or min(self.n_errors) < 1:
            raise ValueError(
                f"n_errors={self.n_errors}; must be positive numbers, such as [1, 2, 4]"
            )
        if not 0 < self.planted_share < 1:
            raise ValueError(f"planted_share={self.planted_share}; must lie between 0 and 1")
        if not self.metrics:
            raise ValueError("metrics=[]; name one or more")
        try:
            self.options().names(has_signal=True)
        except InputError as error:
            raise ValueError(str(error)) from error

    def _require_graphs(self) -> None:
        """Refuse invalid spans, and graphs that would be measured twice."""
        drops, span = self.drop_first, self.span
        if not drops or min(drops) < 0 or len(set(drops)) < len(drops):
            raise ValueError(f"drop_first={drops}; must be distinct and at least 0, such as [0, 1]")
        if span is None:
            return
        if len(span) != 2 or not 0 <= span[0] < span[1]:
            raise ValueError(f"span={span}; must be [first, last + 1], such as [10, 60]")
        if span[0] > 0 and drops != [0]:
            raise ValueError(
                f"drop_first={drops} with span={span}, which leaves out first tokens; set "
                "drop_first=[0]"
            )

    def options(self) -> MetricOptions:
        """What is measured on each map; the companions always are."""
        graph = GraphOptions(
            laplacian=self.laplacian,
            symmetrise=self.symmetrise,
            self_loops=self.self_loops,
            clip=self.clip,
            diagonal=self.diagonal,
        )
        every = MetricOptions(graph=graph, signal=self.signal, betas=[1.0], hfer_cut=self.hfer_cut)
        chosen = self.metrics
        if chosen == list(_METRICS):  # of the default, those that the operator has
            own = every.available(has_signal=True) | {"adjacency_radius"}
            is_adjacency = self.laplacian is LaplacianKind.adjacency
            chosen = list(ADJACENCY) if is_adjacency else [n for n in _METRICS if n in own]
        return replace(every, metrics=list(dict.fromkeys([*chosen, *COMPANIONS])))

    @property
    def n_least(self) -> int:
        """Tokens that a text must have, so that all of its graphs have two."""
        end = 0 if self.span is None else self.span[1]
        return max(2 + max(self.drop_first), end, self.n_lap_eigvals)

    def check(self, model: "LanguageModel", corpus: "Corpus") -> None:
        """The model has attention maps, and the world right and wrong texts."""
        from physlm.analysis.spectra.model_texts import require_corruptions

        require_causal("spectra", model, "gives texts no likelihood")
        for member in ("residuals", "attention_patterns"):
            if not model.shows(member):
                raise InputError(f"eval=spectra: this model has no {member}; use a decoder")
        require_attention_maps(model)
        if self.n_lap_eigvals and model.n_layers < 2:
            raise InputError(
                f"n_lap_eigvals={self.n_lap_eigvals} needs two or more layers, and the model has "
                "one; set it to 0"
            )
        require_corruptions("spectra", corpus, self.corruptions)
        self._require_texts(model, corpus)

    def _require_texts(self, model: "LanguageModel", corpus: "Corpus") -> None:
        """Texts that a world cannot write, or a model cannot read, are refused before training."""
        from physlm.analysis.spectra.model_texts import model_texts

        assert isinstance(corpus, Labelled)
        n, n_least = self.n_problems, self.n_least
        for corruption in self.chosen(corpus):
            for dose in self.n_errors:
                with refused_values():
                    model_texts(
                        model, corpus, corruption, n_problems=n, n_errors=dose, n_least=n_least
                    )

    def chosen(self, corpus: Labelled) -> list[str]:
        """The corruptions to measure."""
        return list(corpus.corruptions if self.corruptions is None else self.corruptions)

    def measure(self, model: "LanguageModel", corpus: "Corpus") -> Measurement:
        """One comparison for each corruption and number of errors."""
        from physlm.analysis.spectra.spectra_comparisons import measured_spectra

        return measured_spectra(self, model, corpus)

    def figures(self, measurement: Measurement) -> dict[str, "Figure"]:
        """Effects with and without controls, by layer, and accuracy beside the controls."""
        from physlm.analysis.spectra.figures import draw_spectra

        return draw_spectra(measurement)


def require_attention_maps(model: "LanguageModel") -> None:
    """Blocks without attention weights, such as recurrent ones, are refused before any training."""
    import torch

    two_tokens = torch.zeros(1, 2, dtype=torch.long, device=model.device)
    for _ in model.attention_patterns(two_tokens):
        pass
