"""Capacity for different sizes of bioD."""

from pathlib import Path

from matplotlib.figure import Figure

from physlm.report.figures.experiment import draw_experiment
from physlm.report.figures.seeds import draw_seeds
from physlm.report.results import Results

BITS = "capacity/bits_per_parameter{split=train}"
MOST = "capacity/maximum_bits_per_parameter"
SIZES = {
    "n_attributes": "K",
    "n_chunks": "C",
    "diversity": "D",
    "chunk_length": "L",
    "alphabet_size": "T",
}
BASE = {"n_attributes": 6, "n_chunks": 1, "diversity": 256, "chunk_length": 2, "alphabet_size": 32}


def draw(results: Results) -> Figure:
    """Draw the figure from the results."""
    groups, most = {}, []
    columns = [f"data.{name}" for name in SIZES]
    runs = results.table(BITS, MOST)
    for values, rows in sorted(runs.partition_by(columns, as_dict=True).items()):
        changed = [
            f"{SIZES[name]}={value}"
            for name, value in zip(SIZES, values, strict=True)
            if value != BASE[name]
        ]
        groups["_".join(changed) or "K=6, C=1,_D=256, L=2,_T=32"] = rows[BITS]
        most.append(rows[MOST].mean())
    figure = Figure(figsize=(8, 4), layout="constrained")
    axes = figure.subplots()
    draw_seeds(axes, groups, "bits per parameter")
    axes.plot(range(len(most)), most, "k_", markersize=30, label="upper bound of the world")
    axes.axhline(2, linestyle=":", color="grey", label="2 bits per parameter")
    axes.set(title="one parameter of bioD varied at a time, 1000 exposures")
    axes.legend(fontsize="small", loc="lower right")
    return figure


if __name__ == "__main__":
    draw_experiment(Path(__file__).parent, draw)
