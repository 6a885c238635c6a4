"""The record of a trained run, as values and as JSON."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

from physlm.errors import DivergedError, InputError, UnmeasuredError
from physlm.measurement import Metric, by_text

SCHEMA_VERSION = 2


class Origin(NamedTuple):
    """The run that a file belongs to, as recorded in weights and checkpoints.

    Attributes:
        run_id: Of the run.
        corpus: Fingerprint of what it is trained on.
    """

    run_id: str
    corpus: str

    def require(self, found: Mapping[str, str], path: Path) -> None:
        """Check that a file belongs to this run; files of earlier versions do not say.

        Raises:
            InputError: If it belongs to another run.
        """
        for name, value in self._asdict().items():
            if found.get(name, value) != value:
                raise InputError(
                    f"{path} is of another run ({name}={found[name]}, here {value}); delete it, or "
                    "put back the file that was here"
                )


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRecord:
    """Everything known about a trained run.

    Attributes:
        status: ``finished``, ``diverged``, or ``trained`` where not everything is measured yet.
        corpus: Fingerprint and entropy in bits.
        parameters: Parameter counts by role, their ``total``, and of a mixture of experts those
            ``active`` for one token.
        exposures: Presentations of each piece of knowledge, counted by the loader.
        is_compiled: Whether training ran as compiled programs; None where that was not recorded.
        data_wait_fraction: Fraction of the time in which training waited for data; None where that
            was not recorded.
        n_replicas: Runs trained together in one program; seconds are this run's part of its time.
        stopped_at_step: Where the loss stopped being finite, if it did.
        published: The numbers in the paper, by the texts of metrics.
        published_of: What the paper measured these on.
        changed: Keys whose values are not those of the experiment of that name, with both values as
            text; None where there is no such experiment, or that was not recorded.
        scorers: The version of each scorer that has measured.
        arrays: Digest of the arrays of each scorer that has some, in ``arrays.npz``.
        errors: Why a scorer could not measure, by scorer.
        scoring_software: Software of a measurement by a later process; empty if the process that
            trained the run measured it.
        sha256: Hashes of kept files by name; other files are not verified.
    """

    run_id: str
    experiment: str
    status: str
    config: dict[str, Any]
    software: dict[str, Any]
    device: str
    corpus: dict[str, Any]
    parameters: dict[str, int]
    steps: int
    tokens: int
    exposures: float
    wall_seconds: float
    tokens_per_second: float
    metrics: tuple[Metric, ...]
    published: dict[str, float]
    is_compiled: bool | None = None
    data_wait_fraction: float | None = None
    n_replicas: int = 1
    stopped_at_step: int | None = None
    published_of: str = ""
    changed: dict[str, str] | None = None
    scorers: dict[str, int] = field(default_factory=dict)
    arrays: dict[str, str] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)
    scoring_software: dict[str, Any] = field(default_factory=dict)
    sha256: dict[str, str] = field(default_factory=dict)
    schema_version: int = SCHEMA_VERSION

    @property
    def origin(self) -> Origin:
        """The origin that the files of this run record."""
        return Origin(self.run_id, self.corpus["fingerprint"])

    def raise_unless_finished(self) -> None:
        """Raise the reason why the run is not finished, if it is not.

        Raises:
            DivergedError: If its loss is not finite at some step.
            UnmeasuredError: If a scorer failed.
        """
        if self.stopped_at_step is not None:
            rate = self.config["optim"]["learning_rate"]
            clip = self.config["trainer"]["gradient_clip"]
            other = f"trainer.gradient_clip={clip}" if clip else "set trainer.gradient_clip=1.0"
            raise DivergedError(
                self.stopped_at_step, f"lower optim.learning_rate={rate:g} or {other}"
            )
        if self.status != "finished":
            reasons = "; ".join(f"eval.{name}: {reason}" for name, reason in self.errors.items())
            raise UnmeasuredError(
                f"{reasons or 'interrupted'}; the trained model is kept, the same command measures "
                "what is missing"
            )

    def unmeasured(self, scorers: Iterable[str]) -> list[str]:
        """Names of the scorers that have not measured yet."""
        return [name for name in scorers if name not in self.scorers]

    def judged(self, scorers: Iterable[str]) -> "RunRecord":
        """A copy with its status: finished once all scorers have measured."""
        return replace(self, status="trained" if self.unmeasured(scorers) else "finished")

    def outdated(self, versions: Mapping[str, int]) -> tuple[str, ...]:
        """Scorers whose version has changed since they measured this run, with both versions."""
        done = self.scorers
        return tuple(
            f"eval.{name} was version {done[name]}, now {version}"
            for name, version in versions.items()
            if done.get(name, version) != version
        )

    def as_json(self) -> str:
        """The record as JSON with its checksum."""
        content = asdict(self)
        content["seal"] = _seal(content)
        return json.dumps(content, indent=2, sort_keys=True) + "\n"

    def metric(self, text: str) -> Metric:
        """The metric of that text, such as ``qa/chance{split=train_people}``.

        Raises:
            KeyError: If the run did not measure it.
        """
        return by_text(self.metrics)[text]


def read_record(path: Path) -> RunRecord:
    """Read one ``record.json``.

    Raises:
        InputError: If the file is truncated, corrupt, changed or of another schema version.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        version = content["schema_version"]
        if version == SCHEMA_VERSION:
            return _parsed(content)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise InputError(
            f"{path} is not a record ({type(error).__name__}: {error}); "
            "delete it to run this point again"
        ) from error
    raise InputError(
        f"{path} is of another version of physlm (schema_version={version}, here {SCHEMA_VERSION});"
        " run it again with force=true, or read it with the version that wrote it"
    )


def _parsed(content: dict[str, Any]) -> RunRecord:
    if content.pop("seal") != _seal(content):
        raise ValueError("a value was changed after it was written")
    metrics = tuple(Metric(**metric) for metric in content.pop("metrics"))
    record = RunRecord(**content, metrics=metrics)
    require_types(record)
    return record


# The seal shows that a record is as it was written, not that physlm has written it.
_NUMBER = (int, float)
_NONE = type(None)
_TYPES: dict[str, type | tuple[type, ...]] = {
    **dict.fromkeys(("run_id", "experiment", "status", "device", "published_of"), str),
    **dict.fromkeys(("steps", "tokens", "n_replicas"), int),
    **dict.fromkeys(("exposures", "wall_seconds", "tokens_per_second"), _NUMBER),
    **dict.fromkeys(("config", "software", "corpus", "scoring_software"), dict),
    "is_compiled": (bool, _NONE),
    "data_wait_fraction": (*_NUMBER, _NONE),
    "stopped_at_step": (int, _NONE),
    "changed": (dict, _NONE),
}
_TYPES_OF_VALUES: dict[str, type | tuple[type, ...]] = {
    "parameters": int,
    "published": _NUMBER,
    "scorers": int,
    "arrays": str,
    "errors": str,
    "sha256": str,
}
_STATUSES = ("finished", "diverged", "trained")


def require_types(record: RunRecord) -> None:
    """Require values of the types that the fields state.

    Raises:
        TypeError: Naming the field.
        ValueError: If the status is unknown.
    """
    for name, kind in _TYPES.items():
        if not isinstance(getattr(record, name), kind):
            raise TypeError(f"{name} is {_shown(getattr(record, name))}")
    for name, kind in _TYPES_OF_VALUES.items():
        found = getattr(record, name)
        if not isinstance(found, dict) or not all(isinstance(v, kind) for v in found.values()):
            raise TypeError(f"{name} is {_shown(found)}")
    if record.status not in _STATUSES:
        raise ValueError(f"status is {_shown(record.status)}")
    if not isinstance(record.corpus.get("fingerprint"), str):
        raise TypeError(f"corpus is {_shown(record.corpus)}")


def _shown(value: object) -> str:
    return repr(value)[:60]


def _seal(content: Mapping[str, Any]) -> str:
    """A hash of the values of a record, independent of layout."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
