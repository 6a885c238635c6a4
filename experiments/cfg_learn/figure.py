"""Validity and distance from the truth while a decoder learns, from curve.csv and results.csv."""

from pathlib import Path

import polars as pl
from matplotlib.figure import Figure

from physlm.analysis.figures import save_figure

FOLDER = Path(__file__).parent
PREFIXES = {0: "from the start", 20: "after 20 tokens"}


def main() -> None:
    """Draw `figure.svg` beside this file."""
    curve = pl.read_csv(FOLDER / "curve.csv")
    results = pl.read_csv(FOLDER / "results.csv", infer_schema_length=None)
    figure = Figure(figsize=(10, 3.8), layout="constrained")
    validity, distance = figure.subplots(1, 2)
    for number, (_, rows) in enumerate(sorted(curve.group_by("seed"))):
        tokens = rows["curve/tokens"] / 1e6
        for prefix, label in PREFIXES.items():
            values = rows[f"curve/cfg/accuracy_prefix_{prefix}"]
            validity.plot(tokens, values, color=f"C{int(prefix > 0)}",
                          label=label if number == 0 else None)  # fmt: skip
        distance.semilogy(tokens, rows["curve/cfg/kl_nats"], color="C2",
                          label="to the truth" if number == 0 else None)  # fmt: skip
    validity.axhline(0.998, color="grey", linestyle=":", label="paper, whole cfg3b")
    floor = results["cfg/floor_nats"].mean()
    distance.axhline(0.03 * floor, color="grey", linestyle="--", label="3% of the entropy")
    validity.set(xlabel="million tokens", ylabel="share of valid strings", ylim=(-0.03, 1.03))
    distance.set(xlabel="million tokens", ylabel="KL, nats per token")
    for axes in (validity, distance):
        axes.legend(fontsize="small")
    save_figure(figure, FOLDER / "figure.svg")
    print(f"written: {FOLDER / 'figure.svg'}")


if __name__ == "__main__":
    main()
