"""The measured law as a file, which an installed package has in place of the experiments."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from physlm.atomic import write_text
from physlm.errors import InputError
from physlm.report.planner.case import Mlp
from physlm.report.planner.curve import Curve, Share
from physlm.report.planner.law import Check
from physlm.report.planner.measured_law import Anchored, Fit, MeasuredLaw

LAW_FILE = Path(__file__).with_name("law.yaml")

_HEAD = """\
# The capacity law fitted to the committed results in experiments/; docs/planner.md describes it.
# Written by `python -m physlm.plan --refit`.
"""
_DIGITS = 6  # significant ones, far more than the law is accurate to


def read_law(path: Path = LAW_FILE) -> MeasuredLaw:
    """The law in a file, by default the committed one.

    Raises:
        InputError: If the file is missing or holds no law.
    """
    try:
        return _law(yaml.safe_load(path.read_text(encoding="utf-8")))
    except (OSError, yaml.YAMLError, KeyError, TypeError, ValueError) as error:
        why = f"{type(error).__name__}: {' '.join(str(error).split())}"
        raise InputError(
            f"{path} holds no law ({why}); python -m physlm.plan --refit writes it"
        ) from error


def write_law(law: MeasuredLaw, path: Path) -> None:
    """Write a law into a file."""
    text = yaml.safe_dump(_plain(law), sort_keys=False, default_flow_style=None, width=110)
    write_text(path, f"{_HEAD}{text}")


def _law(content: Mapping[str, Any]) -> MeasuredLaw:
    recipe = content["recipe"]
    return MeasuredLaw(
        ranges={name: (low, high) for name, (low, high) in content["ranges"].items()},
        fit=Fit(**content["fit"]),
        resampled=tuple(Fit(*values) for values in content["resampled"]),
        spread=content["spread"],
        full_spread=content["full_spread"],
        junk={
            has_token: _anchored(content["junk"][name]) for has_token, name in _JUNK_NAMES.items()
        },
        junk_share=Share(_points(content["junk"]["share_of_harm"])),
        mlps={Mlp(name): _anchored(one) for name, one in content["mlps"].items()},
        log_weights={
            int(bits): (math.log(factor) if factor else -math.inf, spread)
            for bits, (factor, spread) in content["weights"]["factors"].items()
        },
        weights_exposures=content["weights"]["exposures"],
        among_frequent=_points(content["among_frequent"]),
        recipe=(Curve(_points(recipe["steps"])), recipe["steps_per_exposure_with_junk"]),
        runs=(content["n_runs"], content["n_configurations"]),
        experiments=tuple(content["experiments"]),
        checks={
            has_junk: Check(**content["checks"][name]) for has_junk, name in _CHECK_NAMES.items()
        },
    )


_JUNK_NAMES = {False: "without_domain_tokens", True: "with_domain_tokens"}
_CHECK_NAMES = {False: "without_junk", True: "with_junk"}


def _plain(law: MeasuredLaw) -> dict[str, Any]:
    """The content of the file."""
    curve, each = law.recipe
    return {
        "experiments": list(law.experiments),
        "n_runs": law.runs[0],
        "n_configurations": law.runs[1],
        "ranges": {name: _rounded(ends) for name, ends in law.ranges.items()},
        "fit": {name: _round(value) for name, value in law.fit._asdict().items()},
        "spread": _round(law.spread),
        "full_spread": _round(law.full_spread),
        "junk": {
            **{name: _plain_anchored(law.junk[has]) for has, name in _JUNK_NAMES.items()},
            "share_of_harm": [_rounded(point) for point in law.junk_share.points],
        },
        "mlps": {mlp.value: _plain_anchored(one) for mlp, one in law.mlps.items()},
        "weights": {
            "exposures": law.weights_exposures,
            "factors": {
                bits: _rounded((math.exp(log), spread))
                for bits, (log, spread) in law.log_weights.items()
            },
        },
        "among_frequent": [_rounded(point) for point in law.among_frequent],
        "recipe": {
            "steps": [_rounded(point) for point in curve.points],
            "steps_per_exposure_with_junk": _round(each),
        },
        "checks": {name: _plain_check(law.checks[has]) for has, name in _CHECK_NAMES.items()},
        "resampled": [_rounded(fit) for fit in law.resampled],
    }


def _anchored(content: Mapping[str, Any]) -> Anchored:
    curve = Curve(_points(content["exposed"]))
    return Anchored(curve, content["parameters"], content["spread"])


def _plain_anchored(one: Anchored) -> dict[str, Any]:
    points = [_rounded(point) for point in one.curve.points]
    return {"exposed": points, "parameters": one.parameters, "spread": _round(one.spread)}


def _plain_check(check: Check) -> dict[str, Any]:
    runs, *errors = check
    return dict(zip(Check._fields, (runs, *_rounded(errors)), strict=True))


def _points(content: Sequence[Sequence[float]]) -> tuple[tuple[float, float], ...]:
    return tuple((x, y) for x, y in content)


def _rounded(values: Sequence[float]) -> list[float]:
    return [_round(value) for value in values]


def _round(value: float) -> float:
    return float(f"{value:.{_DIGITS}g}")
