"""Text diversity of worlds: `python -m data_gen.text_diversity "data=bior" "data=bios"`."""

import argparse
import sys
from dataclasses import asdict

from rich.console import Console
from rich.table import Table

from data_gen.words import configured, split
from physlm.config import register
from physlm.data.people.knowledge import KnowledgeCorpus
from physlm.data.texts.text_diversity import text_diversity
from physlm.errors import InputError, refused_values
from physlm.messages import explain
from physlm.revision import add_version


def main() -> None:
    """Print a table with one row for each world."""
    parser = argparse.ArgumentParser(prog="python -m data_gen.text_diversity", description=__doc__)
    add_version(parser)
    parser.add_argument("worlds", nargs="+", help="words such as 'data=bior data.n_people=10000'")
    chosen = parser.parse_args()
    register()
    try:
        rows = {words: _measured(words) for words in chosen.worlds}
    except Exception as error:  # noqa: BLE001 - the last handler: every error becomes one line
        sys.exit(explain(error))
    table = Table("texts", *next(iter(rows.values())))
    for words, row in rows.items():
        table.add_row(words, *(_cell(value) for value in row.values()))
    Console(width=None if sys.stdout.isatty() else 250).print(table)


def _cell(value: float) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:.3f}"


def _measured(words: str) -> dict[str, float]:
    with refused_values():
        config = configured(split(words))
        world = config.data.build(config.seed)
        if not isinstance(world, KnowledgeCorpus):
            raise InputError(f"{words} has no texts about people; use data=bios or data=bior")
        return asdict(text_diversity(world))


if __name__ == "__main__":
    main()
