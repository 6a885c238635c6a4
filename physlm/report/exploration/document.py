"""The page of an exploration: one HTML file with the top-1 token of every state and position."""

from pathlib import Path
from typing import Any

import numpy as np

from physlm.report.exploration.exploration import LISTED, Exploration
from physlm.report.page.html_file import html_file

_HERE = Path(__file__).parent
_MEASURES = ("top1_probability", "final_rank", "kl_nats", "entropy_nats")


def document(found: Exploration, position: int, colour: str) -> str:
    """The HTML of an exploration.

    Args:
        found: What the states predict.
        position: Number of the token that is shown first.
        colour: The column that colours the cells at first.
    """
    return html_file(
        _content(found) | {"position": position, "colour": colour},
        styles=[_HERE / "trajectory.css"],
        scripts=[_HERE / "scale.js", _HERE / "details.js", _HERE / "trajectory.js"],
    )


def _content(found: Exploration) -> dict[str, Any]:
    """Plain values. Arrays have one list for each position, with one entry for each state."""
    rows = found.rows
    numbers = {token: i for i, token in enumerate(found.texts)}
    top = rows["top_tokens"].to_numpy()[..., :LISTED]
    return {
        "title": found.name,
        "lens": found.lens,
        "texts": list(found.texts.values()),
        "tokens": [numbers[token] for token in found.tokens],
        "n_given": found.n_given,
        "states": rows["state"][0].to_list(),
        "top": np.vectorize(numbers.__getitem__)(top).tolist(),
        "probabilities": _rounded(rows["top_probabilities"].to_numpy()[..., :LISTED].tolist()),
        "measures": {name: _rounded(rows[name].to_list()) for name in _MEASURES},
        "target_ranks": rows["target_rank"].to_list(),
    }


def _rounded(values: Any) -> Any:
    """Numbers of nested lists with four digits, to keep the page small."""
    if isinstance(values, list):
        return [_rounded(value) for value in values]
    return float(f"{values:.4g}") if isinstance(values, float) else values
