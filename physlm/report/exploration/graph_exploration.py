"""Draw the attention graphs of a text: tables, a picture and a page."""

import argparse
import sys
from collections.abc import Sequence

from physlm.analysis.depth.token_text import visible
from physlm.analysis.depth.trajectory import save_trajectory
from physlm.atomic import write_text
from physlm.errors import InputError
from physlm.report.exploration.graph_document import graph_document, layers_of_page
from physlm.report.exploration.graph_picture import draw_text_graph
from physlm.report.exploration.graph_table import graph_tables
from physlm.report.exploration.subject import Subject
from physlm.report.exploration.text_graph import MEAN, TextGraphs, text_graphs, traces
from physlm.watching import table_console


def explore_graph(subject: Subject, tokens: Sequence[int], chosen: argparse.Namespace) -> None:
    """Print the tables and write the picture and the page.

    Args:
        subject: The model.
        tokens: The text.
        chosen: The command line.

    Raises:
        InputError: If the model has no attention maps, or no such layer or head.
    """
    model = subject.model
    layer = model.n_layers // 2 if chosen.layer is None else chosen.layer
    if not 0 <= layer < model.n_layers:
        raise InputError(f"--layer {layer}; the model has layers 0 to {model.n_layers - 1}")
    graphs = text_graphs(model, tokens)
    head = _head(chosen.head, graphs)
    own = subject.texts_of(tokens)
    texts = [visible(own[token]) for token in tokens]
    layers = layers_of_page(graphs, layer)
    console = table_console()
    console.print()
    console.print(graph_tables(graphs))
    picture, page = (chosen.output / f"graph.{kind}" for kind in ("svg", "html"))
    grown = traces(model, tokens, layer, head)
    save_trajectory(draw_text_graph(graphs, grown, texts, layer, head, chosen.position), picture)
    write_text(page, graph_document(graphs, subject.name, texts, layer, head))
    note = " (this layer only, since the text is long)" * (len(layers) < graphs.n_layers)
    sys.stdout.write(
        f"picture: {picture} (layer {layer}, head {'mean' if head == MEAN else head})\n"
        f"page: {page}{note}\n"
    )


def _head(choice: str | None, graphs: TextGraphs) -> int:
    if choice in {None, "mean"}:
        return MEAN
    assert choice is not None
    if int(choice) >= graphs.n_heads:
        raise InputError(f"--head {choice}; the model has heads 0 to {graphs.n_heads - 1}, or mean")
    return int(choice)
