"""Values of texts are kept where the folds chose, with the coverage of thresholds."""

import numpy as np
import polars as pl

from physlm.analysis.spectra import threshold_coverage
from physlm.analysis.spectra.comparison.groups import read_groups
from physlm.analysis.spectra.kept_values import chosen_values, coverage_curves
from tests.analysis.spectra.comparison.frames import frame_of, texts_of

CHOSEN = pl.DataFrame(
    {
        "arm": ["model", "model", "model", "untrained", "model"],
        "chosen_for": ["spectra", "spectra", "spectra", "spectra", "both"],
        "metric": ["hfer", "row_entropy", "hfer/drop_first_1", "hfer", "hfer"],
        "layer": [1, 0, 0, 0, 0],
        "head": [0, 1, 1, 1, 1],
    }
)


def test_values_are_of_the_chosen_layer_and_head_and_curves_of_thresholds_in_training_folds():
    rng = np.random.default_rng(0)
    texts = texts_of(rng, 12, equal=True)
    effect = 4.0 * texts["is_valid"].to_numpy()

    def value(metric, layer, head):
        return effect * ((layer, head) == (1, 0)) + rng.standard_normal(len(texts))

    rows = frame_of(texts, value, metrics=("hfer", "row_entropy", "hfer/drop_first_1"))
    kept = chosen_values(rows, CHOSEN)
    own = rows.filter(metric="hfer", layer=1, head=0)
    assert kept.equals(own.select(kept.columns))

    labels, _ = read_groups(rows)
    curve = coverage_curves(rows, CHOSEN, labels)
    columns = [
        rows.filter(metric="hfer", layer=layer, head=head)["value"].to_numpy()
        for layer in (0, 1)
        for head in (0, 1)
    ]
    expected = threshold_coverage(np.column_stack(columns), labels).curve
    assert curve["accuracy"].to_list() == expected["metric"].to_list()
    assert curve["log_probability"].to_list() == expected["log_probability"].to_list()
    assert curve["accuracy"][0] > 0.8


def test_nothing_is_kept_where_nothing_was_chosen():
    texts = texts_of(np.random.default_rng(0), 4)
    rows = frame_of(texts, lambda *_: texts["n_tokens"])
    labels, _ = read_groups(rows)
    assert chosen_values(rows, pl.DataFrame()).is_empty()
    assert coverage_curves(rows, pl.DataFrame(), labels).is_empty()
