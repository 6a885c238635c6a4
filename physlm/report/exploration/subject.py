"""The model that is explored, with its tokenizer and its generation of text."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence

from physlm.analysis.lenses.state_pool import Windows
from physlm.errors import InputError
from physlm.models.language_model import LanguageModel


class Subject(ABC):
    """A causal model that reads and writes text.

    Attributes:
        name: What it is called in titles.
        model: The model.

    Raises:
        InputError: If the model is an encoder.
    """

    def __init__(self, name: str, model: LanguageModel) -> None:
        if not model.is_causal:
            raise InputError(
                f"{name} is an encoder, which predicts no next token; choose a decoder"
            )
        self.name, self.model = name, model

    @abstractmethod
    def tokens_of(self, text: str) -> list[int]:
        """Token ids of a text, with the token that begins every text of the model, if any.

        Raises:
            InputError: If the model does not have all of its tokens.
        """

    def document(self, number: int) -> list[int]:  # noqa: ARG002
        """Token ids of a document of the world that the model was trained on.

        Raises:
            InputError: If there is no such document.
        """
        raise InputError(f"{self.name} is a checkpoint, without documents of its own; give a text")

    @abstractmethod
    def text_of(self, tokens: Sequence[int]) -> str:
        """The text of a sequence of tokens."""

    @abstractmethod
    def texts_of(self, tokens: Iterable[int]) -> dict[int, str]:
        """The text of each token by itself."""

    @abstractmethod
    def continuation(self, tokens: Sequence[int], max_tokens: int) -> list[int]:
        """The greedy continuation of tokens, without its end-of-text."""

    @abstractmethod
    def lens_windows(self, analysed: Sequence[int], texts: Sequence[str] | None) -> Windows:
        """Windows on which a lens is fitted, without what is analysed.

        Args:
            analysed: The tokens to be analysed.
            texts: Texts that are given; None for documents of the model's own world.

        Raises:
            InputError: If there are none.
        """
