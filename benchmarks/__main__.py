"""Run every benchmark, or those named, print a table, write `benchmarks/out/bench.json`.

Parts that begin with `gpu_` need a GPU, and run only where they are named; see `gpu.sh`.
"""

import argparse
import importlib
import json
import os
from collections.abc import Iterable
from dataclasses import fields
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.timing import DEVICE, Row
from physlm.train.cpu import use_processor

_OUT = Path(__file__).parent / "out" / "bench.json"
_NO_GPU = (
    "no GPU: torch.cuda.is_available() is false; run this where PyTorch sees a CUDA device, or "
    "`make bench` on a CPU"
)
_GPU_PARTS = (
    "gpu_ceiling",
    "gpu_tiny",
    "gpu_a",
    "gpu_b",
    "gpu_c",
    "gpu_gpt2-12-12",
    "gpu_capacity",
)
# The function of each module, which is imported when its part runs: all of them take seconds.
_PARTS = {
    "corpus": "corpus.corpus_rows",
    "cfg": "cfg.cfg_rows",
    "tasks": "tasks.task_rows",
    "igsm": "igsm.igsm_rows",
    "loop": "loop.loop_rows",
    "depth": "depth.depth_rows",
    "early_exit": "early_exit.early_exit_rows",
    "generation": "generation.generation_rows",
    "training": "training.training_rows",
    "cores": "training.core_rows",
    "ddp": "ddp.ddp_rows",
    "replicas": "replicas.replica_rows",
    "lenses": "lenses.lens_rows",
    "spectra": "spectra.spectra_rows",
    "linear": "linear.linear_rows",
    "architectures": "architectures.architecture_rows",
}


def main() -> None:
    """One thread throughout: a peer that spreads over cores would be compared with that, not us."""
    given = _given()
    if given.show:
        show(_read(given.output))
        return
    from physlm.train.fit import lightning_quiet  # loads Lightning

    use_processor(n_threads=1, n_processes=1)
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    rows: list[Row] = []
    with lightning_quiet():
        for part in given.parts or _PARTS:
            for row in _rows(part):
                rows.append(row)
                _write(given.output, rows)
    show(rows)
    print(f"written: {given.output}")


def _rows(part: str) -> Iterable[Row]:
    if part in _GPU_PARTS:
        from benchmarks.gpu import rows_of

        return rows_of(part)
    module, _, function = _PARTS[part].partition(".")
    found: Iterable[Row] = getattr(importlib.import_module(f"benchmarks.{module}"), function)()
    return found


def _given() -> argparse.Namespace:
    names = [*_PARTS, *_GPU_PARTS]
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "parts", nargs="*", metavar="PART", help=f"of {', '.join(names)} (default: all but gpu_)"
    )
    parser.add_argument(
        "--output", type=Path, default=_OUT, metavar="FILE", help="rows are added to this file"
    )
    parser.add_argument("--show", action="store_true", help="only print the rows of the file")
    given = parser.parse_args()
    if unknown := set(given.parts) - set(names):
        parser.error(f"PART={unknown.pop()}; one of {', '.join(names)}")
    if DEVICE != "cuda" and any(part in _GPU_PARTS for part in given.parts):
        parser.exit(2, f"error: {_NO_GPU}\n")
    return given


def _write(path: Path, rows: list[Row]) -> None:
    """After every row, so that a run that is stopped leaves what it measured.

    Rows of other parts, measured before, stay.
    """
    path.parent.mkdir(exist_ok=True)
    before = _content(path)
    new = {_key(row.as_dict()): row.as_dict() for row in rows}
    merged = {_key(row): row for row in before} | new
    content = {"threads": 1, "rows": list(merged.values())}
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def _content(path: Path) -> list[dict[str, Any]]:
    return json.loads(path.read_text(encoding="utf-8"))["rows"] if path.exists() else []


def _read(path: Path) -> list[Row]:
    names = {field.name for field in fields(Row)}
    return [Row(**{k: v for k, v in row.items() if k in names}) for row in _content(path)]


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
