"""Language models that write what they are asked for: a local checkpoint, or an endpoint."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import requests
import torch
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

from physlm.errors import InputError
from physlm.models.checkpoint import Checkpoint


class LocalWriter:
    """A causal model in a local `transformers` folder, with its tokenizer.

    Args:
        folder: Of the checkpoint.
        max_tokens: Of each answer.
        temperature: Of sampling; 0 takes the likeliest token.
        seed: Of sampling.

    Raises:
        InputError: If the folder holds no checkpoint of a causal model.
    """

    def __init__(self, folder: Path, *, max_tokens: int, temperature: float, seed: int) -> None:
        checkpoint = Checkpoint(folder)
        self.checkpoint = checkpoint.to("cuda" if torch.cuda.is_available() else "cpu")
        self.max_tokens, self.temperature = max_tokens, temperature
        self.seed, self.n_written = seed, 0

    def __call__(self, prompts: Sequence[str]) -> list[str]:
        """One answer to each prompt."""
        texts = self.checkpoint.write(
            prompts, max_tokens=self.max_tokens, temperature=self.temperature,
            seed=self.seed + self.n_written,
        )  # fmt: skip
        self.n_written += 1
        return texts


class EndpointWriter:
    """A model behind an address that answers as OpenAI's chat completions do.

    A key is sent if the environment has ``OPENAI_API_KEY``.

    Args:
        address: Such as ``http://localhost:8000/v1``.
        model: Its name there.
        max_tokens: Of each answer.
        temperature: Of sampling.
        n_retries: Times a request is sent again when the server is down, busy or fails; the waits
            between them double.
        timeout: Seconds to wait for an answer.
    """

    def __init__(
        self,
        address: str,
        *,
        model: str,
        max_tokens: int,
        temperature: float,
        n_retries: int = 5,
        timeout: float = 120.0,
    ) -> None:
        self.address = f"{address.rstrip('/')}/chat/completions"
        self.asked = {"model": model, "max_tokens": max_tokens, "temperature": temperature}
        self.timeout = timeout
        self.session = requests.Session()
        retry = Retry(
            total=n_retries, backoff_factor=0.5, status_forcelist=(429, 500, 502, 503, 504),
            allowed_methods=None, raise_on_status=False,
        )  # fmt: skip
        for scheme in ("http://", "https://"):
            self.session.mount(scheme, HTTPAdapter(max_retries=retry))
        if key := os.environ.get("OPENAI_API_KEY"):
            self.session.headers["Authorization"] = f"Bearer {key}"

    def __call__(self, prompts: Sequence[str]) -> list[str]:
        """One answer to each prompt.

        Raises:
            InputError: If the endpoint is down, refuses, or answers something else.
        """
        return [self._answer(prompt) for prompt in prompts]

    def _answer(self, prompt: str) -> str:
        asked: Any = {**self.asked, "messages": [{"role": "user", "content": prompt}]}
        try:
            response = self.session.post(self.address, json=asked, timeout=self.timeout)
        except requests.RequestException as error:
            raise InputError(
                f"endpoint {self.address} does not answer ({type(error).__name__}); see that it is "
                "up and run again, which goes on from here"
            ) from error
        if not response.ok:
            raise InputError(
                f"endpoint {self.address} answers {response.status_code} "
                f"{' '.join(response.text.split())[:200]}"
            )
        try:
            text = response.json()["choices"][0]["message"]["content"]
        except (ValueError, KeyError, IndexError, TypeError) as error:
            raise InputError(
                f"endpoint {self.address} answers {response.text[:100]!r}, not as chat completions "
                "do; see that it is OpenAI-compatible"
            ) from error
        return str(text)
