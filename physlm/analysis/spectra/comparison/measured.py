"""All arms of one pair of groups, before the tests of several comparisons are counted together."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl

from physlm.analysis.spectra.comparison.arms import Arm, compare_arm
from physlm.analysis.spectra.comparison.groups import Columns, Texts, read_groups
from physlm.rng import stream


@dataclass(frozen=True, slots=True, eq=False)
class MeasuredGroups:
    """Valid and invalid texts, and what was measured on them.

    Attributes:
        arms: Arms by name, without q-values.
        texts: Labels, problems and covariates.
        shuffled: The texts of arm ``shuffled``, with permuted labels.
    """

    arms: Mapping[str, Arm]
    texts: Texts
    shuffled: Texts

    @property
    def selected(self) -> pl.DataFrame:
        """One row per arm, metric and choosing model: statistics of the chosen column."""
        return stacked({name: arm.selected for name, arm in self.arms.items()})

    @property
    def is_validated(self) -> bool:
        """Whether there was a nested cross-validation."""
        return not self.arms["model"].nested.is_empty()


def measure_groups(frame: pl.DataFrame, *, seed: int = 0) -> MeasuredGroups:
    """Everything in ``compare_groups`` except what depends on the number of tests."""
    texts, measured = read_groups(frame)
    arms = {name: compare_arm(columns, texts, seed) for name, columns in measured.items()}
    first = measured["model"].where((measured["model"].keys["layer"] == 0).to_numpy())
    if len(first.keys):
        arms["layer_0"] = compare_arm(first, texts, seed)
    mixed, shuffled = shuffled_labels(texts, seed)
    columns = Columns(measured["model"].keys, measured["model"].values[mixed])
    arms["shuffled"] = compare_arm(columns, shuffled, seed)
    return MeasuredGroups(arms, texts, shuffled)


def stacked(tables: Mapping[str, pl.DataFrame]) -> pl.DataFrame:
    """Tables of several arms as one, with column ``arm``; empty ones are left out."""
    rows = [
        own.select(pl.lit(name).alias("arm"), pl.all()) for name, own in tables.items() if len(own)
    ]
    return pl.concat(rows, how="diagonal_relaxed") if rows else pl.DataFrame()


def shuffled_labels(texts: Texts, seed: int) -> tuple[np.ndarray, Texts]:
    """Texts whose labels can be permuted within their problem, as a mask, and with new labels.

    Where each text is a problem of its own, labels are permuted among all.
    """
    has_mixed = len(texts.mixed_problems) > 0
    kept = np.isin(texts.problem, texts.mixed_problems) | (not has_mixed)
    own = texts.at(kept)
    group = own.problem if has_mixed else np.zeros_like(own.problem)
    keys = stream(seed, "shuffled labels").random(len(group))
    label = np.empty_like(own.is_valid)
    label[np.argsort(group, kind="stable")] = own.is_valid[np.lexsort((keys, group))]
    return kept, Texts(label, own.problem, own.covariates)
