"""Linear probes of hidden states with a low-rank update of the embedding.

The update is trained together with the classifier; all other weights of the model are frozen. The
probe can thus adapt to its input format, but must find the answer in the states.
"""

import copy
import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, Int64
from torch import Tensor, nn

from physlm.models.adapter import adapted
from physlm.models.inherited import Lora
from physlm.models.language_model import LanguageModel
from physlm.models.transformer import transformer
from physlm.rng import stream


class StateNorm(str, Enum):
    """Normalisation of states before the classifier."""

    layernorm = "layernorm"
    batchnorm = "batchnorm"
    none = "none"


@dataclass(frozen=True, kw_only=True, slots=True)
class AdaptedProbeRecipe:
    """Size and training of a probe.

    Attributes:
        embedding_rank: Rank of the update to the embedding; 0 for no update.
        norm: Normalisation before the classifier.
        n_steps: Optimizer steps; 30,000 in the paper.
        batch_size: Inputs per step.
        learning_rate: Learning rate of AdamW, decayed linearly to 0.
        weight_decay: Weight decay of AdamW.
        state: The state that the classifier reads, by the model's final norm; None for state L.
        n_batches_by_length: Batches that are drawn at once and divide their inputs by length, which
            saves padding where lengths differ.

    Source:
        Physics of Language Models, Part 3.1, sections 5 and 6 and appendix on probing.
    """

    embedding_rank: int
    norm: StateNorm
    n_steps: int
    batch_size: int
    learning_rate: float = 1e-3
    weight_decay: float = 0.3
    state: int | None = None
    n_batches_by_length: int = 1


@dataclass(frozen=True, slots=True)
class Inputs:
    """Inputs of a probe, with the positions at which it classifies and the labels.

    Attributes:
        tokens: Token ids, padded at the end.
        places: Positions of each input at which the state is classified; later tokens of a batch
            are not read.
        classes: The correct class, the same at every position.
    """

    tokens: Int[np.ndarray, "inputs seq"]
    places: Int64[np.ndarray, "inputs places"]
    classes: Int64[np.ndarray, " inputs"]

    def chosen(self, which: Bool[np.ndarray, " inputs"] | Int64[np.ndarray, " chosen"]) -> "Inputs":
        """A selection of the inputs."""
        return Inputs(self.tokens[which], self.places[which], self.classes[which])


class AdaptedProbe(nn.Module):
    """A classifier of hidden states, with the model that computes them.

    Args:
        model: The model whose states are probed; it is copied.
        n_classes: Number of classes.
        recipe: Size and training of the probe.
        seed: Seed of the initial update.

    Raises:
        InputError: If the model is not a transformer of physlm.
    """

    def __init__(
        self, model: LanguageModel, n_classes: int, recipe: AdaptedProbeRecipe, seed: int
    ) -> None:
        super().__init__()
        own = transformer(model, "a probe")
        lora = Lora(rank=0, embedding_rank=recipe.embedding_rank, alpha=recipe.embedding_rank)
        self.reader = (
            adapted(own, lora, seed)
            if recipe.embedding_rank
            else copy.deepcopy(own).requires_grad_(requires_grad=False)
        )
        self.state = recipe.state
        width = own.config.d_model
        norms = {
            StateNorm.layernorm: nn.LayerNorm,
            StateNorm.batchnorm: nn.BatchNorm1d,
            StateNorm.none: nn.Identity,
        }
        self.norm = norms[recipe.norm](width).to(model.device)
        self.classifier = nn.Linear(width, n_classes).to(model.device)
        nn.init.zeros_(self.classifier.weight)
        nn.init.zeros_(self.classifier.bias)

    def forward(
        self, tokens: Int[Tensor, "inputs seq"], places: Int[Tensor, "inputs places"]
    ) -> Float[Tensor, "inputs places classes"]:
        """Logits of the classes at every position."""
        return self.classified(self.states(tokens, places))

    def states(
        self, tokens: Int[Tensor, "inputs seq"], places: Int[Tensor, "inputs places"]
    ) -> Float[Tensor, "inputs places width"]:
        """Hidden states at every position."""
        if self.state is None:
            states = self.reader.hidden_states(tokens)
        else:
            states = self.reader.norm(self.reader.residuals(tokens, [self.state])[0])
        return states.gather(1, places[..., None].expand(-1, -1, states.shape[-1]))

    def classified(
        self, states: Float[Tensor, "inputs places width"]
    ) -> Float[Tensor, "inputs places classes"]:
        """Logits of the classes, from states."""
        scores: Tensor = self.classifier(self.norm(states.flatten(0, 1)))
        return scores.view(*states.shape[:2], -1)


def fit_adapted_probe(
    model: LanguageModel, inputs: Inputs, n_classes: int, recipe: AdaptedProbeRecipe, *, seed: int
) -> AdaptedProbe:
    """Train a probe to classify each input at every position.

    Args:
        model: The model whose states are probed, a causal one; it is copied.
        inputs: Training inputs.
        n_classes: Number of classes.
        recipe: Size and training of the probe.
        seed: Seed of the initial update and of the batches.
    """
    probe = AdaptedProbe(model, n_classes, recipe, seed).train()
    optimizer = torch.optim.AdamW(
        [parameter for parameter in probe.parameters() if parameter.requires_grad],
        lr=recipe.learning_rate,
        weight_decay=recipe.weight_decay,
        eps=1e-6,
    )
    schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.0, recipe.n_steps)
    size = min(recipe.batch_size, len(inputs.classes))
    frozen = None if recipe.embedding_rank else _all_states(probe, inputs, size)
    drawn = drawn_batches(inputs, size, recipe.n_batches_by_length, seed)
    for chosen in itertools.islice(drawn, recipe.n_steps):
        tokens, places, classes = _tensors(inputs.chosen(chosen), model.device)
        states = probe.states(tokens, places) if frozen is None else frozen[chosen]
        loss = nn.functional.cross_entropy(
            probe.classified(states).flatten(0, 1), classes.repeat_interleave(places.shape[1])
        )
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        schedule.step()
    return probe.eval()


def drawn_batches(
    inputs: Inputs, size: int, n_by_length: int, seed: int
) -> Iterator[Int64[np.ndarray, " batch"]]:
    """Endless random batches of inputs, by number.

    Args:
        inputs: Training inputs.
        size: Inputs per batch.
        n_by_length: Batches that are drawn at once and divide their inputs by length; 1 for batches
            of any lengths.
        seed: Seed of the batches.
    """
    rng = stream(seed, "probe batches")
    n = min(n_by_length, len(inputs.classes) // size)
    ends = inputs.places.max(axis=1)
    while True:
        drawn = rng.choice(len(inputs.classes), n * size, replace=False)
        if n == 1:
            yield drawn
            continue
        by_length = drawn[np.argsort(ends[drawn], kind="stable")].reshape(n, size)
        yield from rng.permutation(by_length)


@torch.no_grad()
def _all_states(
    probe: AdaptedProbe, inputs: Inputs, batch_size: int
) -> Float[Tensor, "inputs places width"]:
    """The states of a model without an update, which are constant and hence computed once."""
    batches = (_tensors(b, probe.reader.device) for b in _batches(inputs, batch_size))
    return torch.cat([probe.states(tokens, places) for tokens, places, _ in batches])


def is_right(
    probe: AdaptedProbe, inputs: Inputs, batch_size: int
) -> Bool[np.ndarray, "inputs places"]:
    """Whether the most likely class is the correct one, at every position of each input."""
    right: np.ndarray = predictions(probe, inputs, batch_size) == inputs.classes[:, None]
    return right


@torch.inference_mode()
def predictions(
    probe: AdaptedProbe, inputs: Inputs, batch_size: int
) -> Int64[np.ndarray, "inputs places"]:
    """The most likely class at every position of each input."""
    rows = []
    for batch in _batches(inputs, batch_size):
        tokens, places, _ = _tensors(batch, probe.reader.device)
        rows.append(probe(tokens, places).argmax(dim=-1).cpu().numpy())
    return np.concatenate(rows)


def _batches(inputs: Inputs, size: int) -> Iterator[Inputs]:
    for first in range(0, len(inputs.classes), size):
        yield inputs.chosen(np.arange(first, min(first + size, len(inputs.classes))))


def _tensors(inputs: Inputs, device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    read = inputs.tokens[:, : inputs.places.max() + 1]
    arrays = (read, inputs.places, inputs.classes)
    tokens, places, classes = (torch.from_numpy(a).long().to(device) for a in arrays)
    return tokens, places, classes
