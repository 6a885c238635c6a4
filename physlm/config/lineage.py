"""Lineage: the run that a run starts from, given by its directory or by overrides."""

import shlex
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from physlm.config.recorded import holds_a_record, recorded
from physlm.config.schema import Parent, RunConfig, Stage
from physlm.data.inherited import InheritedDataConfig
from physlm.errors import InputError

Compose = Callable[[tuple[str, ...]], RunConfig]


def with_parent(config: RunConfig, compose: Compose, *, before: tuple[str, ...] = ()) -> RunConfig:
    """A configuration with its parent: the run that ``init_from`` names, and that run's parents.

    Overrides in ``init_from`` cannot set the scale or how runs are executed: these follow the
    child. The seed follows the child unless it is given. The overrides may have an ``init_from`` of
    their own, quoted once more. A child with ``data=inherited`` gets the parent's world: its data,
    with ``exposures`` of 0, since it trains nothing, and its seed unless another is given. One with
    ``data=labelled`` gets its ``seq_len``.

    Args:
        config: Configuration of the child.
        compose: The function from overrides to a configuration.
        before: ``init_from`` of the descendants, which the parent must not start from.

    Raises:
        InputError: If ``init_from`` is neither a run directory nor overrides, or the parent trains
            nothing.
    """
    start = config.init_from
    if not start:
        return config
    if start in before:
        raise InputError(f"init_from={start} starts from itself; name the run before it")
    if holds_a_record(start):  # even if its name looks like overrides
        path = Path(start)
        parent = Parent(recorded(path), path)
        start = str(path.resolve())  # the working directory may change
    else:
        words = _words(start)
        earlier = compose((*words, f"scale={config.scale.value}"))
        has_own_seed = any(word.lstrip("+").startswith("seed=") for word in words)
        earlier = with_parent(earlier, compose, before=(*before, start))
        parent = Parent(earlier, has_own_seed=has_own_seed)
    _require_trained(parent.config)
    if isinstance(config.data, InheritedDataConfig):
        config = replace(config, data=parent.config.data, seed=config.seed or parent.config.seed)
    if config.data.keeps_window:
        config = replace(config, data=replace(config.data, seq_len=parent.config.data.seq_len))
    return replace(config, init_from=start, parent=parent)


def lineage(run: RunConfig, *, with_found: bool = True) -> list[RunConfig]:
    """A run preceded by its ancestors, the oldest first.

    Args:
        run: The last run.
        with_found: Include ancestors given by a directory, which are finished already.
    """
    parent = run.parent
    if parent is None or (parent.directory is not None and not with_found):
        return [run]
    return [*lineage(parent.config, with_found=with_found), run]


def _words(init_from: str) -> tuple[str, ...]:
    """The overrides in ``init_from``, quoted as for a shell, which must name one run.

    Raises:
        InputError: If they are not overrides, or set what the child sets.
    """
    try:
        words = shlex.split(init_from)
    except ValueError as error:  # a quotation mark that nothing closes
        words, reason = [], f" ({error})"
    else:
        reason = ""
    if not words or not all("=" in word for word in words):
        raise InputError(
            f"init_from={init_from} is neither the directory of a finished run nor overrides such "
            f"as '+experiment=NAME data.n_people=500'{reason}"
        )
    for word in words:
        key = word.lstrip("+").partition("=")[0]
        if key in {"scale", "runs_dir", "force", "rescore", "profile"}:
            raise InputError(
                f"init_from: {word} is set by the run that starts from it; leave it out"
            )
        if key in {"seeds", "learning_rates"}:
            raise InputError(
                f"init_from: {word} names many runs; name one by seed= or optim.learning_rate="
            )
    return tuple(words)


def _require_trained(earlier: RunConfig) -> None:
    if earlier.stage is Stage.measure:
        raise InputError(
            f"init_from: {earlier.experiment} trains nothing (stage=measure); start from a run "
            "that does, such as the run that it measures"
        )
