"""Figures of attention in models of iGSM, from measured tables and arrays."""

from collections.abc import Mapping

import matplotlib
import numpy as np
import polars as pl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from physlm.analysis.igsm.attention_roles import ORIGINS, ROLES
from physlm.measurement import Measurement

_WRITTEN = {
    "result": "the result of a calculation",
    "number": "a number copied into it",
    "hint": "a letter of the hint",
    "name": "the next parameter's name",
}
_MOST_ANNOTATED = 16  # heads whose masses are also written as numbers
_WIDTH = 160  # characters of a line of text
_LARGEST = 0.5  # weight at which a token has the full colour


def draw_masses(table: pl.DataFrame) -> Figure:
    """Heads by roles, one panel for each kind of token that is written, above both controls."""
    origins = [origin for origin in ORIGINS if origin in set(table["from"])]
    n_heads = table.select("layer", "head").n_unique()
    height = 1.6 + 0.28 * (n_heads + 2)
    figure = Figure(figsize=(13, height * -(-len(origins) // 2)), layout="constrained")
    panels = figure.subplots(-(-len(origins) // 2), 2, squeeze=False).ravel()
    for axes, origin in zip(panels, origins, strict=False):
        _draw_origin(axes, table.filter(pl.col("from") == origin), origin)
    for axes in panels[len(origins) :]:
        axes.set_axis_off()
    return figure


def _draw_origin(axes: Axes, own: pl.DataFrame, origin: str) -> None:
    roles = [role for role in ROLES if role in set(own["to"])]
    columns = [own.filter(pl.col("to") == role).sort("layer", "head") for role in roles]
    masses = np.stack([column["mass"].to_numpy() for column in columns], axis=1)
    controls = np.array(
        [(column["untrained_mass"].max(), column["uniform_mass"][0]) for column in columns]
    )
    rows = np.concatenate([masses, controls.T])
    axes.imshow(rows, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    heads = [f"layer {r['layer']}, head {r['head']}" for r in columns[0].iter_rows(named=True)]
    axes.set_yticks(range(len(rows)), [*heads, "untrained, best", "uniform"], fontsize=7)
    names = [role.replace("_", " ") for role in roles]
    axes.set_xticks(range(len(roles)), names, fontsize=7, rotation=35, ha="right")
    axes.axhline(len(masses) - 0.5, color="black", linewidth=0.8)
    axes.set_title(f"before {_WRITTEN[origin]}: attention to ...", fontsize=9)
    shown = range(len(rows)) if len(masses) <= _MOST_ANNOTATED else range(len(masses), len(rows))
    for i in shown:
        for j, value in enumerate(rows[i]):
            colour = "white" if value > 0.6 else "black"
            axes.text(j, i, f"{value:.2f}", ha="center", va="center", fontsize=6, color=colour)


def draw_text(arrays: Mapping[str, np.ndarray]) -> Figure:
    """One document, its words coloured by the attention of the best head before the boxed one."""
    words = [str(word) for word in arrays["text_words"]]
    places = _placed(words)
    n_lines = 1 + max(line for line, _ in places)
    origins = [str(origin) for origin in arrays["text_from"]]
    size = (11.5, len(origins) * (0.18 * n_lines + 0.45))
    figure = Figure(figsize=size, layout="constrained")
    panels = figure.subplots(len(origins), 1, squeeze=False)[:, 0]
    for i, (axes, origin) in enumerate(zip(panels, origins, strict=True)):
        axes.set(xlim=(0, _WIDTH), ylim=(n_lines - 0.4, -0.6), xticks=[], yticks=[])
        axes.set_title(
            f"before {_WRITTEN[origin]}: layer {arrays['text_layer'][i]}, "
            f"head {arrays['text_head'][i]} (the boxed word is written next)",
            fontsize=9,
            loc="left",
        )
        _draw_words(axes, words, places, arrays["text_attention"][i], int(arrays["text_at"][i]) + 1)
    return figure


def _draw_words(
    axes: Axes, words: list[str], places: list[tuple[int, int]], weights: np.ndarray, written: int
) -> None:
    """Words at their places; those after the predicted word, which are not read, are grey.

    Args:
        axes: Where to draw, one unit per character and line.
        words: Words of the document.
        places: Line and column of each.
        weights: Attention to each.
        written: Number of the word that is written next.
    """
    colours = matplotlib.colormaps["Oranges"]
    for number, (word, (line, column)) in enumerate(zip(words, places, strict=True)):
        weight = float(weights[number])
        if weight > 0.01:
            colour = colours(min(weight / _LARGEST, 1.0) * 0.8)
            axes.barh(line, len(word) + 0.6, 0.9, left=column - 0.3, color=colour)
        if number == written:
            axes.barh(line, len(word) + 0.6, 0.9, left=column - 0.3, fill=False, edgecolor="black")
        axes.text(
            column,
            line,
            word.replace("$", r"\$"),
            family="monospace",
            fontsize=8,
            va="center",
            color="0.65" if number > written else "black",
            in_layout=False,  # hundreds of them would be measured for the layout
        )


def _placed(words: list[str]) -> list[tuple[int, int]]:
    """Line and column of each word, in lines of `_WIDTH` characters."""
    places, line, column = [], 0, 1
    for word in words:
        if column + len(word) >= _WIDTH:
            line, column = line + 1, 1
        places.append((line, column))
        column += len(word) + 1
    return places


def draw_ablation(measurement: Measurement) -> Figure:
    """Rise of the loss without each head; the one that attends most to the source is dark."""
    table = measurement.tables["igsm_ablation"]
    origins = table["from"].unique(maintain_order=True).to_list()
    figure = Figure(figsize=(3.2 * len(origins), 3.2), layout="constrained")
    panels = figure.subplots(1, len(origins), squeeze=False)[0]
    for axes, origin in zip(panels, origins, strict=True):
        own = table.filter(pl.col("from") == origin)
        colours = ["tab:blue" if is_top else "lightsteelblue" for is_top in own["is_top"]]
        axes.bar(range(len(own)), own["loss_rise"], color=colours)
        names = [f"{row['layer']}.{row['head']}" for row in own.iter_rows(named=True)]
        axes.set_xticks(range(len(own)), names, fontsize=6, rotation=90)
        axes.axhline(0, color="grey", linewidth=0.8)
        axes.set_title(f"without one head:\n{_WRITTEN[origin]}", fontsize=9)
        axes.set_xlabel("layer.head")
    panels[0].set_ylabel("rise of the loss (nats per token)")
    return figure
