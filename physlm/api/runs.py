"""Runs: trained and measured, loaded, and measured by further scorers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from physlm.api.keywords import as_word, with_keywords
from physlm.config import RunConfig, recorded
from physlm.errors import InputError
from physlm.loading import uncollected
from physlm.outcome import Outcome, settled_outcome
from physlm.record import RunRecord, read_record
from physlm.report.exploration.source import source_of
from physlm.run_directory import RunDirectory, read_curves
from physlm.train.runtime import is_main_process

if TYPE_CHECKING:
    import polars as pl

    from physlm.data.corpus import Corpus
    from physlm.models.language_model import LanguageModel
    from physlm.preparation import World
    from physlm.report.exploration.subject import Subject

_LAST = ("value", "stderr", "n", "unit")  # columns of metrics, after the dimensions


@dataclass(frozen=True, eq=False)
class Run:
    """A finished run.

    Attributes:
        path: Its directory.
        config: Its configuration.
        record: Everything known about it: versions, counts, metrics, hashes.
    """

    path: Path
    config: RunConfig
    record: RunRecord

    @property
    def metrics(self) -> pl.DataFrame:
        """One row per metric: its name, a column for each dimension, value, stderr, n and unit."""
        import polars as pl

        rows = [
            {"metric": one.name, **one.dims} | {name: getattr(one, name) for name in _LAST}
            for one in self.record.metrics
        ]
        table = pl.DataFrame(rows, infer_schema_length=None)
        return table.select(pl.exclude(_LAST), *_LAST)

    @property
    def curves(self) -> pl.DataFrame:
        """The learning curves: one row per logged step, empty where nothing was trained."""
        import polars as pl

        path = RunDirectory(self.path).metrics
        return pl.DataFrame(read_curves(path) if path.is_file() else [], infer_schema_length=None)

    def table(self, name: str) -> pl.DataFrame:
        """A table that a scorer kept, such as ``qa_answers``.

        Raises:
            InputError: If the run has no such table, or it has changed.
        """
        from physlm.frames import read_frame

        path = RunDirectory(self.path).table(name)
        if path.name not in self.record.sha256:
            known = [
                n.removesuffix(".parquet") for n in self.record.sha256 if n.endswith("parquet")
            ]
            raise InputError(
                f"{self.path} has no table {name}; it has {', '.join(sorted(known)) or 'none'}"
            )
        return read_frame(path, self.record.sha256[path.name])

    @property
    def model(self) -> LanguageModel:
        """The trained model, in evaluation mode, on a GPU if there is one."""
        return self._world.model

    @property
    def corpus(self) -> Corpus:
        """What it was trained on, or measured against; ``corpus.vocabulary`` has its tokens."""
        return self._world.corpus

    @cached_property
    def _world(self) -> World:
        from physlm.report.exploration.run_subject import world_of

        return world_of(self.path)

    @cached_property
    def subject(self) -> Subject:
        """The model with its tokenizer and its generation of text.

        Raises:
            InputError: If it is an encoder.
        """
        from physlm.report.exploration.opened import subject_of

        return subject_of(str(self.path), self._world)

    def __repr__(self) -> str:
        """Experiment, seed and directory."""
        return f"Run({self.record.experiment}, seed={self.config.seed}, {str(self.path)!r})"


def run(*words: str | RunConfig, **keys: object) -> Run:
    """Complete one run, from where it stopped; a finished run is only loaded.

    Args:
        words: Overrides, as on the command line: ``"+experiment=extraction"``,
            ``"data.n_people=100"``. Or one configuration.
        keys: Values of keys by their last part, such as ``n_people=100`` or ``seed=1``. Where
            several keys share it, give the full key as an override.

    Returns:
        The finished run.

    Raises:
        InputError: If a key or value is refused, or the overrides describe several runs.
        DivergedError: If the loss is not finite at some step.
        UnmeasuredError: If a scorer failed; the trained model is kept.
    """
    config = _configuration(words, keys)
    if len(config.points) > 1:
        raise InputError(
            f"these overrides describe {len(config.points)} runs; use [physlm.run(..., seed=seed) "
            "for seed in range(n)], or the command line"
        )
    (point,) = config.points
    outcome = carried_out(point)
    assert outcome is not None  # in the main process
    outcome.record.raise_unless_finished()
    return Run(outcome.path.parent, point, outcome.record)


def load(path: str | Path) -> Run:
    """A finished run.

    Args:
        path: Its directory, its ``record.json``, or its id in the folder ``runs``.

    Raises:
        InputError: If there is no such run, it is not finished, or this version of physlm gives
            its configuration another run id.
        DivergedError: If it diverged.
        UnmeasuredError: If a scorer has not measured yet.
    """
    path = Path(path)
    if not path.exists() and (Path("runs") / path).exists():
        path = Path("runs") / path
    source = source_of(path)
    if not source.is_run:
        raise InputError(
            f"{path} is a checkpoint; measure it with physlm.run('+experiment=inside', "
            f"'data=texts', 'model=checkpoint', path={str(path)!r}, ...)"
        )
    record = read_record(RunDirectory(source.path).record)
    record.raise_unless_finished()
    return Run(source.path, recorded(source.path), record)


def score(of: Run, scorer: str, *words: str, **keys: object) -> Run:
    """Measure a finished run with another scorer; nothing is trained.

    The measurement is a separate run in the same folder, so that it is kept and not repeated.

    Args:
        of: The run whose model and world are measured.
        scorer: An option of ``eval``, such as ``"recall"``, ``"depth"`` or ``"spectra"``.
        words: Further overrides.
        keys: Fields of the scorer, such as ``max_people=100``.

    Returns:
        The run of the measurement.

    Raises:
        InputError: If the scorer cannot measure this run, or a value is refused.
        UnmeasuredError: If the scorer fails.
    """
    own = (
        "+experiment=inside",
        f"init_from={as_word(of.path.resolve())}",
        f"eval={scorer}",
        f"runs_dir={as_word(of.path.resolve().parent)}",
    )
    return run(*own, *words, **keys)


def carried_out(config: RunConfig, *, waits: bool = False) -> Outcome | None:
    """The outcome of a run; for a finished one only the record is loaded.

    Args:
        config: Of the run.
        waits: Whether to wait for another process that works on it.

    Returns:
        The outcome; None in every process of a distributed run but the first.
    """
    directory = RunDirectory(config.run_dir)
    if is_main_process() and (done := settled_outcome(config, directory)) is not None:
        return done
    with uncollected():
        from physlm.pipeline import execute  # loads torch

    return execute(config, directory, waits=waits)


def _configuration(words: Sequence[str | RunConfig], keys: Mapping[str, object]) -> RunConfig:
    """The configuration that the arguments of `run` describe."""
    given = [word for word in words if isinstance(word, RunConfig)]
    if given and (len(words) > 1 or keys):
        raise InputError(
            "a RunConfig with overrides or keywords; give the RunConfig alone, and change its "
            "fields instead"
        )
    if given:
        return given[0]
    texts = tuple(word for word in words if isinstance(word, str))
    values = {k: v.path.resolve() if isinstance(v, Run) else v for k, v in keys.items()}
    return with_keywords(texts, values)
