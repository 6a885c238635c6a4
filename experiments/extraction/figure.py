"""What is stored and what can be told, by augmentation, from its results: Part 3.1, figure 3."""

from pathlib import Path

import polars as pl
from matplotlib.figure import Figure

from physlm.analysis.experiment_figure import draw_experiment
from physlm.analysis.extraction_figure import Arm, draw_arms
from physlm.errors import InputError
from physlm.results import Results
from physlm.summary import varying_science

TEXTS = {
    "single": (1, 1, "fixed"),
    "single_permute1": (1, 1, "random"),
    "single_permute5": (1, 5, "random"),
    "multi5": (5, 1, "fixed"),
    "multi5_permute": (5, 1, "random"),
    "redrawn": (0, 1, "random"),
}


def measured(results: Results, text: str) -> tuple[Results, Results]:
    """The runs that were told in one way, and those that were then asked about.

    Raises:
        InputError: If people were told of in that way by more than one configuration.
    """
    columns = ("data.text.n_wordings", "data.text.n_orders", "data.text.order")
    told = {"name": "people", **dict(zip(columns, TEXTS[text], strict=True))}
    people = results.filter(pl.all_horizontal(pl.col(c) == value for c, value in told.items()))
    asked = results.filter(pl.col("init_from") == f"+experiment=people +text={text}")
    if mixed := varying_science(people.runs):
        raise InputError(f"results have people of {text} with several {', '.join(mixed)}")
    return people, asked


def draw(results: Results) -> Figure:
    """The figure of these runs."""
    arms = []
    for text in TEXTS:
        people, asked = measured(results, text)
        arms.append(Arm(text, people.values("bio/attribute_accuracy{split=train}"), asked))
    return draw_arms(arms)


if __name__ == "__main__":
    draw_experiment(Path(__file__).parent, draw)
