"""A model behind an endpoint with OpenAI's chat completions API."""

import datetime
import email.utils
import itertools
import os
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import requests

from physlm.errors import InputError
from physlm.models.thoughts import without_thoughts

_BUSY = (408, 429, 500, 502, 503, 504)  # statuses after which the same request may succeed
_TOO_MANY = 429
_REFUSED = (400, 422)  # statuses of a request with fields that the server does not accept
_LONGEST_WAIT = 60.0  # seconds between two tries
_SILENCE = 3.0  # seconds of retries without a message
_SAID_AGAIN = 30.0  # seconds after which the same message is repeated


class Endpoint:
    """Sends prompts with retries, from any number of threads.

    Args:
        address: Address of the API, such as ``http://localhost:8000/v1``.
        fields: Fields of every request besides its messages.
        n_retries: Times a request is sent again when the server is down, busy or fails; the waits
            between them double.
        timeout: Seconds to wait for an answer.
        say: Called with messages about waits and about answers without text.
        key: The key of fields of requests on the command line, for remedies.

    Raises:
        InputError: If the environment has an ``OPENAI_API_KEY`` that cannot be sent.
    """

    def __init__(
        self,
        address: str,
        fields: Mapping[str, Any],
        *,
        n_retries: int,
        timeout: float,
        say: Callable[[str], None],
        key: str = "request",
    ) -> None:
        self.request_key = key
        self.address = f"{address.rstrip('/')}/chat/completions"
        self.fields, self.n_retries, self.timeout = dict(fields), n_retries, timeout
        self.key = os.environ.get("OPENAI_API_KEY", "")
        if not (self.key.isascii() and self.key.isprintable()):
            raise InputError(
                "OPENAI_API_KEY has line breaks or letters that cannot be sent; set it to the key "
                "alone"
            )
        self._say, self._said, self._lock = say, dict[str, float](), threading.Lock()
        self._free_at = 0.0  # no request is sent before, since the server asked for fewer

    def session(self) -> requests.Session:
        """Connections for one thread."""
        session = requests.Session()
        if self.key:
            session.headers["Authorization"] = f"Bearer {self.key}"
        return session

    def answer(self, session: requests.Session, prompt: str, stop: threading.Event) -> str | None:
        """The model's answer without its thoughts; None if it was cut off within them.

        Args:
            session: Session of this thread.
            prompt: Text of the user message.
            stop: Ends waits between tries.

        Raises:
            InputError: If the endpoint is down, refuses, or its responses are not chat completions.
        """
        fields = self.fields
        response = self._sent(session, fields, prompt, stop)
        if response.status_code in _REFUSED and _wants_other_word(response.text, fields):
            # The server names the field that replaces `max_tokens` for reasoning models.
            n_tokens = {"max_completion_tokens": fields["max_tokens"]}
            others = {name: value for name, value in fields.items() if name != "max_tokens"}
            self.fields = {**n_tokens, **others}
            response = self._sent(session, self.fields, prompt, stop)
        if not response.ok:
            raise InputError(self._refusal(response))
        return self._text(response)

    def say(self, text: str) -> None:
        """Pass a message on, once and not by every thread."""
        with self._lock:
            now = time.monotonic()
            is_new = now - self._said.get(text, -_SAID_AGAIN) >= _SAID_AGAIN
            if is_new:
                self._said[text] = now
        if is_new:
            self._say(text)

    def _sent(
        self,
        session: requests.Session,
        fields: Mapping[str, Any],
        prompt: str,
        stop: threading.Event,
    ) -> requests.Response:
        """A response that a retry would not change."""
        body = {**fields, "messages": [{"role": "user", "content": prompt}]}
        began = time.monotonic()
        for n_tries in itertools.count(1):
            if stop.wait(max(0.0, self._free_at - time.monotonic())):
                raise InputError(f"endpoint {self.address}: stopped before it was asked")
            came = self._tried(session, body)
            if isinstance(came, requests.Response):
                return came
            wait = self._wait(came, n_tries)
            if came.is_of_all:
                with self._lock:
                    self._free_at = max(self._free_at, time.monotonic() + wait)
            if time.monotonic() + wait - began > _SILENCE:
                self.say(
                    f"{came.reason}; retries in {wait:.0f} s ({n_tries} of n_retries="
                    f"{self.n_retries}), Ctrl-C loses nothing"
                )
            if stop.wait(wait):
                raise InputError(f"{came.reason}; {came.remedy}")
        raise AssertionError

    def _wait(self, trouble: "_Trouble", n_tries: int) -> float:
        """Seconds until the next try.

        Raises:
            InputError: If there is no further try.
        """
        if trouble.wait is not None and trouble.wait > _LONGEST_WAIT:
            raise InputError(
                f"{trouble.reason}, and asks to come back in {trouble.wait:.0f} s; run again then, "
                "what was written is kept"
            )
        if n_tries > self.n_retries:
            raise InputError(f"{trouble.reason}; {trouble.remedy}")
        doubled = 0.5 * 2 ** min(n_tries - 1, 7)
        return min(doubled, _LONGEST_WAIT) if trouble.wait is None else trouble.wait

    def _tried(self, session: requests.Session, body: Any) -> "requests.Response | _Trouble":
        """A response, or the reason for a retry."""
        try:
            response = session.post(self.address, json=body, timeout=self.timeout)
        except requests.Timeout:
            return _Trouble(
                f"endpoint {self.address} does not answer within timeout={self.timeout:g} s",
                None,
                "check that it is up, or raise timeout, and run again, which resumes from here",
            )
        except ValueError as error:  # requests' errors over addresses
            raise InputError(
                f"endpoint {self.address} is not a valid address ({error}); correct it"
            ) from error
        except requests.RequestException as error:
            return _Trouble(
                f"endpoint {self.address} does not answer ({type(error).__name__})",
                None,
                "check that it is up and run again, which resumes from here",
            )
        if response.ok and _completion(response) is None:
            return _Trouble(
                f"endpoint {self.address} answers {response.text[:100]!r}, which is not a chat "
                "completion",
                None,
                "check that it is OpenAI-compatible and run again, which resumes from here",
            )
        if response.status_code not in _BUSY:
            return response
        return _Trouble(
            self._refusal(response),
            _retry_after(response),
            "run again when it has recovered, what was written is kept",
            is_of_all=response.status_code == _TOO_MANY or "Retry-After" in response.headers,
        )

    def _refusal(self, response: requests.Response) -> str:
        said = " ".join(response.text.split())[:200]
        remedy = (
            f"; +{self.request_key}.NAME=VALUE sends a further field, "
            f"+{self.request_key}.NAME=null leaves one out"
            if response.status_code in _REFUSED
            else ""
        )
        return f"endpoint {self.address} answers {response.status_code} {said}{remedy}"

    def _text(self, response: requests.Response) -> str | None:
        """The answer in a response; None if there is none."""
        completion = _completion(response)
        assert completion is not None
        content, end = completion
        answer = without_thoughts(content)
        if answer == content and end == "length":
            answer = None  # all of it may be a thought that the server's template began
        if answer is None or not answer.strip():
            self.say(
                f"an answer has no text, or was cut off (finish_reason={end}): thoughts count as "
                "tokens, too; raise max_tokens if this is frequent"
            )
        return answer


class _Trouble(NamedTuple):
    """Why a request is sent again.

    Attributes:
        reason: What happened.
        wait: Seconds that the server asks to wait, if it does.
        remedy: What to do when no try is left.
        is_of_all: Whether all other requests have to wait, too.
    """

    reason: str
    wait: float | None
    remedy: str
    is_of_all: bool = False


def _wants_other_word(said: str, fields: Mapping[str, Any]) -> bool:
    return "max_tokens" in fields and "max_completion_tokens" in said


def _completion(response: requests.Response) -> tuple[str, Any] | None:
    """Text and finish reason of a chat completion; None if the response is not one."""
    try:
        choice = response.json()["choices"][0]
        return _joined(choice["message"].get("content")), choice.get("finish_reason")
    except (ValueError, KeyError, IndexError, TypeError, AttributeError):
        return None


def _joined(content: Any) -> str:
    """The text of a message, whose content is a text, null, or parts of several types."""
    if content is None:
        return ""
    if isinstance(content, list):
        return "".join(part["text"] for part in content if part["type"] == "text")
    if not isinstance(content, str):
        raise TypeError(content)
    return content


def _retry_after(response: requests.Response) -> float | None:
    """Seconds that the server asks to wait, given as such or as a date."""
    header = response.headers.get("Retry-After", "").strip()
    if header.isdecimal():
        return float(header)
    try:
        at = email.utils.parsedate_to_datetime(header)
    except ValueError:
        return None
    return max(0.0, at.timestamp() - datetime.datetime.now(datetime.UTC).timestamp())
