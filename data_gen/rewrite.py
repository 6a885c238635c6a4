"""Rewrite biographies by a language model: `python -m data_gen.rewrite output=F writer=FOLDER`."""

import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hydra.core.config_store import ConfigStore
from omegaconf import MISSING, DictConfig
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.progress import Progress as Bar

from data_gen.generate import require_output
from physlm.config import register, typed
from physlm.config.application import run_application
from physlm.data.corpus import require_at_least
from physlm.data.people.bior import BiorConfig, persons_of
from physlm.data.texts.discourse import Person
from physlm.data.texts.rewriting import Progress, Write, rewrite
from physlm.errors import InterruptedRunError, refused_values
from physlm.messages import explain
from physlm.models.text_generator import EndpointWriter, LocalWriter
from physlm.schema import Schema
from physlm.sources import content_of, located, pinned


@dataclass(kw_only=True, slots=True)
class RewriteConfig(Schema):
    """People, the model that writes their biographies, and the output."""

    output: str = MISSING  # a Parquet file; all answers are kept in a .jsonl file beside it
    writer: str = MISSING  # a transformers folder, or the name of the endpoint's model
    endpoint: str = ""  # an OpenAI-compatible address, such as http://localhost:8000/v1
    seed: int = 0  # of the people, and of sampling by a local model
    data: BiorConfig = MISSING  # the people, and n_texts of each
    max_tokens: int = 160  # tokens of an answer, including its reasoning
    temperature: float = 1.0  # of sampling; 0: greedy
    request: dict[str, Any] = field(default_factory=dict)  # fields of requests; null omits one
    batch_size: int = 16  # prompts of a batch, or simultaneous requests to an endpoint
    max_tries: int = 20  # attempts at each text
    n_retries: int = 5  # repetitions of a failed request to an endpoint
    timeout: float = 120.0  # seconds to wait for an endpoint's answer

    def validate(self) -> None:
        """Require every value in its range."""
        require_at_least(self, 1, "max_tokens", "batch_size", "max_tries")
        require_at_least(self, 0, "seed", "temperature", "n_retries")
        if self.data.source:
            raise ValueError(f"data.source={self.data.source} already has texts; leave it out")
        if not self.output.endswith(".parquet"):
            raise ValueError(f"output={self.output}; the name must end in .parquet")
        if not 0 < self.timeout <= _DAY:
            raise ValueError(f"timeout={self.timeout:g}; must be above 0 and at most {_DAY} s")
        if self.endpoint:
            self._require_sendable()
        elif self.request:
            raise ValueError(f"request={self.request} is for endpoints; leave it out")
        else:
            self.writer = pinned(self.writer)

    def _require_sendable(self) -> None:
        if not self.endpoint.startswith(("http://", "https://")):
            raise ValueError(f"endpoint={self.endpoint}; must begin with http:// or https://")
        for name in ("model", "messages", "stream"):
            if name in self.request:
                raise ValueError(f"request.{name} cannot be set; leave it out")
        if self.batch_size > _MOST_REQUESTS:
            raise ValueError(
                f"batch_size={self.batch_size}; must be at most {_MOST_REQUESTS} requests at once"
            )


_DAY, _MOST_REQUESTS = 86_400, 1000


def main() -> None:
    """Write a file of biographies; the last line of standard output is its name."""
    register()
    ConfigStore.instance().store(name="rewrite_schema", node=RewriteConfig)
    try:
        run_application(sys.argv[1:], _rewrite, "rewrite")
    except Exception as error:  # noqa: BLE001 - the last handler: every error becomes one line
        sys.exit(explain(error))


def _rewrite(composed: DictConfig) -> None:
    try:
        require_output(composed, "output=FILE.parquet")
        config = typed(composed, RewriteConfig)
        with refused_values():
            _, persons = persons_of(config.data, config.seed)
        path = _with_progress(config, persons)
    except KeyboardInterrupt:
        sys.exit(explain(InterruptedRunError("answers are kept; the same command resumes")))
    except Exception as error:  # noqa: BLE001 - reported here, as in generate
        sys.exit(explain(error))
    print(f"texts: {path}")  # noqa: T201 - the command's result


def _with_progress(config: RewriteConfig, persons: list[Person]) -> Path:
    bar = Bar(
        SpinnerColumn(),
        TextColumn("writing"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rejected]} rejected"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True, soft_wrap=True),
    )
    write = _writer(config, lambda text: bar.console.print(text, markup=False, highlight=False))
    with bar:
        task = bar.add_task("", total=len(persons) * config.data.n_texts, rejected=0)

        def show(done: Progress) -> None:
            bar.update(task, completed=done.n_done, rejected=done.n_rejected)

        return rewrite(
            persons,
            write,
            Path(config.output),
            n_texts=config.data.n_texts,
            max_tries=config.max_tries,
            seed=config.seed,
            settings=_settings(config),
            progress=show,
        )


def _settings(config: RewriteConfig) -> dict[str, Any]:
    """The settings that decide the texts, without the endpoint's address and length limits."""
    return {
        "writer": content_of(config.writer),
        "temperature": config.temperature,
        "request": config.request,
    }


def _writer(config: RewriteConfig, say: Callable[[str], None]) -> Write:
    if config.endpoint:
        return EndpointWriter(
            config.endpoint,
            model=config.writer,
            max_tokens=config.max_tokens,
            temperature=config.temperature,
            request=config.request,
            batch_size=config.batch_size,
            n_retries=config.n_retries,
            timeout=config.timeout,
            say=say,
        )
    with refused_values():
        folder = located(config.writer)
    return LocalWriter(
        folder,
        max_tokens=config.max_tokens,
        temperature=config.temperature,
        seed=config.seed,
        batch_size=config.batch_size,
    )


if __name__ == "__main__":
    main()
