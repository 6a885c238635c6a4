"""Have a model write bioR: `python -m data_gen.rewrite output=bior.parquet writer=FOLDER`."""

import sys
from dataclasses import dataclass
from pathlib import Path

import hydra
from hydra.core.config_store import ConfigStore
from omegaconf import MISSING, DictConfig
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from data_gen.generate import require_output
from physlm.config import config_dir, one_line_errors, register_schemas, typed
from physlm.data.bio.bior import BiorConfig, persons_of
from physlm.data.bio.discourse import Person
from physlm.data.bio.rewriting import Progress, Write, rewrite
from physlm.data.corpus import require_at_least
from physlm.errors import InputError, refused_values
from physlm.models.writer import EndpointWriter, LocalWriter
from physlm.run import explain


@dataclass(kw_only=True, slots=True)
class RewriteConfig:
    """Whose biographies, by whom, and where to keep them."""

    output: str = MISSING  # a Parquet file; answers are kept in a .jsonl file beside it
    writer: str = MISSING  # a folder of transformers, or what the endpoint calls its model
    endpoint: str = ""  # an OpenAI-compatible address, such as http://localhost:8000/v1
    seed: int = 0
    data: BiorConfig = MISSING  # n_people, pool_size and seed decide the people, n_texts how often
    max_tokens: int = 160  # of an answer
    temperature: float = 1.0
    batch_size: int = 16  # answers at once
    max_tries: int = 20  # of each text, before giving up
    n_retries: int = 5  # of each request to an endpoint

    def __post_init__(self) -> None:
        require_at_least(self, 1, "max_tokens", "batch_size", "max_tries")
        require_at_least(self, 0, "seed", "temperature", "n_retries")
        if self.data.source:
            raise ValueError(f"data.source={self.data.source} is written already; leave it out")
        if not self.output.endswith(".parquet"):
            raise ValueError(f"output={self.output}; end the name in .parquet")


def main() -> None:
    """Write a file of biographies; the last line of standard output is its name."""
    one_line_errors()
    register_schemas()
    ConfigStore.instance().store(name="rewrite_schema", node=RewriteConfig)
    entry = hydra.main(config_path=str(config_dir()), config_name="rewrite", version_base="1.3")
    try:
        entry(_rewrite)()
    except Exception as error:  # noqa: BLE001 - the last place: every error becomes one line
        sys.exit(explain(error))


def _rewrite(composed: DictConfig) -> None:
    try:
        require_output(composed, "output=FILE.parquet")
        config = typed(composed, RewriteConfig)
        with refused_values():
            _, persons = persons_of(config.data, config.seed)
        write = _writer(config)
        path = _with_progress(config, persons, write)
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - told here, as in generate
        sys.exit(explain(error))
    print(f"texts: {path}")  # noqa: T201 - the command's result


def _with_progress(config: RewriteConfig, persons: list[Person], write: Write) -> Path:
    bar = Bar(
        TextColumn("writing"), BarColumn(), MofNCompleteColumn(),
        TextColumn("{task.fields[rejected]} rejected"), TimeRemainingColumn(),
        console=Console(stderr=True),
    )  # fmt: skip
    with bar:
        task = bar.add_task("", total=len(persons) * config.data.n_texts, rejected=0)

        def show(done: Progress) -> None:
            bar.update(task, completed=done.n_done, rejected=done.n_rejected)

        return rewrite(
            persons, write, Path(config.output), n_texts=config.data.n_texts,
            batch_size=config.batch_size, max_tries=config.max_tries, seed=config.seed,
            progress=show,
        )  # fmt: skip


def _writer(config: RewriteConfig) -> Write:
    if config.endpoint:
        if not config.endpoint.startswith(("http://", "https://")):
            raise InputError(f"endpoint={config.endpoint}; begin with http:// or https://")
        return EndpointWriter(
            config.endpoint, model=config.writer, max_tokens=config.max_tokens,
            temperature=config.temperature, n_retries=config.n_retries,
        )  # fmt: skip
    return LocalWriter(
        Path(config.writer), max_tokens=config.max_tokens, temperature=config.temperature,
        seed=config.seed,
    )  # fmt: skip


if __name__ == "__main__":
    main()
