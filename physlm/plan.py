"""Plan the model, facts or exposures by capacity laws: `python -m physlm.plan`.

  python -m physlm.plan --facts 4000 --exposures 200               # which model
  python -m physlm.plan --people 1000000 --exposures 1000          # six facts each, as in bioS
  python -m physlm.plan --parameters 30e3 --exposures 300          # how many facts it holds
  python -m physlm.plan --parameters 30e3 --tokens 6e6             # the same by tokens of training
  python -m physlm.plan --facts 4000 --parameters 30e3             # how many exposures it needs
  python -m physlm.plan --facts 2e6 --exposures 200 --junk 0.5 --domain-token
  python -m physlm.plan --facts 4000 --exposures 200 --rare 0.1:10  # a tenth is rare

Two laws answer, each in its own range: the one that is fitted to the results in experiments/, and
the one of Part 3.3 of Physics of Language Models. docs/planner.md describes both.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from physlm.arguments import Parser
from physlm.errors import InputError
from physlm.report.planner import bios
from physlm.report.planner.advice import Advice, advice
from physlm.report.planner.case import FULL_PRECISION, Mlp, Setting
from physlm.report.planner.law_file import read_law
from physlm.report.planner.published_law import PublishedLaw
from physlm.report.planner.question import STORED, Question, Rare, require_quantity
from physlm.watching import outlive_readers, table_console


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; its exit status."""
    outlive_readers()
    try:
        parser = _parser()
        chosen = parser.parse_args(arguments)
        _require_alone(chosen, parser)
        if chosen.refit:
            _refit()
        elif chosen.predict is not None:
            _predict(chosen.predict)
        else:
            laws = (read_law(), PublishedLaw())
            found = advice(_question(chosen), laws, extrapolates=chosen.extrapolate)
            _show(found, as_json=chosen.json)
    except (InputError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


def _question(chosen: argparse.Namespace) -> Question:
    """The question that the flags ask."""
    question = Question(
        facts=_facts(chosen),
        exposures=chosen.exposures,
        tokens=chosen.tokens,
        parameters=chosen.parameters,
        stored=STORED if chosen.stored is None else chosen.stored,
        bits_per_fact=chosen.bits_per_fact,
        tokens_per_fact=chosen.tokens_per_fact,
        setting=Setting(
            junk_fraction=chosen.junk,
            has_domain_token=chosen.domain_token,
            weight_bits=chosen.weight_bits,
            mlp=Mlp(chosen.mlp),
        ),
        rare=tuple(chosen.rare),
    )
    if chosen.stored is not None and question.unknown == "stored" and not question.rare:
        raise InputError(
            f"--stored {chosen.stored:g} with facts, parameters and exposures, which determine the "
            "stored fraction; leave out one of them"
        )
    return question


def _facts(chosen: argparse.Namespace) -> float | None:
    """The number of facts; each person has six."""
    if chosen.people is None:
        return chosen.facts  # type: ignore[no-any-return]
    require_quantity("people", chosen.people)
    if chosen.facts is not None:
        raise InputError(
            f"--people {chosen.people:g} with --facts {chosen.facts:g}; give one of them"
        )
    if chosen.bits_per_fact is not None:
        raise InputError(
            f"--bits-per-fact {chosen.bits_per_fact:g} with --people, whose facts have the bits of "
            "bioS; give --facts instead"
        )
    return bios.FACTS * float(chosen.people)


def _require_alone(chosen: argparse.Namespace, parser: argparse.ArgumentParser) -> None:
    """Refuse flags that --refit or --predict would ignore."""
    given = [name for name, value in vars(chosen).items() if value != parser.get_default(name)]
    if len(given) > 1 and (chosen.refit or chosen.predict is not None):
        flags = ", ".join(f"--{name.replace('_', '-')}" for name in given)
        raise InputError(f"{flags}: --refit and --predict stand alone; leave out the others")


def _show(found: Advice, *, as_json: bool) -> None:
    from physlm.report.planner.shown import notes, plain, shown

    if as_json:
        print(json.dumps(plain(found), indent=2))
        return
    table_console().print(shown(found))
    for note in notes(found):
        print(note)


def _refit() -> None:
    """Fit the law to the committed results again, and write it."""
    from physlm.report.planner.fitted_law import law_of_experiments
    from physlm.report.planner.law_file import LAW_FILE, write_law

    write_law(law_of_experiments(), LAW_FILE)
    print(f"written: {LAW_FILE}")


def _predict(folder: Path) -> None:
    """Write what the law predicts for the runs of an experiment beside its file."""
    from physlm.report.planner.predictions import predict_experiment

    print(f"written: {predict_experiment(folder, read_law())}")


class _Parser(Parser):
    def error(self, message: str) -> NoReturn:
        super().error(message.removeprefix("argument "))


def _parser() -> Parser:
    parser = _Parser("plan", description=__doc__)
    _add_quantities(parser)
    _add_settings(parser)
    parser.add_argument(
        "--extrapolate",
        action="store_true",
        help="answer outside the range of a law, too, and say so",
    )
    parser.add_argument("--json", action="store_true", help="print the plan as JSON")
    parser.add_argument(
        "--refit",
        action="store_true",
        help="fit the measured law to the committed results of this checkout again",
    )
    parser.add_argument(
        "--predict",
        type=Path,
        metavar="FOLDER",
        help="write what the measured law predicts for the runs of an experiment into its folder",
    )
    return parser


def _add_quantities(parser: argparse.ArgumentParser) -> None:
    """Facts, model and training: two of the three, and what they mean."""
    numbers = {
        "facts": "facts to be stored",
        "people": f"people of {bios.FACTS} facts each, in place of --facts",
        "exposures": "times that each fact is seen in training",
        "tokens": "tokens of training, junk included, in place of --exposures",
        "parameters": "parameters of the model, all of them",
        "stored": f"fraction of the bits of all facts that is to be stored (default: {STORED})",
        "bits-per-fact": "bits of a value and its part of the name (default: as in bioS, with six "
        "facts per person)",
        "tokens-per-fact": "tokens of text for each fact and exposure (default: 22/6 as in the "
        "measured worlds, 13 by the published law, as in bioS)",
    }
    for name, about in numbers.items():
        parser.add_argument(f"--{name}", type=_number, metavar="N", help=about)
    parser.add_argument(
        "--rare",
        nargs="+",
        action="extend",
        type=_rare,
        default=[],
        metavar="SHARE:EXPOSURES",
        help="facts that are seen less often, such as 0.1:10",
    )


def _number(text: str) -> float:
    """A number as it is written, such as 30e3 or 30_000."""
    try:
        return float(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text}; must be a number, such as 0.9 or 2e6") from error


def _rare(text: str) -> Rare:
    share, _, exposures = text.partition(":")
    try:
        return Rare(float(share), float(exposures))
    except ValueError as error:
        raise argparse.ArgumentTypeError(
            f"{text}; write the share of the facts and their exposures, such as 0.1:10"
        ) from error


def _add_settings(parser: argparse.ArgumentParser) -> None:
    """What changes capacity, other than size and exposures."""
    parser.add_argument(
        "--junk",
        type=_number,
        default=0.0,
        metavar="N",
        help="fraction of all tokens that is junk, about people who never recur",
    )
    parser.add_argument(
        "--domain-token", action="store_true", help="a token marks the documents that are not junk"
    )
    parser.add_argument(
        "--weight-bits",
        type=int,
        choices=[FULL_PRECISION, 8, 4],
        default=FULL_PRECISION,
        help="bits per weight after training (default: %(default)s)",
    )
    parser.add_argument(
        "--mlp",
        choices=[mlp.value for mlp in Mlp],
        default=Mlp.plain.value,
        help="MLP, in models of equal size; moe has 32 experts, one active (default: %(default)s)",
    )


if __name__ == "__main__":
    sys.exit(main())
