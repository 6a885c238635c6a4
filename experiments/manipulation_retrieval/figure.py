"""Parts of dates and pairs of attributes, straight and after facts, from results.csv."""

from pathlib import Path

import polars as pl
from matplotlib.figure import Figure

from physlm.analysis.figures import save_figure
from physlm.analysis.manipulation_figure import draw_tasks

FOLDER = Path(__file__).parent
TASKS = (
    "birth_day", "birth_year", "birth_city_then_employer", "employer_then_birth_city",
    "university_then_major", "major_then_university", "company_city_then_employer",
    "employer_then_company_city", "city_of_employer",
)  # fmt: skip


def main() -> None:
    """Draw `figure.svg` beside this file."""
    results = pl.read_csv(FOLDER / "results.csv", infer_schema_length=None)
    figure = Figure(figsize=(11, 4), layout="constrained")
    draw_tasks(figure.subplots(), results, TASKS, split="out_of_distribution")
    save_figure(figure, FOLDER / "figure.svg")
    print(f"written: {FOLDER / 'figure.svg'}")


if __name__ == "__main__":
    main()
