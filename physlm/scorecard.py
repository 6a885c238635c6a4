"""The scorecard of any model by the tests of the papers: `python -m physlm.scorecard runs/ID`."""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.markup import escape
from rich.table import Table

from physlm.arguments import Parser
from physlm.atomic import write_text
from physlm.caches import settle_caches
from physlm.errors import InputError
from physlm.messages import explain
from physlm.report.command_line import require_folder
from physlm.report.scorecard.card import TESTS
from physlm.watching import outlive_readers, table_console, tell

if TYPE_CHECKING:
    from physlm.report.scorecard.card import Card
    from physlm.report.scorecard.subject import Options, Subject

PAGE, DATA = "scorecard.html", "scorecard.json"
_EXAMPLES = """
examples:
  python -m physlm.scorecard runs/ID                      a finished run, in its own world
  python -m physlm.scorecard models/gpt2 models/llama     folders of transformers checkpoints
  python -m physlm.scorecard --endpoint http://localhost:8000/v1 --model NAME --people 100
  python -m physlm.scorecard runs/ID models/gpt2          compared, on one page

Every test is a run of its own in --runs-dir: what is finished is not measured again, and answers
of a model are kept as they come, so that the same command resumes where it stopped. The key of an
endpoint is read from OPENAI_API_KEY.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; its exit status."""
    outlive_readers()
    settle_caches()
    try:
        chosen = _parser().parse_args(arguments)
        require_folder(chosen.output, PAGE, DATA)
        options = _options(chosen)
        return _score(_subjects(chosen), options, chosen.output)
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - every error becomes one line
        return explain(error)


def _score(subjects: "Sequence[Subject]", options: "Options", output: Path) -> int:
    """Test one model after the other, and write what is there after each; the exit status."""
    from physlm.report.scorecard.measured import card_of  # loads torch
    from physlm.report.scorecard.statements import write_statements

    write_statements(output)
    cards: list[Card] = []
    statuses = [0]
    for subject in subjects:
        try:
            cards.append(card_of(subject, options))
        except InputError as error:  # the others can still be measured
            statuses.append(explain(error))
            continue
        _write(cards, output)
    if cards:
        _show(cards)
        print(f"scorecard: {output / PAGE}")
    return max(statuses)


def _parser() -> Parser:
    parser = Parser(
        "scorecard",
        description="Test models as the papers do, and compare them: knowledge "
        "capacity, retrieval, classification, comparison and inverse search with and without "
        "hints, phrasing, use of depth, and spectra of attention, each beside chance.",
        epilog=_EXAMPLES,
    )
    add = parser.add_argument
    about = "directories of finished runs, or folders of causal transformers checkpoints"
    add("models", nargs="*", type=Path, metavar="MODEL", help=about)
    about = "an OpenAI-compatible address; may be repeated, each with a --model"
    add("--endpoint", action="append", default=[], metavar="URL", help=about)
    add("--model", action="append", default=[], metavar="NAME", help="name of the endpoint's model")
    add("--tests", default=",".join(TESTS), metavar="NAME,...", help="default: %(default)s")
    about = "public figures to ask about (default: all; fewer are drawn at random)"
    add("--people", type=int, metavar="N", help=about)
    about = "questions with answers before each question about them (default: %(default)s)"
    add("--shots", type=int, default=3, metavar="N", help=about)
    about = "tokens of an answer, thoughts included; reasoning models need 1000 (default: 32)"
    add("--max-tokens", type=int, default=32, metavar="N", help=about)
    add(
        "--seed",
        type=int,
        default=0,
        metavar="N",
        help="seed of people, pairs and shots (default: 0)",
    )
    about = "texts for the depth of checkpoints, in a format of data=texts (default: questions and "
    add("--texts", type=Path, metavar="FILE", help=f"{about}answers about public figures)")
    about = "folder of the runs that measure (default: %(default)s)"
    add("--runs-dir", type=Path, default=Path("runs"), metavar="FOLDER", help=about)
    about = f"folder for {PAGE} and {DATA} (default: %(default)s)"
    add("--output", type=Path, default=Path("scorecard"), metavar="FOLDER", help=about)
    return parser


def _subjects(chosen: argparse.Namespace) -> "list[Subject]":
    """The models in the order of the command line, endpoints last.

    Raises:
        InputError: If there is none, or one cannot be tested.
    """
    from physlm.report.scorecard.subject import of_endpoint, of_path

    if len(chosen.endpoint) != len(chosen.model):
        raise InputError(
            f"{len(chosen.endpoint)} --endpoint and {len(chosen.model)} --model; give each "
            "endpoint the name of its model"
        )
    found = [of_path(path) for path in chosen.models]
    found += [of_endpoint(*named) for named in zip(chosen.endpoint, chosen.model, strict=True)]
    if not found:
        raise InputError(
            "no model; name a run directory or a checkpoint's folder, or give --endpoint and "
            "--model"
        )
    return found


def _options(chosen: argparse.Namespace) -> "Options":
    from physlm.report.scorecard.statements import STATEMENTS, TEXTS
    from physlm.report.scorecard.subject import Options

    if chosen.texts is not None and not chosen.texts.is_file():
        raise InputError(
            f"--texts {chosen.texts} is not a file; name one in a format of data=texts"
        )
    tests = chosen.tests.split(",")
    if unknown := [test for test in tests if test not in TESTS]:
        raise InputError(f"--tests {unknown[0]!r} is none of {', '.join(TESTS)}")
    return Options(
        tests=tuple(dict.fromkeys(tests)),
        n_people=chosen.people,
        n_shots=chosen.shots,
        max_new_tokens=chosen.max_tokens,
        statements=(chosen.output / STATEMENTS).resolve(),
        texts=(chosen.texts or chosen.output / TEXTS).resolve(),
        runs_dir=chosen.runs_dir.resolve(),
        seed=chosen.seed,
    )


def _write(cards: "Sequence[Card]", output: Path) -> None:
    from physlm.report.scorecard.document import document

    write_text(output / PAGE, document(cards))
    plain = {"models": [card.as_dict() for card in cards]}
    write_text(output / DATA, json.dumps(plain, indent=1, ensure_ascii=False) + "\n")


def _show(cards: "Sequence[Card]") -> None:
    """Print the table, and name the tests that were left out."""
    from physlm.report.scorecard.card import rows_of, shown

    table = Table("test", *(card.name for card in cards), title="Scorecard", title_justify="left")
    by_place = [{(e.section, e.label): e for e in card.entries} for card in cards]
    section = None
    for row in rows_of(cards):
        if row[0] is not section:
            section = row[0]
            table.add_section()
            table.add_row(f"[bold]{section.value}[/bold]")
        what, dots, further = row[1].partition(" ... ")
        label = f"  {further}" if dots else what
        cells = (shown(own[row]) if row in own else "" for own in by_place)
        table.add_row(escape(label), *cells)
    table_console().print(table)
    for card in cards:
        if card.unmeasured:
            tell(f"{card.name}: not tested on {', '.join(card.unmeasured)}; {PAGE} says why")


if __name__ == "__main__":
    sys.exit(main())
