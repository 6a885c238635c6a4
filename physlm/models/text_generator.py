"""Text generation from prompts by a language model: a local checkpoint, or an endpoint.

A writer takes prompts and yields the number and answer of each as soon as it is complete.
"""

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import torch

from physlm.models.asking import asked
from physlm.models.endpoint import Endpoint
from physlm.models.pretrained import load_pretrained


class LocalWriter:
    """A causal model in a local `transformers` folder, with its tokenizer.

    Args:
        folder: Folder of the checkpoint.
        max_tokens: Maximum number of tokens of each answer.
        temperature: Temperature of sampling; 0 takes the likeliest token.
        seed: Seed of sampling.
        batch_size: Prompts read at once.

    Raises:
        InputError: If the folder holds no checkpoint of a causal model.
    """

    def __init__(
        self, folder: Path, *, max_tokens: int, temperature: float, seed: int, batch_size: int = 16
    ) -> None:
        model = load_pretrained(folder)
        self.text = model.to("cuda" if torch.cuda.is_available() else "cpu").text
        self.max_tokens, self.temperature = max_tokens, temperature
        self.seed, self.n_written, self.batch_size = seed, 0, batch_size

    def __call__(self, prompts: Iterable[str]) -> Iterator[tuple[int, str]]:
        """One answer to each prompt.

        Raises:
            InputError: If the model cannot read a prompt.
        """
        waiting, n_answered = iter(prompts), 0
        while batch := list(itertools.islice(waiting, self.batch_size)):
            self.text.require_fits(batch, self.max_tokens, "lower max_tokens")
            texts = self.text.write(
                batch,
                max_tokens=self.max_tokens,
                temperature=self.temperature,
                seed=self.seed + self.n_written,
            )
            yield from enumerate(texts, n_answered)
            self.n_written += 1
            n_answered += len(batch)


class EndpointWriter:
    """A model behind an OpenAI-compatible address, sent several requests at once.

    A key is sent if the environment has ``OPENAI_API_KEY``.

    Args:
        address: Address of the API, such as ``http://localhost:8000/v1``.
        model: Name of the model there.
        max_tokens: Maximum number of tokens of each answer, thoughts included.
        temperature: Temperature of sampling.
        request: Further fields of every request, or replacements; None removes one.
        batch_size: Requests at once.
        n_retries: Times a request is sent again when the server is down, busy or fails.
        timeout: Seconds to wait for an answer.
        say: Called with messages about waits and about answers without text.
    """

    def __init__(
        self,
        address: str,
        *,
        model: str,
        max_tokens: int,
        temperature: float,
        request: Mapping[str, Any] | None = None,
        batch_size: int = 16,
        n_retries: int = 5,
        timeout: float = 120.0,
        say: Callable[[str], None] = lambda _: None,
    ) -> None:
        fields = {"model": model, "max_tokens": max_tokens, "temperature": temperature}
        given = {**fields, **(request or {})}
        sent = {name: value for name, value in given.items() if value is not None}
        self.endpoint = Endpoint(address, sent, n_retries=n_retries, timeout=timeout, say=say)
        self.batch_size = batch_size

    def __call__(self, prompts: Iterable[str]) -> Iterator[tuple[int, str]]:
        """One answer to each prompt, in the order in which they arrive; empty if it was cut off.

        After an error no further prompt is sent; pending answers are awaited and yielded.

        Raises:
            InputError: If the endpoint is down, refuses, or its responses are not chat completions.
        """
        answers = asked(self.endpoint, prompts, self.batch_size)
        return ((number, text or "") for number, text in answers)
