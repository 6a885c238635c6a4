"""Spectral metrics of growing texts, updated with every token instead of recomputed."""

from collections.abc import Callable, Iterator, Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor

from physlm.analysis.spectra.extremal import fiedler
from physlm.analysis.spectra.graph import Graph
from physlm.analysis.spectra.options import LaplacianKind, SignalKind
from physlm.analysis.spectra.signals import signal_of
from physlm.errors import InputError
from physlm.models.decoder import Decoder
from physlm.models.observer import AttentionObserver
from physlm.models.state import DecodingState

METRICS = ("energy", "smoothness", "fiedler")


class SpectralMonitor(AttentionObserver):
    """Metrics of the graph of each layer and head, while text is decoded.

    Call `begin` with prompts, then `decode` with each next token; `values` has the metrics so far.
    W is the mean of the map and its transpose, without self loops. A new token t adds a_ti / 2 to
    the edge between t and i, so that

    - ``energy``, tr(X'(D - W)X) of the combinatorial Laplacian, grows by the sum over i of
      a_ti / 2 |x_t - x_i|^2: exact, O(T d) a token;
    - ``smoothness`` of the symmetric normalised Laplacian changes everywhere, as the degrees of all
      tokens do: it is taken from the kept products x_i . x_j, exact, O(T^2);
    - ``fiedler``, lambda_2 of the latter, is found by Lanczos iterations that start from the last
      Fiedler vector, to the tolerance of `extremal`.

    Args:
        model: A decoder.
        n_positions: Tokens of a text, the prompt's included.
        metrics: Which of ``energy``, ``smoothness`` and ``fiedler``.
        signal: How a state becomes a signal: rms or raw. Each token would change a centred one.

    Raises:
        InputError: If a metric or signal is not one of these.
    """

    def __init__(
        self,
        model: Decoder,
        n_positions: int,
        metrics: Sequence[str] = METRICS,
        signal: SignalKind = SignalKind.rms,
    ) -> None:
        if unknown := [name for name in metrics if name not in METRICS]:
            raise InputError(f"metrics={unknown[0]}; use one of {', '.join(METRICS)}")
        if signal is SignalKind.centred:
            raise InputError("signal=centred changes with every token; use rms or raw")
        self.model, self.n_positions = model, n_positions
        self.metrics, self.signal = tuple(metrics), signal
        self.layers: list[_Layer] = []
        self._state: DecodingState | None = None
        self._n_blocks = 0  # received so far

    @torch.inference_mode()
    def begin(self, prompts: Int[Tensor, "batch seq"]) -> Float[Tensor, "batch vocab"]:
        """Read prompts of equal length; returns next-token scores."""
        lengths = torch.full((len(prompts),), prompts.shape[1], device=prompts.device)
        scores, self._state = self.model.prefill(prompts, lengths, self.n_positions)
        self.layers, self._n_blocks = [], 0
        states = self.model.residuals(prompts)
        for layer, patterns in self.model.attention_patterns(prompts):
            self.add(patterns, states[layer + 1])
        return scores

    @torch.inference_mode()
    def decode(self, tokens: Int[Tensor, " batch"]) -> Float[Tensor, "batch vocab"]:
        """Read one more token per text; returns next-token scores.

        Raises:
            InputError: If `begin` was not called.
        """
        if self._state is None:
            raise InputError(
                "no prompt was read yet; call begin with prompts of two tokens or more"
            )
        return self.model.decode(tokens, self._state, self)

    def add(
        self,
        patterns: Float[Tensor, "batch heads rows columns"],
        residual: Float[Tensor, "batch rows width"],
    ) -> None:
        """Receive the rows of new tokens in the next layer."""
        layer = self._n_blocks % self.model.n_layers
        if layer == len(self.layers):
            self.layers.append(_Layer(patterns, residual, self.n_positions))
        self.layers[layer].grow(patterns, signal_of(residual, self.signal).values)
        self._n_blocks += 1

    @torch.inference_mode()
    def values(self) -> dict[str, Float[Tensor, "layers batch heads"]]:
        """The metrics of the texts so far."""
        found: dict[str, Callable[[_Layer], Tensor]] = {
            "energy": lambda layer: layer.energy,
            "smoothness": _Layer.smoothness,
            "fiedler": _Layer.fiedler,
        }
        return {name: torch.stack([found[name](x) for x in self.layers]) for name in self.metrics}


@torch.inference_mode()
def monitored(
    monitor: SpectralMonitor, tokens: Int[Tensor, "batch seq"], n_prompt: int = 2
) -> Iterator[tuple[dict[str, Float[Tensor, "layers batch heads"]], Float[Tensor, " batch"]]]:
    """Read given texts token by token, as in decoding.

    Args:
        monitor: A monitor with room for these texts.
        tokens: Texts of equal length.
        n_prompt: Tokens at the beginning that are read at once.

    Yields:
        After the prompt and after each further token: the metrics of the text so far, and the
        log-probability (nats) of its last token.
    """
    scores = monitor.model(tokens[:, : n_prompt - 1])[:, -1]
    last = monitor.begin(tokens[:, :n_prompt])
    yield monitor.values(), _log_probability(scores, tokens[:, n_prompt - 1])
    for t in range(n_prompt, tokens.shape[1]):
        own = _log_probability(last, tokens[:, t])
        last = monitor.decode(tokens[:, t])
        yield monitor.values(), own


def _log_probability(
    scores: Float[Tensor, "batch vocab"], tokens: Int[Tensor, " batch"]
) -> Float[Tensor, " batch"]:
    return scores.log_softmax(-1).gather(-1, tokens[:, None].long())[:, 0]


class _Layer:
    """The graphs of one layer's heads, in tensors with room for all positions."""

    def __init__(self, patterns: Tensor, residual: Tensor, n_positions: int) -> None:
        n_batch, n_heads = patterns.shape[:2]
        self.n = 0
        self.weights = patterns.new_zeros(n_batch, n_heads, n_positions, n_positions)
        self.degrees = patterns.new_zeros(n_batch, n_heads, n_positions)
        self.products = residual.new_zeros(n_batch, n_positions, n_positions)
        self.signal = residual.new_zeros(n_batch, n_positions, residual.shape[-1])
        self.energy = patterns.new_zeros(n_batch, n_heads)
        self.vector: Tensor | None = None

    def grow(self, patterns: Tensor, signal: Tensor) -> None:
        """Add tokens, given their rows of the map; columns that are missing have weight 0."""
        for row in range(patterns.shape[2]):
            t = self.n
            if t == self.weights.shape[-1]:
                raise InputError(
                    f"n_positions={t} tokens were read; give the monitor more positions"
                )
            self._add(_last(patterns, row, t), signal[:, row])

    def _add(self, weights: Tensor, x: Tensor) -> None:
        t = self.n
        half = weights / 2
        self.weights[:, :, t, :t] = self.weights[:, :, :t, t] = half
        self.degrees[:, :, :t] += half
        self.degrees[:, :, t] = half.sum(-1)
        self.signal[:, t] = x
        own = (self.signal[:, : t + 1] @ x[..., None])[..., 0]
        self.products[:, t, : t + 1] = self.products[:, : t + 1, t] = own
        squares = self.products.diagonal(dim1=-2, dim2=-1)[:, :t]
        distances = squares + own[:, t:] - 2 * own[:, :t]
        self.energy = self.energy + (half * distances[:, None]).sum(-1)
        self.n += 1

    def smoothness(self) -> Tensor:
        """tr(X' L X) / tr(X' X) of the symmetric normalised Laplacian; 0 without a signal."""
        n = self.n
        degrees, products = self.degrees[:, :, :n], self.products[:, None, :n, :n]
        is_connected = degrees > 0
        scale = torch.where(is_connected, degrees, 1.0).rsqrt() * is_connected
        squares = products.diagonal(dim1=-2, dim2=-1)
        mixed = self.weights[:, :, :n, :n] * products
        across = (scale * (mixed @ scale[..., None])[..., 0]).sum(-1)
        total = squares.sum(-1).expand_as(across)
        rough = ((squares * is_connected).sum(-1) - across).clamp(min=0)
        return torch.where(total > 0, rough / total.clamp(min=1e-30), 0.0)

    def fiedler(self) -> Tensor:
        """lambda_2 of the symmetric normalised Laplacian."""
        n = self.n
        graph = Graph(self.weights[:, :, :n, :n], self.degrees[:, :, :n], None)
        start = None
        if self.vector is not None:
            start = torch.nn.functional.pad(
                self.vector, (0, n - self.vector.shape[-1]), value=n**-0.5
            )
        found = fiedler(graph, LaplacianKind.sym, start)
        self.vector = found.vector
        return found.value


def _last(patterns: Tensor, row: int, t: int) -> Tensor:
    """Weights of token t on the tokens before it, from its row over the last tokens so far."""
    n_rows, n_columns = patterns.shape[-2:]
    end = n_columns - (n_rows - 1 - row)  # columns up to and with the token itself
    own = patterns[:, :, row, : end - 1]
    return torch.nn.functional.pad(own, (t - own.shape[-1], 0))
