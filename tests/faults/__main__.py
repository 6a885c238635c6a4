"""The campaign: ``python -m tests.faults kills inputs --size 0.2 --seed 1 --output table.md``."""

import argparse
import importlib
import tempfile
import time
from pathlib import Path

from tests.faults.counts import table

CLASSES = ("inputs", "kills", "mutations", "hostile", "shared", "disk", "logger", "ranks", "sweep")


def main() -> int:
    """Run the chosen classes and print one table; the exit status says if anything was violated."""
    parser = argparse.ArgumentParser("python -m tests.faults", description=__doc__)
    parser.add_argument("classes", nargs="*", metavar="CLASS", help=", ".join(CLASSES))
    parser.add_argument("--size", type=float, default=1.0, help="part of all tries (default: 1)")
    parser.add_argument("--seed", type=int, default=0, help="of the tries that are drawn")
    parser.add_argument("--output", type=Path, help="file that gets the table, too")
    chosen = parser.parse_args()
    if unknown := sorted({*chosen.classes} - {*CLASSES}):
        parser.error(f"no class {unknown[0]}; one of {', '.join(CLASSES)}")
    importlib.import_module("physlm.loaded")  # once, for all copies
    importlib.import_module("physlm.run")
    every = []
    for name in chosen.classes or CLASSES:
        began = time.monotonic()
        module = importlib.import_module(f"tests.faults.{name}")
        with tempfile.TemporaryDirectory(prefix="faults-") as folder:
            every.append(module.campaign(chosen.size, chosen.seed, Path(folder) / name))
        print(f"{table(every[-1:])}({time.monotonic() - began:.0f} seconds)\n", flush=True)
    text = table(every)
    print(text)
    if chosen.output:
        chosen.output.write_text(text, encoding="utf-8")
    return int(any(counts.violations for counts in every))


if __name__ == "__main__":
    raise SystemExit(main())
