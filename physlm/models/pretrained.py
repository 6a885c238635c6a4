"""Any causal model in a local `transformers` folder, with the interface of our own models."""

import copy
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from physlm.errors import InputError
from physlm.models.language_model import LanguageModel, chosen
from physlm.models.pretrained_parts import Parts, parts_of, stream_of
from physlm.models.pretrained_text import PretrainedText, tokenizer_of
from physlm.models.pretrained_weights import load_causal_model, reading, require_checkpoint


def load_pretrained(folder: Path | str, dtype: torch.dtype | str = "auto") -> "Pretrained":
    """The causal model of a folder, with its tokenizer.

    Args:
        folder: Folder with ``config.json``, weights as safetensors, and a tokenizer.
        dtype: Dtype of the weights in memory; ``auto`` is that of the files.

    Raises:
        InputError: If the folder holds no checkpoint of a causal model with its tokenizer.
    """
    return Pretrained(Path(folder), dtype)


class Pretrained(LanguageModel):
    """A causal model of `transformers`.

    Its blocks, final norm and output head are found at the first analysis, by what they compute for
    a few tokens, and verified: composed, they must give the model's own scores.

    Args:
        folder: Folder of the checkpoint.
        dtype: Dtype of the weights in memory; ``auto`` is that of the files.
        model: The model, if its weights are not those of the files.

    Attributes:
        text: Reads and writes text with the model's tokenizer.

    Raises:
        InputError: If the folder holds no checkpoint of a causal model with its tokenizer.
    """

    text: PretrainedText

    def __init__(
        self, folder: Path, dtype: torch.dtype | str = "auto", *, model: Any = None
    ) -> None:
        super().__init__()
        require_checkpoint(folder)
        tokenizer = tokenizer_of(folder)
        self.model: Any = load_causal_model(folder, dtype) if model is None else model
        config = self.model.config.get_text_config()
        self.vocabulary_size = config.vocab_size
        self.longest_window = getattr(config, "max_position_embeddings", None)
        self._verified: set[int] = set()  # states from which `forward_from` was verified
        self._folder = folder
        self.text = PretrainedText(tokenizer, self.model, folder, self.longest_window)
        self.answering = self.text
        self.eval()
        self._require_causal(folder)

    @property
    def n_layers(self) -> int:
        """Number of blocks."""
        return len(self.parts.blocks)

    @property
    def output_weight(self) -> Float[Tensor, "vocab width"]:
        """Weights of the output head; see ``LanguageModel``."""
        return self.parts.head.weight

    @cached_property
    def parts(self) -> Parts:
        """Blocks, final norm and output head.

        Raises:
            InputError: If they cannot be found, or do not give the model's scores.
        """
        return parts_of(self.model)

    def forward(
        self, tokens: Int[Tensor, "batch seq"], segments: Int[Tensor, "batch seq"] | None = None
    ) -> Float[Tensor, "batch seq vocab"]:
        """Unnormalised next-token scores over the checkpoint's own tokens.

        Raises:
            InputError: If segments are given, which checkpoints do not support.
        """
        _require_whole(segments)
        logits: Tensor = self.model(tokens).logits
        return logits

    def hidden_states(
        self, tokens: Int[Tensor, "batch seq"], segments: Int[Tensor, "batch seq"] | None = None
    ) -> Float[Tensor, "batch seq width"]:
        """State L after the final norm; see ``LanguageModel``."""
        return self.parts.normed(self.residuals(tokens, [self.n_layers], segments)[0])

    def residuals(
        self,
        tokens: Int[Tensor, "batch seq"],
        states: Sequence[int] | None = None,
        segments: Int[Tensor, "batch seq"] | None = None,
    ) -> Float[Tensor, "states batch seq width"]:
        """The residual stream at chosen states; see ``LanguageModel``."""
        _require_whole(segments)
        wanted = chosen(states, self.n_layers + 1, "state")
        found = stream_of(self.model, self.parts.blocks, tokens, wanted)
        return torch.stack([found[k] for k in wanted])

    def unembed(self, residual: Float[Tensor, "*any width"]) -> Float[Tensor, "*any vocab"]:
        """Scores from a state; see ``LanguageModel``."""
        return self.parts.scores(self.parts.normed(residual))

    def forward_from(
        self,
        residual: Float[Tensor, "batch seq width"],
        k: int,
        segments: Int[Tensor, "batch seq"] | None = None,
    ) -> Float[Tensor, "batch seq width"]:
        """State L from a given state k; see ``LanguageModel``.

        Earlier blocks also run, on arbitrary tokens, and their output is replaced.

        Raises:
            InputError: If there is no such state, or later blocks read more than the stream, such
                as the tokens.
        """
        _require_whole(segments)
        chosen([k], self.n_layers + 1, "state")
        if k == self.n_layers:
            return residual
        self._require_stream_alone(k)
        return self._from(residual, k)

    def _from(self, residual: Tensor, k: int) -> Tensor:
        tokens = torch.zeros(residual.shape[:2], dtype=torch.long, device=residual.device)
        last = self.n_layers
        return stream_of(self.model, self.parts.blocks, tokens, [last], given={k: residual})[last]

    @torch.no_grad()
    def _require_stream_alone(self, k: int) -> None:
        """Verify that state k alone determines the last state, whatever tokens are read."""
        if k in self._verified:
            return
        tokens = torch.arange(8, device=self.device)[None] % self.vocabulary_size
        state, last = self.residuals(tokens, [k, self.n_layers])
        if not torch.allclose(self._from(state, k), last, rtol=1e-4, atol=1e-4):
            raise InputError(
                f"{self._kind}: blocks after state {k} read more than the residual stream; "
                "forward_from cannot start from this state"
            )
        self._verified.add(k)

    def attention_patterns(
        self,
        tokens: Int[Tensor, "batch seq"],
        layers: Sequence[int] | None = None,
        segments: Int[Tensor, "batch seq"] | None = None,
    ) -> Iterator[tuple[int, Float[Tensor, "batch heads seq seq"]]]:
        """Attention weights, layer by layer; see ``LanguageModel``.

        The patterns of all chosen layers are held at once: one pass through the model makes them.
        """
        _require_whole(segments)
        wanted = chosen(layers, self.n_layers, "layer")
        found = self.parts.patterns(self.model, tokens, wanted)
        return ((layer, found[layer]) for layer in wanted)

    def untrained(self, seed: int) -> "Pretrained":
        """The same architecture with weights that its library draws; see ``LanguageModel``."""
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            model = type(self.model)(copy.deepcopy(self.model.config))
        fresh = Pretrained(self._folder, model=model)
        return fresh.to(self.output_weight)

    @torch.inference_mode()
    def _require_causal(self, folder: Path) -> None:
        """Verify that changing the second token does not change the scores at the first."""
        kind = self._kind
        with reading(folder):
            first, second = self(torch.tensor([[0, 0], [0, 1]]))[:, 0]
        if not (first.isfinite().all() and second.isfinite().all()):
            raise InputError(f"{folder}: {kind} computes NaN or infinity; try model.weights=fp32")
        if not torch.allclose(first, second, atol=1e-3):
            raise InputError(f"{folder}: {kind} reads on both sides; give a causal model")

    @property
    def _kind(self) -> str:
        return type(self.model).__name__


def _require_whole(segments: Tensor | None) -> None:
    if segments is not None:
        raise InputError("a checkpoint attends to all earlier tokens; leave segments out")
