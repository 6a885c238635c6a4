"""The model of an earlier run, trained on."""

from dataclasses import dataclass

from physlm.errors import InputError
from physlm.models.language_model import LanguageModel, ModelConfig


@dataclass(kw_only=True, slots=True)
class InheritedConfig(ModelConfig):
    """Architecture and weights of the run that ``init_from`` names."""

    def build(self, vocabulary_size: int, seq_len: int, seed: int) -> LanguageModel:  # noqa: ARG002
        """Refused: without an earlier run there is nothing to inherit.

        Raises:
            InputError: Always.
        """
        raise InputError("model=inherited takes the model of another run; name it by init_from")
