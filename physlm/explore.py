"""Look into a model: what each state predicts, or its attention graphs, as pictures and pages."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from physlm.arguments import Parser
from physlm.atomic import write_text
from physlm.caches import settle_caches
from physlm.errors import InputError
from physlm.interruption import stop_requests
from physlm.messages import explain
from physlm.report.exploration.graph_options import add_graph_options, check_graph_options
from physlm.report.exploration.source import Source, source_of
from physlm.watching import outlive_readers, table_console

if TYPE_CHECKING:
    from physlm.report.exploration.exploration import Exploration
    from physlm.report.exploration.subject import Subject

_EPILOG = """\
examples:
  python -m physlm.explore runs/4f00 "Kofi Drew Pan was born in"   a run, a text of its world
  python -m physlm.explore runs/4f00 --document 7 --lens tuned     a document of its own world
  python -m physlm.explore models/gpt2 "The capital of France is"  a checkpoint of transformers
  python -m physlm.explore models/gpt2 "..." --lens tuned --lens-texts other.txt
  python -m physlm.explore runs/4f00 "..." --graph --layer 2       attention graphs of the text
  python -m physlm.explore runs/4f00 --ask "Was ... born in an even month?"   with a database

State k is the residual stream after k of the model's L blocks; state L is what the model itself
predicts from. A lens reads all of them: the logit lens by the model's final norm and output head,
a tuned or ridge lens by a map that is fitted to the model's own predictions on other texts.

The picture and the page show the top token of every state at every position of the text and of the
continuation that the model writes. The page lists ten tokens for each; it is a single file that
needs neither a server nor a network."""

_COLOURS = ("top1_probability", "final_rank", "kl_nats", "entropy_nats")
_DRAWN = 24  # positions of the picture
_WRITTEN = 20  # tokens of the continuation, where none is asked for and there is room


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; its exit status."""
    outlive_readers()
    settle_caches()
    try:
        chosen = _parser().parse_intermixed_args(arguments)
        source = source_of(chosen.model)
        if chosen.ask:
            ask(chosen, source)
            return 0
        if chosen.quiz is not None:
            quiz(chosen, source)
            return 0
        _check(chosen, source)
        explore(chosen, source, _lens_texts(chosen.lens_texts))
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - every error becomes one line
        return explain(error)
    return 0


@stop_requests(at_once=True)
def ask(chosen: argparse.Namespace, source: Source) -> None:
    """Print the answers of the hybrid system.

    Raises:
        InputError: If the run has none, or another option is given.
    """
    if not source.is_run:
        raise InputError(
            f"--ask with {source.path}, a checkpoint; name a run of manipulation tasks"
        )
    if chosen.text is not None:
        raise InputError("--ask with a text; give one of the two")
    from physlm.report.exploration.asked import asked  # loads torch

    for line in asked(source.path, chosen.ask):
        print(line, flush=True)


@stop_requests(at_once=True)
def quiz(chosen: argparse.Namespace, source: Source) -> None:
    """Write the page of a quiz.

    Raises:
        InputError: If the run has no questions, or another option is given.
    """
    if chosen.text is not None or chosen.quiz < 1:
        raise InputError(
            f"--quiz {chosen.quiz}; give at least 1 question of each task, and no text"
        )
    from physlm.report.quiz.quiz import quiz_of, write_quiz  # loads torch

    path = write_quiz(quiz_of(source, chosen.quiz), chosen.output)
    print(f"quiz: {path}")


@stop_requests(at_once=True)
def explore(chosen: argparse.Namespace, source: Source, texts: Sequence[str] | None) -> None:
    """Print the table and write the picture and the page.

    Args:
        chosen: The command line.
        source: Where the model is.
        texts: Texts to fit a lens on; None for documents of the model's own world.

    Raises:
        InputError: If the model cannot read the text, or the lens is not the model's.
    """
    # These load torch.
    from physlm.report.exploration.exploration import explored
    from physlm.report.exploration.lens import lens_of
    from physlm.report.exploration.opened import opened

    subject = opened(source)
    given = _given(subject, chosen)
    if chosen.graph:
        _explore_graph(subject, given, chosen)
        return
    n_wanted = _room(subject, len(given), chosen.tokens)
    _require_position(chosen.position, len(given) + n_wanted)
    lens, lens_name = lens_of(subject, chosen.lens, given, texts)
    written = subject.continuation(given, n_wanted) if n_wanted else []
    tokens = [*given, *written]
    _require_position(chosen.position, len(tokens))
    _print_texts(subject, given, written, n_wanted)
    found = explored(subject, tokens, len(given), lens, lens_name, n_top=chosen.top)
    position = len(given) - 1 if chosen.position is None else chosen.position
    _print_table(found, position, chosen.top)
    _write(found, position, chosen)


def _explore_graph(subject: "Subject", given: Sequence[int], chosen: argparse.Namespace) -> None:
    """Draw the graphs of the text, and of a continuation if one is asked for."""
    from physlm.report.exploration.graph_exploration import explore_graph

    n_wanted = _room(subject, len(given), chosen.tokens or 0)
    written = subject.continuation(given, n_wanted) if n_wanted else []
    _require_position(chosen.position, len(given) + len(written))
    _print_texts(subject, given, written, n_wanted)
    explore_graph(subject, [*given, *written], chosen)


def _given(subject: "Subject", chosen: argparse.Namespace) -> list[int]:
    """The tokens of the text, or of a document."""
    if chosen.text is not None:
        return subject.tokens_of(chosen.text)
    return subject.document(chosen.document or 0)


def _room(subject: "Subject", n_given: int, n_wanted: int | None) -> int:
    """The number of tokens to generate, such that text and continuation fit the window."""
    longest = subject.model.longest_window
    if longest is None:
        return _WRITTEN if n_wanted is None else n_wanted
    room = longest - n_given
    if room < (n_wanted or 0):
        added = f" and --tokens {n_wanted}" if n_wanted else ""
        raise InputError(
            f"a text of {n_given} tokens{added} exceeds the {longest} tokens that the model reads; "
            "shorten the text or lower --tokens"
        )
    return min(room, _WRITTEN) if n_wanted is None else n_wanted


def _require_position(position: int | None, n_tokens: int) -> None:
    if position is not None and not 0 <= position < n_tokens:
        raise InputError(
            f"--position {position}; the text and its continuation have positions 0 to "
            f"{n_tokens - 1}"
        )


def _print_texts(
    subject: "Subject", given: Sequence[int], written: Sequence[int], n_wanted: int
) -> None:
    from physlm.analysis.depth.token_text import escaped

    print(f"text: {escaped(subject.text_of(given))}")
    if n_wanted:
        end = " (the text ends here)" if len(written) < n_wanted else ""
        print(f"continuation: {escaped(subject.text_of(written))}{end}", flush=True)


def _print_table(found: "Exploration", position: int, n_top: int) -> None:
    from physlm.report.exploration.table import table_of_states

    console = table_console()
    console.print()
    console.print(table_of_states(found, position, n_top, console.width))


def _write(found: "Exploration", position: int, chosen: argparse.Namespace) -> None:
    """Write the picture and the page."""
    from physlm.analysis.depth.trajectory import draw_trajectory, save_trajectory
    from physlm.report.exploration.document import document

    # The picture has as many positions as can be read, with the chosen one among them.
    first = max(0, min(position - _DRAWN // 2, len(found.tokens) - _DRAWN))
    part = slice(first, first + _DRAWN)
    figure = draw_trajectory(found.rows[part], found.texts, found.inputs[part], chosen.colour)
    picture, page = (chosen.output / f"trajectory.{kind}" for kind in ("svg", "html"))
    save_trajectory(figure, picture)
    write_text(page, document(found, position, chosen.colour))
    is_part = len(found.tokens) > _DRAWN
    note = f" (positions {first} to {first + _DRAWN - 1}; the page has all)" if is_part else ""
    print(f"picture: {picture}{note}")
    print(f"page: {page}")


def _check(chosen: argparse.Namespace, source: Source) -> None:
    """Refuse wrong options before a model is loaded."""
    if chosen.text is not None and chosen.document is not None:
        raise InputError(f"--document {chosen.document} with a text; give one of the two")
    if chosen.text is None and not source.is_run:
        raise InputError(
            f"{source.path} is a checkpoint, without documents of its own; give a text"
        )
    if chosen.tokens is not None and chosen.tokens < 0:
        raise InputError(f"--tokens {chosen.tokens}; must be at least 0")
    if chosen.top < 1:
        raise InputError(f"--top {chosen.top}; must be at least 1")
    if chosen.lens not in {"logit", "tuned", "ridge"} and not Path(chosen.lens).is_dir():
        raise InputError(
            f"--lens {chosen.lens}; must be logit, tuned, ridge or the folder of a tuned lens"
        )
    _check_lens_texts(chosen.lens_texts, chosen.lens, source)
    check_graph_options(chosen)
    chosen.output.mkdir(parents=True, exist_ok=True)


def _lens_texts(path: Path | None) -> Sequence[str] | None:
    """The texts of a file, in the formats of ``data=texts``."""
    from physlm.data.files.texts import texts_of

    return None if path is None else texts_of(path)


def _check_lens_texts(texts: Path | None, lens: str, source: Source) -> None:
    is_fitted = lens in {"tuned", "ridge"}
    if texts is not None and not is_fitted:
        raise InputError(f"--lens-texts with --lens {lens}; only tuned and ridge are fitted")
    if texts is None and is_fitted and not source.is_run:
        raise InputError(
            f"--lens {lens} with a checkpoint, which has no documents of its own; name a file with "
            "other texts by --lens-texts, or use --lens logit"
        )
    if texts is not None and not texts.is_file():
        raise InputError(
            f"--lens-texts {texts} is not a file; name a .txt, .jsonl, .json, .csv or .parquet file"
        )


def _parser() -> Parser:
    parser = Parser("explore", description=__doc__, epilog=_EPILOG)
    _add_input(parser)
    _add_lens(parser)
    _add_output(parser)
    return parser


def _add_input(parser: argparse.ArgumentParser) -> None:
    """The model, and what it reads and writes."""
    add = parser.add_argument
    add("model", type=Path, help="a run directory, or the folder of a transformers checkpoint")
    add("text", nargs="?", help="the text to read (default, of a run: a document of its world)")
    add(
        "--ask",
        action="append",
        metavar="QUESTION",
        help="answer by the model, a database of its training texts, or both (docs/hybrid.md)",
    )
    add(
        "--quiz",
        type=int,
        nargs="?",
        const=4,
        metavar="N",
        help="write quiz.html, which asks you what the model was asked: N questions of each task "
        "(default: 4), about the people of a run or public figures",
    )
    add("--document", type=int, metavar="N", help="read document N of the first epoch (default: 0)")
    add(
        "--tokens",
        type=int,
        metavar="N",
        help=f"tokens that the model writes after the text (default: at most {_WRITTEN}; 0: none)",
    )


def _add_lens(parser: argparse.ArgumentParser) -> None:
    """How states are read."""
    parser.add_argument(
        "--lens",
        default="logit",
        metavar="LENS",
        help="logit, tuned or ridge, or the folder of a tuned lens (default: logit)",
    )
    parser.add_argument(
        "--lens-texts",
        type=Path,
        metavar="FILE",
        help="texts to fit the lens of a checkpoint on, in a format of data=texts; a run has "
        "documents of its own",
    )


def _add_output(parser: argparse.ArgumentParser) -> None:
    """What the table, the picture and the page show."""
    add = parser.add_argument
    add(
        "--position",
        type=int,
        metavar="P",
        help="token, from 0, after which the table predicts (default: the last of the text)",
    )
    add("--top", type=int, default=5, metavar="K", help="tokens per state (default: 5)")
    add(
        "--colour",
        choices=_COLOURS,
        default=_COLOURS[0],
        help=f"what colours the picture (default: {_COLOURS[0]}); the page offers all",
    )
    add(
        "--output",
        type=Path,
        default=Path("explore"),
        metavar="FOLDER",
        help="folder for trajectory.svg and .html, or graph.svg and .html (default: explore)",
    )
    add_graph_options(parser)


if __name__ == "__main__":
    sys.exit(main())
