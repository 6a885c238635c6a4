"""Linear probes of hidden states with position-only attention.

A probe's output at position i is a sum over positions k and heads h of a weight that depends on
i, k and h alone, times a linear function of the state at k. The probe is therefore linear in the
states: a label that it predicts is encoded in them, and not computed by the probe.
"""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from physlm.analysis.reach import Reach
from physlm.rng import stream, stream_key
from physlm.schema import converted


@dataclass(frozen=True, kw_only=True, slots=True)
class ProbeRecipe:
    """Size and training of probes; defaults as in the paper, except for size and steps.

    Attributes:
        n_heads: Heads of each probe.
        d_position: Width of the position vectors, over all heads; 1024 in the paper.
        n_steps: Optimizer steps; 30,000 in the paper.
        batch_size: Strings per step.
        learning_rate: Learning rate of AdamW.
        weight_decay: Weight decay of AdamW.

    Source:
        Physics of Language Models, Part 1, section 4.1 and the appendix on probing.
    """

    n_heads: int = 16
    d_position: int = 256
    n_steps: int = 300
    batch_size: int = 60
    learning_rate: float = 3e-3
    weight_decay: float = 1e-3


@dataclass(frozen=True, slots=True)
class Labels:
    """Labels of several probes, one per row, for every position of every string.

    Attributes:
        n_classes: Number of classes of each probe.
        classes: The correct class; ignored at positions without a label.
        is_asked: Whether a position has a label; false after the end of a string.
    """

    n_classes: tuple[int, ...]
    classes: Int[Tensor, "questions strings positions"]
    is_asked: Bool[Tensor, "strings positions"]


class Probes(nn.Module):
    """One probe for each row of labels, all trained on the same states at once.

    Args:
        n_classes: Number of classes of each probe.
        width: Width of a state.
        n_positions: Length of the longest string.
        reach: Which states a probe sees.
        recipe: Size of the probes.
        seed: Seed of the initial weights.
    """

    def __init__(
        self,
        n_classes: tuple[int, ...],
        width: int,
        n_positions: int,
        reach: Reach,
        recipe: ProbeRecipe,
        seed: int,
    ) -> None:
        super().__init__()
        self.n_classes, self.reach = n_classes, converted(reach, Reach, "reach")
        generator = torch.Generator().manual_seed(stream_key(seed, "probe") >> 1)
        n_questions, n_heads = len(n_classes), recipe.n_heads
        # All heads of a diagonal probe see the same state, so one is enough.
        self.n_heads = 1 if self.reach is Reach.diagonal else n_heads
        shape = (n_questions, self.n_heads, n_positions, max(1, recipe.d_position // n_heads))
        self.positions = nn.Parameter(torch.randn(shape, generator=generator))
        functions = torch.randn((width, self.n_heads, sum(n_classes)), generator=generator)
        self.functions = nn.Parameter(functions / math.sqrt(width * self.n_heads))
        self.biases = nn.Parameter(torch.zeros(sum(n_classes)))

    def forward(
        self, states: Float[Tensor, "strings positions width"]
    ) -> list[Float[Tensor, "strings positions classes"]]:
        """Logits of the classes of each probe."""
        values = torch.einsum("ntd,dhc->nhtc", states, self.functions)
        scores = []
        for question, part in enumerate(torch.split(values, list(self.n_classes), dim=-1)):
            weights = self._weights(question, states.shape[1])
            if weights is None:
                scores.append(part.sum(dim=1))
            else:
                scores.append(torch.einsum("hik,nhkc->nic", weights, part))
        biases = torch.split(self.biases, list(self.n_classes))
        return [score + bias for score, bias in zip(scores, biases, strict=True)]

    def _weights(
        self, question: int, n_positions: int
    ) -> Float[Tensor, "heads positions positions"] | None:
        """Attention weights between positions; None if each sees itself only."""
        n_beside = self.reach.n_beside
        if n_beside == 0:
            return None
        p = self.positions[question, :, :n_positions]
        scores = p @ p.mT / math.sqrt(p.shape[-1])
        if n_beside is not None:
            place = torch.arange(n_positions, device=p.device)
            is_far = (place[:, None] - place).abs() > n_beside
            scores = scores.masked_fill(is_far, -math.inf)
        return scores.softmax(dim=-1)


def fit_probes(
    states: Float[Tensor, "strings positions width"],
    labels: Labels,
    reach: Reach,
    recipe: ProbeRecipe,
    *,
    seed: int,
) -> Probes:
    """Train probes on fixed states.

    Args:
        states: Hidden states; those after the end of a string must be 0.
        labels: The correct classes.
        reach: Which states a probe sees.
        recipe: Size and training of the probes.
        seed: Seed of the initial weights and the batches.
    """
    n_strings, n_positions, width = states.shape
    probes = Probes(labels.n_classes, width, n_positions, reach, recipe, seed).to(states.device)
    optimizer = torch.optim.AdamW(
        probes.parameters(),
        lr=recipe.learning_rate,
        betas=(0.9, 0.98),
        weight_decay=recipe.weight_decay,
    )
    schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.0, recipe.n_steps)
    rng = stream(seed, "probe batches")
    for _ in range(recipe.n_steps):
        size = min(recipe.batch_size, n_strings)
        batch = torch.from_numpy(rng.choice(n_strings, size, replace=False)).to(states.device)
        is_asked = labels.is_asked[batch]
        answers = probes(states[batch])
        losses = [
            nn.functional.cross_entropy(answer[is_asked], classes[batch][is_asked])
            for answer, classes in zip(answers, labels.classes, strict=True)
        ]
        optimizer.zero_grad()
        torch.stack(losses).sum().backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        schedule.step()
    return probes


@torch.inference_mode()
def is_found(
    probes: Probes, states: Float[Tensor, "strings positions width"], labels: Labels
) -> Bool[Tensor, "questions strings positions"]:
    """Whether each probe predicts the correct class."""
    answers = [
        torch.cat([scores.argmax(dim=-1) for scores in parts])
        for parts in zip(*(probes(part) for part in torch.split(states, 64)), strict=True)
    ]
    return torch.stack(answers) == labels.classes
