"""Runs of Weights & Biases; no other module sends runs there."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from physlm.errors import InputError
from physlm.publication import METRIC_COLUMNS, Labels, Publication
from physlm.watching import reason, tell

if TYPE_CHECKING:
    import wandb

# Seconds that a run waits for W&B when it starts, and for uploads when it has ended; and W&B's
# summary of every run, forty lines long, is not printed. The user's own settings come first.
_DEFAULTS = {"WANDB_INIT_TIMEOUT": "20", "WANDB_FINISH_TIMEOUT": "120", "WANDB_SILENT": "true"}

_open_runs: set[str] = set()  # ids of the runs of this process that have not ended


def is_online() -> bool:
    """Whether W&B is used online: it has credentials for its server, and its mode is online.

    Raises:
        InputError: If its key is malformed.
    """
    import wandb
    from wandb.sdk.lib import wbauth  # wandb.login does the same, but asks the server who it is

    for name, value in _DEFAULTS.items():  # read once, by wandb.setup
        os.environ.setdefault(name, value)
    try:
        settings = wandb.setup().settings
        if settings.mode != "online":
            return False
        found = wbauth.authenticate_session(
            host=settings.base_url, source="physlm", prompt=False, update_session=False
        )
    except (wandb.errors.AuthenticationError, wandb.errors.UsageError, ValueError) as error:
        raise InputError(
            f"W&B: {reason(error)}; correct WANDB_API_KEY or run wandb login, or set "
            "WANDB_MODE=offline"
        ) from error
    return found is not None


def require_online(otherwise: str) -> None:
    """Require that W&B can be used online.

    Args:
        otherwise: Another remedy, as the end of the message.

    Raises:
        InputError: If nobody is logged in, its mode is another one, or the key is malformed.
    """
    mode = os.environ.get("WANDB_MODE") or "online"
    if mode != "online":
        raise InputError(f"WANDB_MODE={mode}, but W&B is needed online; unset it, {otherwise}")
    if not is_online():
        raise InputError(
            f"nobody is logged in to W&B; run wandb login, or set WANDB_API_KEY, {otherwise}"
        )


def opened(
    labels: Labels,
    config: Mapping[str, Any],
    project: str,
    entity: str | None,
    *,
    may_be_offline: bool = True,
) -> "wandb.Run":
    """A run at W&B, new or resumed; offline if nobody is logged in or the server is not reached.

    The process then stays offline, so that only the first of many runs waits. Offline runs are kept
    in W&B's own folder, from which ``wandb sync`` sends them. While other runs of this process are
    open, which going offline would end, the error of the server is raised instead.

    Args:
        labels: How it is found.
        config: Its configuration, nested.
        project: Project at W&B.
        entity: Team at W&B; None is the user's default.
        may_be_offline: Whether to go offline, without an error, if the server is not reached.

    Raises:
        InputError: If the W&B key is malformed.
    """
    import wandb

    words = {
        "id": labels.run_id,
        "name": labels.name,
        "group": labels.group,
        "job_type": labels.job_type,
        "tags": labels.tags,
        "config": dict(config),
        "project": project,
        "entity": entity,
    }
    if not is_online():
        return _begun(words, "offline")
    try:
        return _begun(words, "online")
    except Exception as error:
        if _open_runs or not may_be_offline:
            raise
        os.environ["WANDB_MODE"] = "offline"
        wandb.teardown()  # or the id would stay in use
        run = _begun(words, "offline")
        tell(
            f"W&B was not reached ({reason(error)}); when it is, send what is kept on disk: "
            f"wandb sync {Path(run.settings.sync_dir)}"
        )
        return run


def address(run: "wandb.Run") -> str:
    """Where a run is at W&B, or the folder that ``wandb sync`` sends."""
    return str(run.settings.sync_dir if run.offline else run.url)


def complete(
    run: "wandb.Run", published: Publication, *, keeps_weights: bool, n_logged: int = 0
) -> None:
    """Add the results to a run at W&B: curves that it lacks, configuration, summary, and files.

    Args:
        run: The run, which stays open.
        published: What is added.
        keeps_weights: Whether the trained weights are uploaded.
        n_logged: How many rows of its curves this process has logged.
    """
    import wandb

    log_rows(run, published.rows[n_logged:], first=n_logged)
    # First what needs no answer from the server, which may be unreachable by now.
    run.config.update(published.config, allow_val_change=True)  # type: ignore[no-untyped-call]
    run.summary.update(published.summary)
    images = {f"figure/{name}": wandb.Image(str(path)) for name, path in published.figures.items()}
    table = wandb.Table(columns=list(METRIC_COLUMNS), data=published.metrics)
    place = max(len(published.rows), run.starting_step)
    run.log({**images, "metrics": table}, step=place, commit=True)
    files = {"record": published.files}
    if published.weights is not None and keeps_weights:
        files["model"] = [published.weights]
    for kind, paths in files.items():
        artifact = wandb.Artifact(f"{kind}-{published.labels.run_id}", type=kind)
        for path in paths:
            artifact.add_file(str(path))
        run.log_artifact(artifact)


def log_rows(run: "wandb.Run", rows: Sequence[Mapping[str, float]], first: int = 0) -> None:
    """Log rows of curves that W&B does not have yet.

    The step of a row at W&B is its place among all rows of the run. What has arrived is always a
    beginning of them, so that the step at W&B shows which rows are missing.

    Args:
        run: The run.
        rows: The rows.
        first: Place of the first of them.
    """
    for place, row in enumerate(rows, start=first):
        if place >= run.starting_step:
            run.log(dict(row), step=place, commit=True)


def close(run: "wandb.Run", *, is_finished: bool) -> None:
    """End a run at W&B, where it is shown as failed unless it has finished."""
    _open_runs.discard(run.id)
    run.finish(exit_code=0 if is_finished else 1)


def _begun(words: Mapping[str, Any], mode: Literal["online", "offline"]) -> "wandb.Run":
    """A run whose metrics are drawn against the exposures of the same row."""
    import wandb

    run = wandb.init(**words, mode=mode, resume="allow", reinit="create_new")
    for kind in ("train", "curve"):
        run.define_metric(f"{kind}/exposures")
        run.define_metric(f"{kind}/*", step_metric=f"{kind}/exposures")
    _open_runs.add(run.id)
    return run
