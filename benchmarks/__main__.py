"""Run every benchmark, or those named, print a table, write `benchmarks/out/bench.json`."""

import argparse
import json
import os
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.architectures import architecture_rows
from benchmarks.cfg import cfg_rows
from benchmarks.corpus import corpus_rows
from benchmarks.ddp import ddp_rows
from benchmarks.depth import depth_rows
from benchmarks.early_exit import early_exit_rows
from benchmarks.generation import generation_rows
from benchmarks.igsm import igsm_rows
from benchmarks.lenses import lens_rows
from benchmarks.linear import linear_rows
from benchmarks.loop import loop_rows
from benchmarks.replicas import replica_rows
from benchmarks.spectra import spectra_rows
from benchmarks.tasks import task_rows
from benchmarks.timing import Row
from benchmarks.training import core_rows, training_rows
from physlm.train.cpu import use_processor
from physlm.train.fit import lightning_quiet

_OUT = Path(__file__).parent / "out" / "bench.json"
_PARTS = {
    "corpus": corpus_rows,
    "cfg": cfg_rows,
    "tasks": task_rows,
    "igsm": igsm_rows,
    "loop": loop_rows,
    "depth": depth_rows,
    "early_exit": early_exit_rows,
    "generation": generation_rows,
    "training": training_rows,
    "cores": core_rows,
    "ddp": ddp_rows,
    "replicas": replica_rows,
    "lenses": lens_rows,
    "spectra": spectra_rows,
    "linear": linear_rows,
    "architectures": architecture_rows,
}


def main() -> None:
    """One thread throughout: a peer that spreads over cores would be compared with that, not us."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "parts", nargs="*", metavar="PART", help=f"of {', '.join(_PARTS)} (default: all)"
    )
    parts = parser.parse_args().parts or list(_PARTS)
    if unknown := set(parts) - set(_PARTS):
        parser.error(f"PART={unknown.pop()}; one of {', '.join(_PARTS)}")
    use_processor(n_threads=1, n_processes=1)
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    rows: list[Row] = []
    with lightning_quiet():
        for part in parts:
            for row in _PARTS[part]():
                rows.append(row)
                _write(rows)
    show(rows)
    print(f"written: {_OUT}")


def _write(rows: list[Row]) -> None:
    """After every row, so that a run that is stopped leaves what it measured.

    Rows of other parts, measured before, stay.
    """
    _OUT.parent.mkdir(exist_ok=True)
    before = json.loads(_OUT.read_text(encoding="utf-8"))["rows"] if _OUT.exists() else []
    new = {_key(row.as_dict()): row.as_dict() for row in rows}
    merged = {_key(row): row for row in before} | new
    content = {"threads": 1, "rows": list(merged.values())}
    _OUT.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def _key(row: dict[str, Any]) -> tuple[str, str, str]:
    return row["work"], row["shape"], row["peer"]


def show(rows: list[Row]) -> None:
    """The rows as a table; a ratio above 1 means that ours is faster."""
    table = Table(title="Speed against peers in the same run", title_justify="left")
    for heading in ("work", "shape", "peer", "ours", "theirs", "unit", "ratio"):
        table.add_column(
            heading, justify="left" if heading in {"work", "shape", "peer", "unit"} else "right"
        )
    for row in rows:
        table.add_row(
            row.work,
            row.shape,
            row.peer,
            _figure(row.ours),
            _figure(row.theirs),
            row.unit,
            f"{row.ratio:.2f}",
        )
    Console(width=140).print(table)


def _figure(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


if __name__ == "__main__":
    main()
