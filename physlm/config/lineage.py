"""The runs that a run starts from, looked up once: a finished one's directory, or words."""

import shlex
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from physlm.config.recorded import holds_a_record, recorded
from physlm.config.schema import Parent, RunConfig, Stage
from physlm.errors import InputError

Compose = Callable[[tuple[str, ...]], RunConfig]


def with_parent(config: RunConfig, compose: Compose, *, before: tuple[str, ...] = ()) -> RunConfig:
    """A configuration with the run that its ``init_from`` names, and the one before that.

    Words leave the seed, the scale and how runs are carried out to the run that starts from it, but
    may have an ``init_from`` of their own, quoted once more.

    Args:
        config: Of the run that starts from another.
        compose: Gives the configuration of words.
        before: What named the runs that start from this one, which it cannot start from.

    Raises:
        InputError: If there is no such run and these are no words, or it trains nothing.
    """
    start = config.init_from
    if not start:
        return config
    if start in before:
        raise InputError(f"init_from={start} starts from itself; name the run before it")
    if holds_a_record(start):  # whatever its name
        path = Path(start)
        parent = Parent(recorded(path), path)
        start = str(path.resolve())  # another folder may be the present one by then
    else:
        words = _words(start)
        earlier = compose((*words, f"scale={config.scale.value}"))
        has_own_seed = any(word.lstrip("+").startswith("seed=") for word in words)
        earlier = with_parent(earlier, compose, before=(*before, start))
        parent = Parent(earlier, has_own_seed=has_own_seed)
    _require_trained(parent.config)
    return replace(config, init_from=start, parent=parent)


def lineage(run: RunConfig, *, with_found: bool = True) -> list[RunConfig]:
    """A run after those that it starts from, each after the one before it.

    Args:
        run: The last of them.
        with_found: Also those that lie in a directory which was named, hence are there already.
    """
    parent = run.parent
    if parent is None or (parent.directory is not None and not with_found):
        return [run]
    return [*lineage(parent.config, with_found=with_found), run]


def _words(init_from: str) -> tuple[str, ...]:
    """The words of a command line, quoted as for a shell, that name one run of another's scale.

    Raises:
        InputError: If they are none, or say what is not theirs to say.
    """
    try:
        words = shlex.split(init_from)
    except ValueError as error:  # a quotation mark that nothing closes
        words, reason = [], f" ({error})"
    else:
        reason = ""
    if not words or not all("=" in word for word in words):
        raise InputError(
            f"init_from={init_from} is no directory of a finished run, and no words such as "
            f"'+experiment=NAME data.n_people=500'{reason}"
        )
    for word in words:
        key = word.lstrip("+").partition("=")[0]
        if key in {"scale", "runs_dir", "force", "rescore", "profile"}:
            raise InputError(f"init_from: leave {word} to the run that starts from this one")
        if key in {"seeds", "learning_rates"}:
            raise InputError(
                f"init_from: {word} names many runs; name one by seed= or optim.learning_rate="
            )
    return tuple(words)


def _require_trained(earlier: RunConfig) -> None:
    if earlier.stage is Stage.measure:
        raise InputError(
            f"init_from: {earlier.experiment} trains nothing (stage=measure); start from a run "
            "that does, such as the one that it measures"
        )
