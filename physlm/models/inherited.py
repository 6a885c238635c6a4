"""Configuration of a model inherited from an earlier run: trained further, adapted or quantised."""

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING

from physlm.errors import InputError
from physlm.models.architecture import ModelConfig
from physlm.registry import register
from physlm.run_id import LATER

if TYPE_CHECKING:
    from physlm.models.language_model import LanguageModel

FEWEST_BITS, MOST_BITS = 2, 8  # of a quantised weight


class Tuning(str, Enum):
    """Whether all weights are trained, or low-rank adapters that are merged at the end."""

    full = "full"
    lora = "lora"


@dataclass(frozen=True, slots=True, kw_only=True)
class Lora:
    """Which low-rank updates are trained.

    Attributes:
        rank: Rank of the updates to queries and to values, in every layer; 0 for none.
        embedding_rank: Rank of the update to the input embedding; 0 for none.
        alpha: Updates are scaled by alpha over their rank.

    Source:
        Hu et al. (2021), LoRA; embeddings as in Physics of Language Models, Part 3.1, appendix A.
    """

    rank: int
    embedding_rank: int
    alpha: int


@register("model", "inherited")
@dataclass(kw_only=True, slots=True)
class InheritedConfig(ModelConfig):
    """Architecture and weights of the run that ``init_from`` names.

    Source:
        Adapters: Physics of Language Models, Part 3.1, appendix A.
    """

    tuning: Tuning = Tuning.full
    rank: int = 8  # lora: rank of the updates to queries and values; 0 for none
    embedding_rank: int = 128  # lora: rank of the update to the embedding; 0 for none
    alpha: int = 16  # lora: updates are scaled by alpha over their rank
    # Bits to which the weights of blocks are quantised before measuring; null: not quantised.
    weight_bits: int | None = field(default=None, metadata=LATER)
    group_size: int = field(default=32, metadata=LATER)  # weights of a row that share a scale
    # Train the same architecture again, from random weights.
    reinitialised: bool = field(default=False, metadata=LATER)

    def validate(self) -> None:
        """Require every value in its range."""
        for name in ("rank", "embedding_rank"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name}={getattr(self, name)}; must be at least 0")
        if self.alpha <= 0:
            raise ValueError(f"alpha={self.alpha}; must be above 0")
        if self.tuning is Tuning.lora and not (self.rank or self.embedding_rank):
            raise ValueError(
                "tuning=lora with rank=0 and embedding_rank=0 trains nothing; raise one of them"
            )
        if self.weight_bits is not None and not FEWEST_BITS <= self.weight_bits <= MOST_BITS:
            raise ValueError(
                f"weight_bits={self.weight_bits}; must be from {FEWEST_BITS} to {MOST_BITS}"
            )
        if self.weight_bits is not None and self.tuning is Tuning.lora:
            raise ValueError(
                f"weight_bits={self.weight_bits} with tuning=lora: a quantised model is not "
                "trained; leave one of them out"
            )
        if self.reinitialised and (self.weight_bits is not None or self.tuning is Tuning.lora):
            raise ValueError(
                "reinitialised=true with tuning=lora or weight_bits: random weights are trained "
                "as a whole; leave these out"
            )
        if self.group_size < 1:
            raise ValueError(f"group_size={self.group_size}; must be at least 1")

    @property
    def lora(self) -> Lora | None:
        """The adapters that are trained, if any."""
        if self.tuning is Tuning.full:
            return None
        return Lora(rank=self.rank, embedding_rank=self.embedding_rank, alpha=self.alpha)

    def build(self, vocabulary_size: int, seq_len: int, seed: int) -> "LanguageModel":  # noqa: ARG002
        """Refused: there is no model to inherit without an earlier run.

        Raises:
            InputError: Always.
        """
        raise InputError("model=inherited takes the model of another run; name it by init_from")

    def to_train(self, model: "LanguageModel", seed: int) -> "LanguageModel":
        """The model itself, its adapters, or the same architecture with random weights.

        Raises:
            InputError: If its weights cannot be quantised or adapted as configured.
        """
        if self.weight_bits is not None:
            from physlm.models.quantised import require_quantisable  # loads torch

            require_quantisable(model, self.group_size)
        if self.reinitialised:
            return model.untrained(seed)
        if self.lora is None:
            return model
        from physlm.models.adapter import adapted  # loads torch

        return adapted(model, self.lora, seed)

    def to_measure(self, model: "LanguageModel") -> "LanguageModel":
        """The model itself, quantised, or with its adapters merged into the weights."""
        if self.weight_bits is not None:
            from physlm.models.quantised import quantised  # loads torch

            return quantised(model, bits=self.weight_bits, group_size=self.group_size)
        if self.lora is None:
            return model
        from physlm.models.adapter import merged  # loads torch

        return merged(model)
