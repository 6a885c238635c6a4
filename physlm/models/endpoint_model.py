"""Configuration of a model behind an OpenAI-compatible endpoint, measured by its answers."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from physlm.errors import InputError
from physlm.models.architecture import ModelConfig
from physlm.registry import register
from physlm.run_id import HOW

if TYPE_CHECKING:
    from physlm.models.language_model import LanguageModel

_DAY, _MOST_REQUESTS = 86_400, 1000
_OWN_FIELDS = ("model", "messages", "stream", "max_tokens")  # of a request, set by physlm


@register("model", "endpoint")
@dataclass(kw_only=True, slots=True)
class EndpointConfig(ModelConfig):
    """A model that is asked over the network, and answers in text alone.

    A key is sent if the environment has ``OPENAI_API_KEY``. Every answer is kept in the run's
    folder as it comes, so that an interrupted run asks for no answer twice.
    """

    is_published: ClassVar[bool] = True

    address: str = ""  # such as http://localhost:8000/v1
    name: str = ""  # of the model there
    # Further fields of a request, such as +model.request.top_p=0.9; null omits one (temperature).
    request: dict[str, Any] = field(default_factory=dict)
    concurrency: int = field(default=8, metadata=HOW)  # requests side by side
    n_retries: int = field(default=5, metadata=HOW)  # of each request
    timeout: float = field(default=120.0, metadata=HOW)  # seconds to wait for an answer

    def validate(self) -> None:
        """Require every value in its range."""
        if self.address and not self.address.startswith(("http://", "https://")):
            raise ValueError(f"address={self.address}; begin with http:// or https://")
        if not 1 <= self.concurrency <= _MOST_REQUESTS:
            raise ValueError(
                f"concurrency={self.concurrency}; must be from 1 to {_MOST_REQUESTS} requests"
            )
        if self.n_retries < 0:
            raise ValueError(f"n_retries={self.n_retries}; must be at least 0")
        if not 0 < self.timeout <= _DAY:
            raise ValueError(f"timeout={self.timeout:g}; must be above 0, and {_DAY} s at most")
        for own in _OWN_FIELDS:
            if own in self.request:
                raise ValueError(f"request.{own} cannot be set; leave it out")

    def build(self, vocabulary_size: int, seq_len: int, seed: int) -> "LanguageModel":  # noqa: ARG002
        """The model, which is not asked yet.

        Raises:
            InputError: If the endpoint or the model has no name, or the key cannot be sent.
        """
        if not self.address:
            raise InputError("model.address is empty; give one such as http://localhost:8000/v1")
        if not self.name:
            raise InputError("model.name is empty; give the name of the endpoint's model")
        from physlm.models.answered_model import AnsweredModel  # loads torch

        return AnsweredModel(self)
