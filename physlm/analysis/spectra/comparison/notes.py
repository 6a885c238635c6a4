"""What a comparison had to leave out, and why: one sentence each."""

from collections.abc import Iterator, Mapping

import polars as pl

from physlm.analysis.spectra.comparison.arms import Arm
from physlm.analysis.spectra.comparison.controlled import length_overlap, why_no_length_control
from physlm.analysis.spectra.comparison.groups import Texts
from physlm.analysis.spectra.comparison.verdict import why_no_gain


def notes_on(arms: Mapping[str, Arm], texts: Texts, shuffled: Texts) -> tuple[str, ...]:
    """Everything a reader must know beside the numbers."""
    return (
        *_on_length(texts),
        *_on_columns(arms["model"]),
        *_on_arms(arms),
        *_on_shuffling(texts, shuffled),
    )


def _on_length(texts: Texts) -> Iterator[str]:
    n_overlap = int(length_overlap(texts).sum())
    no_length = why_no_length_control(texts)
    if no_length is not None:
        yield no_length
    elif len(set(texts.n_tokens.tolist())) == 1:
        yield (
            f"all texts have {texts.n_tokens[0]:g} tokens: the length terms are constant and left "
            "out, and d_length controls for nothing"
        )
    elif n_overlap < len(texts.n_tokens):
        yield f"{n_overlap} of {len(texts.n_tokens)} texts lie in the overlap of the lengths"


def _on_columns(model: Arm) -> Iterator[str]:
    constant = model.columns.filter(pl.col("auc").is_null())
    if len(constant):
        names = ", ".join(sorted(set(constant["metric"])))
        yield (
            f"{len(constant)} of {len(model.columns)} columns are constant and not tested: {names}"
        )
    if model.not_validated is not None:
        yield model.not_validated
    elif len(model.nested) and (no_gain := why_no_gain(model.nested.row(0, named=True))):
        yield f"{no_gain}; only the effects in pairs, and their power, are informative"


def _on_arms(arms: Mapping[str, Arm]) -> Iterator[str]:
    if "untrained" not in arms:
        yield "no arm untrained: no verdict can be favourable"
    if "planted" not in arms:
        yield "no arm planted: the power to find a planted effect is not known"
    if "layer_0" not in arms:
        yield "no layer 0 among the rows: this control is missing"


def _on_shuffling(texts: Texts, shuffled: Texts) -> Iterator[str]:
    if len(shuffled.problem) < len(texts.problem):
        yield (
            f"labels are shuffled among the {len(shuffled.problem)} texts of problems with both "
            "labels"
        )
    elif not len(texts.mixed_problems):
        yield "each text is a problem of its own: labels are shuffled among all texts"
