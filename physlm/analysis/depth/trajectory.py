"""The prediction trajectory of one document: what each state predicts at each position."""

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib
import numpy as np
import polars as pl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from physlm.analysis.depth.token_text import shortened, visible
from physlm.analysis.figures import save_figure
from physlm.errors import InputError

# Label and colour map of each measure. A high rank, like a low probability, is pale.
_COLOURS = {
    "top1_probability": ("probability of top-1", "Blues"),
    "final_rank": ("rank of final token (log10)", "Purples_r"),
    "kl_nats": ("KL to final (nats)", "Reds"),
    "entropy_nats": ("entropy (nats)", "Greens"),
}
_LUMINANCE = np.array([0.299, 0.587, 0.114])  # of red, green and blue
_LONGEST = 10  # characters of a token in a cell


def draw_trajectory(
    rows: pl.DataFrame,
    texts: Sequence[str] | Mapping[int, str],
    inputs: Sequence[str],
    colour: str = "top1_probability",
) -> Figure:
    """Top-1 token of every state, the last one on top, at every position of one document.

    Args:
        rows: Rows of ``trace``, of one document, in reading order.
        texts: Text of every token, or of those in the rows.
        inputs: Text of the token read at each row.
        colour: Column that colours the cells: ``top1_probability``, ``final_rank``, ``kl_nats`` or
            ``entropy_nats``.

    Raises:
        InputError: If the rows are of several documents or do not fit the inputs, or there is no
            such colour.
    """
    _check(rows, inputs, colour)
    label, scale = _COLOURS[colour]
    states, tokens = rows["state"][0].to_list(), rows["top1"].to_numpy().T
    values = rows[colour].to_numpy().T.astype(float)
    values = np.log10(values) if colour == "final_rank" else values
    figure = Figure(
        figsize=(1.6 + 0.8 * len(inputs), 1.4 + 0.35 * len(states)), layout="constrained"
    )
    axes = figure.subplots()
    highest = 1.0 if colour == "top1_probability" else max(float(values.max()), 1e-6)
    image = axes.imshow(values, cmap=scale, vmin=0, vmax=highest, aspect="auto", origin="lower")
    shades = np.asarray(image.cmap(image.norm(values)))[..., :3] @ _LUMINANCE
    for (i, j), token in np.ndenumerate(tokens):
        ink = "black" if shades[i, j] > 0.5 else "white"
        cell = axes.text(j, i, _short(texts[token]), color=ink, ha="center", va="center")
        cell.set(fontsize=8, parse_math=False)
    _label_axes(axes, states, inputs)
    figure.colorbar(image, ax=axes, label=label, pad=0.01)
    return figure


def save_trajectory(figure: Figure, path: Path) -> None:
    """Save the figure; an SVG keeps its texts as text, in the fonts of the reader.

    Tokens may be in any script, and matplotlib only draws those that its own font has.
    """
    with warnings.catch_warnings(), matplotlib.rc_context({"svg.fonttype": "none"}):
        warnings.filterwarnings("ignore", "Glyph .* missing", UserWarning)
        save_figure(figure, path)


def _label_axes(axes: Axes, states: Sequence[int], inputs: Sequence[str]) -> None:
    """The states upwards and the read tokens to the right, with lines between the cells."""
    axes.set_yticks(range(len(states)), [str(state) for state in states])
    axes.set_xticks(
        range(len(inputs)),
        [_short(text) for text in inputs],
        rotation=45,
        ha="right",
        rotation_mode="anchor",
        parse_math=False,
    )
    axes.set(xlabel="token read", ylabel="state (blocks applied)")
    axes.set_xticks(np.arange(1, len(inputs)) - 0.5, minor=True)
    axes.set_yticks(np.arange(1, len(states)) - 0.5, minor=True)
    axes.grid(which="minor", color="white", linewidth=0.8)
    axes.tick_params(which="minor", length=0)


def _short(text: str) -> str:
    return shortened(visible(text), _LONGEST)


def _check(rows: pl.DataFrame, inputs: Sequence[str], colour: str) -> None:
    if colour not in _COLOURS:
        raise InputError(f"colour={colour}; use one of {', '.join(_COLOURS)}")
    if rows["document"].n_unique() != 1:
        raise InputError(
            f"a trajectory shows one document, these rows are of {rows['document'].n_unique()}; "
            "filter the rows to one document"
        )
    if len(rows) != len(inputs):
        raise InputError(f"{len(rows)} rows have {len(inputs)} input tokens; give one per row")
