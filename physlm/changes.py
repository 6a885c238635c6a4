"""What a run changes of the experiment whose name and published numbers it bears."""

from dataclasses import replace
from typing import Any

from physlm.config import RunConfig, composed, config_dir
from physlm.science import differences, science_of


def changes_of(config: RunConfig) -> dict[str, str] | None:
    """Every key that decides the result and is not as in the experiment, at its scale and seed.

    Returns:
        Key to the run's value and, in brackets, the experiment's; None where there is no experiment
        of that name to compare with.
    """
    if not (config_dir() / "experiment" / f"{config.experiment}.yaml").is_file():
        return None
    # Without the seed among the words, so that a hundred seeds compose the experiment once.
    words = (f"+experiment={config.experiment}", f"scale={config.scale.value}")
    own = replace(composed(words), seed=config.seed)
    if own.run_id == config.run_id:
        return {}
    found = differences(science_of(config.described()), science_of(own.described()))
    return {key: f"{_shown(value)} ({_shown(other)})" for key, (value, other) in found.items()}


def _shown(value: Any) -> str:
    """As on the command line."""
    if value is None:
        return "none"
    return str(value).lower() if isinstance(value, bool) else f"{value}"
