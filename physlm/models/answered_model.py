"""A model that is known by its answers alone, such as one behind an endpoint."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NoReturn

from torch import Tensor

from physlm.errors import InputError
from physlm.models.answering import Answering
from physlm.models.asking import asked
from physlm.models.endpoint import Endpoint
from physlm.models.language_model import LanguageModel
from physlm.watching import tell

if TYPE_CHECKING:
    from physlm.models.endpoint_model import EndpointConfig


class AnsweredModel(LanguageModel):
    """A model without tokens, scores or states.

    Args:
        config: How it is asked.
    """

    vocabulary_size = 0

    def __init__(self, config: "EndpointConfig") -> None:
        super().__init__()
        self.answering = EndpointAnswering(config)

    def forward(self, tokens: Tensor, segments: Tensor | None = None) -> NoReturn:  # noqa: ARG002
        """Refused.

        Raises:
            InputError: Always.
        """
        raise InputError(
            "a model behind an endpoint gives answers, not scores; to measure scores, give its "
            "folder with model=checkpoint"
        )


class EndpointAnswering(Answering):
    """The likeliest answers of an endpoint's model.

    Args:
        config: How it is asked.
    """

    def __init__(self, config: "EndpointConfig") -> None:
        self.config = config

    def require_reads(self, prompts: Sequence[str], max_tokens: int) -> None:
        """No check: what the model can read is not known before it is asked."""

    def answers_of(
        self,
        prompts: Sequence[str],
        *,
        max_tokens: int,
        batch_size: int,  # noqa: ARG002
    ) -> Iterator[tuple[int, str | None]]:
        """Answers as they come; see `Answering`."""
        config = self.config
        fields = {"model": config.name, "max_tokens": max_tokens, "temperature": 0.0}
        if "max_completion_tokens" in config.request:  # the other name of max_tokens
            del fields["max_tokens"]
        given = {**fields, **config.request}
        sent = {name: value for name, value in given.items() if value is not None}
        endpoint = Endpoint(
            config.address,
            sent,
            n_retries=config.n_retries,
            timeout=config.timeout,
            say=tell,
            key="model.request",
        )
        return asked(endpoint, prompts, config.concurrency)
