"""The options of the command line for attention graphs."""

import argparse

from physlm.errors import InputError

_OF_PREDICTIONS = {"lens": "logit", "top": 5, "colour": "top1_probability"}  # and defaults


def add_graph_options(parser: argparse.ArgumentParser) -> None:
    """Add the options for attention graphs, which replace the predictions of states."""
    add = parser.add_argument
    add(
        "--graph",
        action="store_true",
        help="draw attention graphs instead of predictions; --position marks a token",
    )
    add("--layer", type=int, metavar="N", help="layer of --graph (default: the middle one)")
    add("--head", metavar="N", help="head of --graph, or mean (default: mean)")


def check_graph_options(chosen: argparse.Namespace) -> None:
    """Refuse options that would have no effect.

    Raises:
        InputError: If one is given.
    """
    for name in ("layer", "head"):
        value = getattr(chosen, name)
        if value is not None and not chosen.graph:
            raise InputError(f"--{name} {value} without --graph; add it, or leave --{name} out")
    for name, default in _OF_PREDICTIONS.items():
        value = getattr(chosen, name)
        if chosen.graph and value != default:
            raise InputError(
                f"--{name} {value} with --graph, which shows no predictions; leave one out"
            )
    if chosen.head not in {None, "mean"} and not chosen.head.isdecimal():
        raise InputError(f"--head {chosen.head}; must be the number of a head, from 0, or mean")
