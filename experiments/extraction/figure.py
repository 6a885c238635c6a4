"""Knowledge storage and extraction by augmentation: Part 3.1, figure 3."""

from pathlib import Path

import polars as pl
from matplotlib.figure import Figure

from physlm.errors import InputError
from physlm.report.figures.experiment import draw_experiment
from physlm.report.figures.extraction import Arm, draw_arms
from physlm.report.results import Results
from physlm.report.summary import varying_science

TEXTS = {
    "single": (1, 1, "fixed"),
    "single_permute1": (1, 1, "random"),
    "single_permute5": (1, 5, "random"),
    "multi5": (5, 1, "fixed"),
    "multi5_permute": (5, 1, "random"),
    "redrawn": (0, 1, "random"),
}


def measured(results: Results, text: str) -> tuple[Results, Results]:
    """The pretraining runs of one augmentation, and the QA finetuning runs that start from them.

    Raises:
        InputError: If the pretraining runs have more than one configuration.
    """
    columns = (
        "data.augmentation.n_paraphrases",
        "data.augmentation.n_permutations",
        "data.augmentation.order",
    )
    values = {"experiment": "people", **dict(zip(columns, TEXTS[text], strict=True))}
    people = results.filter(pl.all_horizontal(pl.col(c) == value for c, value in values.items()))
    qa = results.filter(pl.col("init_from") == f"+experiment=people +augmentation={text}")
    if mixed := varying_science(people.runs):
        raise InputError(f"results have people of {text} with several {', '.join(mixed)}")
    return people, qa


def draw(results: Results) -> Figure:
    """Draw the figure from the results."""
    arms = []
    for text in TEXTS:
        people, qa = measured(results, text)
        arms.append(Arm(text, people.values("recall/accuracy{split=train}"), qa))
    return draw_arms(arms)


if __name__ == "__main__":
    draw_experiment(Path(__file__).parent, draw)
