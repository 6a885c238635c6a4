"""Configuration of a published model in a local `transformers` folder, measured as it is."""

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, ClassVar

from physlm.errors import InputError
from physlm.models.architecture import ModelConfig
from physlm.registry import register
from physlm.sources import SOURCE, located, pinned

if TYPE_CHECKING:
    from physlm.models.pretrained import Pretrained


class WeightFormat(str, Enum):
    """Format of a checkpoint's weights in memory."""

    fp32 = "fp32"
    bf16 = "bf16"


@register("model", "checkpoint")
@dataclass(kw_only=True, slots=True)
class CheckpointConfig(ModelConfig):
    """A published model, measured as it is."""

    libraries: ClassVar = ("transformers",)
    is_published: ClassVar[bool] = True

    path: str = field(default="", metadata=SOURCE)  # with config.json, *.safetensors, a tokenizer
    weights: WeightFormat = WeightFormat.fp32

    def validate(self) -> None:
        """Pin the folder to its content."""
        if self.path:
            self.path = pinned(self.path)

    def build(self, vocabulary_size: int, seq_len: int, seed: int) -> "Pretrained":  # noqa: ARG002
        """The model of the folder; its tokens are its own, not those of the corpus.

        Raises:
            InputError: If the folder holds no checkpoint of a causal model.
            ValueError: If there is no such folder, or its content has changed since it was named.
        """
        if not self.path:
            raise InputError("model.path is empty; give the folder of a transformers checkpoint")
        import torch  # imported here, as composing a configuration does not need it

        from physlm.models.pretrained import load_pretrained

        dtypes = {WeightFormat.fp32: torch.float32, WeightFormat.bf16: torch.bfloat16}
        return load_pretrained(located(self.path), dtypes[self.weights])
