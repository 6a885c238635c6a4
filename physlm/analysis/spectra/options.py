"""How an attention map becomes a graph and an operator: the choices, without any computation."""

from dataclasses import dataclass
from enum import Enum

from physlm.schema import Schema


class LaplacianKind(str, Enum):
    """The operator whose eigenvalues are taken.

    With symmetric weights W and degrees D = diag(sum_j W_ij):

    - ``sym``: D^-1/2 (D - W) D^-1/2, symmetric normalised; 0^-1/2 = 0, so that an isolated token
      has eigenvalue 0. Eigenvalues lie in [0, 2] and do not change if W is scaled.
    - ``comb``: D - W, combinatorial; scales with W.
    - ``rw``: I - D^-1 W, random walk. It has the eigenvalues of ``sym``; a signal X has the
      energies that D^1/2 X has there.
    - ``directed``: diag(deg) - A of a causal map, triangular: its eigenvalues are deg_t - a_tt.
    - ``adjacency``: W itself; or A, of which magnitudes are given, if ``symmetrise=none``.
    """

    sym = "sym"
    comb = "comb"
    rw = "rw"
    directed = "directed"
    adjacency = "adjacency"

    @property
    def is_symmetric_laplacian(self) -> bool:
        """Whether it has a quadratic form, and with it metrics of a signal."""
        return self in {LaplacianKind.sym, LaplacianKind.comb, LaplacianKind.rw}


class Symmetrise(str, Enum):
    """How a map A becomes symmetric.

    - ``mean``: (A + A')/2.
    - ``max``: the larger of a_ij and a_ji.
    - ``none``: not at all, for ``laplacian=adjacency`` with self loops only. The eigenvalues of a
      causal map are its diagonal, and the largest is always 1: the first token attends to itself
      alone.
    """

    mean = "mean"
    max = "max"
    none = "none"


class Diagonal(str, Enum):
    """What is done to the diagonal of W before self loops are removed; no option adds information.

    - ``unchanged``: nothing.
    - ``mixed``: W becomes (1 - a) W + a I. Eigenvalues mu of the adjacency become (1 - a) mu + a;
      without self loops ``comb`` is scaled by 1 - a, and ``sym`` is unchanged.
    - ``row_sums``: W_ii becomes the sum of the others in its row. The adjacency is then D + W, the
      signless Laplacian; normalised it is 2 I - L_sym, the mirrored spectrum.
    """

    unchanged = "unchanged"
    mixed = "mixed"
    row_sums = "row_sums"


class Heads(str, Enum):
    """Which graph represents the heads of a layer.

    - ``each``: one graph per head; for statistics.
    - ``mean``: their mean map; for curves and figures.
    - ``offdiag_mass``: their mean weighted by the attention that a head pays to other tokens,
      T - tr A. (Weights by the whole mass would be those of the mean: every head has mass T.)
    """

    each = "each"
    mean = "mean"
    offdiag_mass = "offdiag_mass"


class SignalKind(str, Enum):
    """How a residual stream becomes a signal on the graph.

    - ``rms``: each token divided by its root mean square; a zero token stays zero.
    - ``raw``: unchanged. One token with huge activations, often the first, then decides everything.
    - ``centred``: the mean over tokens is subtracted.
    """

    rms = "rms"
    raw = "raw"
    centred = "centred"


@dataclass(kw_only=True, slots=True)
class GraphOptions(Schema):
    """From a map to an operator.

    Attributes:
        laplacian: The operator.
        symmetrise: How the map becomes symmetric; ``directed`` takes it as it is.
        self_loops: Whether the diagonal stays, in W and in the degrees. networkx and PyGSP keep
            it, ``scipy.sparse.csgraph.laplacian`` drops it; without self loops all agree.
        clip: Weights below it become 0. Rows of a map fall as 1/T, so that this removes more of
            long texts than of short ones: an effect of length by construction.
        diagonal: What is done to the diagonal before.
        diagonal_share: The fraction a of ``diagonal=mixed``.
    """

    laplacian: LaplacianKind = LaplacianKind.sym
    symmetrise: Symmetrise = Symmetrise.mean
    self_loops: bool = False
    clip: float = 0.0
    diagonal: Diagonal = Diagonal.unchanged
    diagonal_share: float = 0.5

    def validate(self) -> None:
        """Refuse what has no meaning or no effect."""
        if self.clip < 0:
            raise ValueError(f"clip={self.clip}; must be 0 or a positive weight")
        if not 0 <= self.diagonal_share < 1:
            raise ValueError(
                f"diagonal_share={self.diagonal_share}; must be at least 0 and below 1"
            )
        is_adjacency = self.laplacian is LaplacianKind.adjacency
        if self.symmetrise is Symmetrise.none and not is_adjacency:
            raise ValueError(
                f"symmetrise=none with laplacian={self.laplacian.value}; only adjacency has it; "
                "use mean or max"
            )
        if self.symmetrise is Symmetrise.none and not self.self_loops:
            raise ValueError(
                "symmetrise=none without self loops, which are the eigenvalues of a causal map; "
                "set self_loops=True"
            )
        if self.diagonal is Diagonal.row_sums and not self.self_loops:
            raise ValueError(
                "diagonal=row_sums without self loops, which removes the diagonal; set "
                "self_loops=True"
            )
