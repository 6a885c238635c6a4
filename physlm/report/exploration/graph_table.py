"""Tables of a text's attention graphs: layers, heads, and how their metrics correlate."""

from collections.abc import Sequence

import numpy as np
import polars as pl
from rich import box
from rich.console import Group
from rich.table import Table
from rich.text import Text

from physlm.analysis.spectra.effect_panels import role_correlations
from physlm.analysis.spectra.metric_options import COMPANIONS
from physlm.report.exploration.text_graph import MEAN, METRICS, TextGraphs

_HEADINGS = {
    "fiedler": "fiedler",
    "lambda_max": "max",
    "eigenvalue_variance": "variance",
    "smoothness": "smoothness",
    "hfer": "hfer",
    "row_entropy": "entropy",
    "self_mass": "self",
    "sink_mass": "sink",
    "previous_token_mass": "previous",
}
_SPECTRAL = tuple(name for name in METRICS if name not in COMPANIONS)


def graph_tables(graphs: TextGraphs) -> Group:
    """Spectral metrics of each layer's mean graph, and the attention masses of each head."""
    layers = graphs.metrics.filter(head=MEAN)
    heads = graphs.metrics.filter(pl.col("head") != MEAN)
    return Group(
        Text("Graph of the mean over heads, symmetric normalised Laplacian"),
        _table(layers, ["layer"], METRICS),
        Text(
            "Heads: row entropy (nats), and attention to itself, the first and the previous token"
        ),
        _table(heads, ["layer", "head"], (*COMPANIONS, "fiedler")),
        Text("Rank correlation over heads of spectral metrics with attention statistics"),
        _correlations(heads),
    )


def _table(rows: pl.DataFrame, keys: Sequence[str], names: Sequence[str]) -> Table:
    table = _empty([*keys, *(_HEADINGS[name] for name in names)])
    for row in rows.iter_rows(named=True):
        table.add_row(*(str(row[key]) for key in keys), *(_shown(row[name]) for name in names))
    return table


def _correlations(heads: pl.DataFrame) -> Table:
    long = heads.unpivot(index=["layer", "head"], variable_name="metric", value_name="mean")
    values = role_correlations(long, _SPECTRAL, COMPANIONS)
    table = _empty(["metric", *(_HEADINGS[name] for name in COMPANIONS)])
    for name, own in zip(_SPECTRAL, values, strict=True):
        cells = (_shown(None if np.isnan(value) else value, 2) for value in own)
        table.add_row(_HEADINGS[name], *cells)
    return table


def _empty(headings: Sequence[str]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=0)
    for heading in headings:
        table.add_column(heading, justify="right", no_wrap=True)
    return table


def _shown(value: float | None, digits: int = 3) -> str:
    return "-" if value is None else f"{value:z.{digits}f}"
