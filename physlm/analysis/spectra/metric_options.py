"""Options of the metrics of attention spectra, and the names of all metrics."""

import math
from dataclasses import dataclass, field

from physlm.analysis.spectra.options import GraphOptions, LaplacianKind, SignalKind
from physlm.errors import InputError
from physlm.schema import Schema

# What each group of metrics costs: sums over the matrix; its ends; all eigenvalues; eigenvectors.
TRACES = ("eigenvalue_mean", "eigenvalue_variance")
EXTREMES = ("fiedler", "spectral_gap", "lambda_max", "connectivity_ratio")
EIGENVALUES = (
    "eigenvalue_entropy",
    "eigenvalue_entropy_normalised",
    "eig_hfer",
    "n_components",
    "spacing_ratio",
    "heat_trace",
    "free_energy",
    "heat_capacity",
)
FORMS = ("energy", "smoothness")
SHARES = (0.5, 0.1)  # of modes, counted from above
MASSES = (
    "spectral_entropy",
    "spectral_entropy_normalised",
    "hfer",
    "hfer_half_max",
    *(f"hfer_index_{share}" for share in SHARES),
)
ADJACENCY = ("adjacency_radius", "adjacency_variance", "adjacency_histogram")
COMPANIONS = ("row_entropy", "self_mass", "sink_mass", "previous_token_mass")

BETAS = (0.1, 1.0, 10.0)
HFER_CUTS = ("above_one", "half_max")


@dataclass(kw_only=True, slots=True)
class MetricOptions(Schema):
    """Which metrics are measured, and how.

    Attributes:
        graph: From a map to an operator.
        signal: How the residual stream becomes a signal.
        metrics: Their names, without dimensions; None for all that the operator and the input have.
        betas: Inverse temperatures of heat_trace, free_energy and heat_capacity.
        hfer_cut: Above which ``hfer`` counts energy: ``above_one``, which only eigenvalues without
            a scale have (not ``comb``); ``half_max``, half of the largest eigenvalue; or the upper
            fraction of all modes, such as 0.1.
    """

    graph: GraphOptions = field(default_factory=GraphOptions)
    signal: SignalKind = SignalKind.rms
    metrics: list[str] | None = None
    betas: list[float] = field(default_factory=lambda: list(BETAS))
    hfer_cut: str = "above_one"

    def validate(self) -> None:
        """Positive temperatures, one metric or more, and a valid cut."""
        if wrong := [beta for beta in self.betas if beta <= 0]:
            raise ValueError(f"betas={wrong[0]}; must be positive")
        if self.metrics == []:
            raise ValueError("metrics=[]; name one or more")
        if self.hfer_cut not in HFER_CUTS and not 0 < self.hfer_share < 1:
            raise ValueError(
                f"hfer_cut={self.hfer_cut}; must be {', '.join(HFER_CUTS)}, or a fraction between "
                "0 and 1"
            )

    @property
    def hfer_share(self) -> float:
        """The fraction of modes above the cut; NaN if the cut is not a fraction."""
        try:
            return float(self.hfer_cut)
        except ValueError:
            return math.nan

    def names(self, *, has_signal: bool) -> set[str]:
        """The metrics to compute.

        Raises:
            InputError: If this operator and input have no metric of a given name.
        """
        default = self.available(has_signal=has_signal)
        if self.metrics is None:
            return default
        available = default | set(ADJACENCY)
        if unknown := sorted(set(self.metrics) - available):
            given = f"laplacian={self.graph.laplacian.value}" + " and no residual" * (
                not has_signal
            )
            raise InputError(
                f"metric {unknown[0]} with {given}; use one of {', '.join(sorted(available))}"
            )
        return set(self.metrics)

    def available(self, *, has_signal: bool) -> set[str]:
        """The metrics that the operator and the input have."""
        kind = self.graph.laplacian
        if kind is LaplacianKind.adjacency:
            return {*ADJACENCY, *COMPANIONS}
        found = {*TRACES, *EXTREMES, *EIGENVALUES, *COMPANIONS}
        if kind is LaplacianKind.directed:
            found -= {"spacing_ratio"}  # values on a diagonal do not repel each other
        if has_signal and kind.is_symmetric_laplacian:
            found |= {*FORMS, *MASSES}
            if kind is LaplacianKind.comb and self.hfer_cut == "above_one":
                found -= {"hfer"}  # 1 means something only where eigenvalues have no scale
        return found
