"""What is stored and what can be told, by augmentation, from results.csv: Part 3.1, figure 3."""

from pathlib import Path

import numpy as np
import polars as pl
from matplotlib.figure import Figure

from physlm.analysis.figures import save_figure

FOLDER = Path(__file__).parent
TEXTS = {"single": (1, 1, "fixed"), "single_permute1": (1, 1, "random"),
         "single_permute5": (1, 5, "random"), "multi5": (5, 1, "fixed"),
         "multi5_permute": (5, 1, "random"), "redrawn": (0, 1, "random")}  # fmt: skip
ATTRIBUTES = ("birth_date", "birth_city", "university", "major", "employer", "company_city")
BARS = ("stored", "answered, asked about in training", "answered, never asked about", "chance")


def measured(results: pl.DataFrame, text: str) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The runs that were told in one way, and those that were then asked about."""
    columns = ("data.text.n_wordings", "data.text.n_orders", "data.text.order")
    told = {"name": "people", **dict(zip(columns, TEXTS[text], strict=True))}
    people = results.filter(pl.all_horizontal(pl.col(c) == value for c, value in told.items()))
    asked = results.filter(pl.col("init_from") == f"+experiment=people +text={text}")
    return people, asked


def main() -> None:
    """Draw `figure.svg` beside this file."""
    results = pl.read_csv(FOLDER / "results.csv", infer_schema_length=None)
    figure = Figure(figsize=(10, 3.8), layout="constrained")
    totals, parts = figure.subplots(1, 2)
    texts = list(TEXTS)
    shades = np.linspace(0.25, 0.95, len(texts))
    width = 0.8 / len(texts)
    for i, text in enumerate(texts):
        people, asked = measured(results, text)
        groups = (people["bio/attribute_accuracy"],
                  *(asked[f"qa/exact_match@{s}_distribution"] for s in ("in", "out_of")),
                  asked["qa/chance@out_of_distribution"])  # fmt: skip
        for j, (label, values) in enumerate(zip(BARS, groups, strict=True)):
            place = i + 0.2 * (j - 1.5)
            totals.bar(place, values.mean(), 0.2, color=f"C{j}", label=label if i == 0 else None)
            totals.plot([place] * len(values), values, "k.", markersize=3)
        for j, attribute in enumerate(ATTRIBUTES):
            value = asked[f"qa/exact_match/{attribute}@out_of_distribution"].mean()
            label = text if j == 0 else None
            place = j + width * (i - (len(texts) - 1) / 2)
            parts.bar(place, value, width, color=str(1 - shades[i]), label=label)
    names = [text.replace("_", "\n") for text in texts]
    totals.set_xticks(np.arange(len(texts)), names, fontsize="small")
    parts.set_xticks(np.arange(6), [a.replace("_", "\n") for a in ATTRIBUTES], fontsize="small")
    for axes in (totals, parts):
        axes.set(ylabel="share", ylim=(0, 1.05))
        axes.legend(fontsize="x-small", loc="lower left", bbox_to_anchor=(0, 1), ncols=2)
    save_figure(figure, FOLDER / "figure.svg")
    print(f"written: {FOLDER / 'figure.svg'}")


if __name__ == "__main__":
    main()
