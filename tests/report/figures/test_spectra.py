"""Panels on spectra show means over runs, of whole graphs and of the chosen dose alone."""

import numpy as np
import polars as pl
import pytest

from physlm.report.figures.spectra import draw_spectra_experiment
from physlm.report.results import Results

DOSES, RUNS = (1, 4), ("a", "b")


def rows():
    """Two runs; the effect of the trained model is the dose, and a tenth more in the second run."""
    for r, run in enumerate(RUNS):
        for dose in DOSES:
            whole = f"corruption=swapped,n_errors={dose}"
            named = f"corruption=swapped,metric={{}},n_errors={dose}"
            for name, share in (("any", 1.0), ("hfer", 0.5), ("sink_mass", 0.25)):
                own = named.format(name)
                yield run, "spectra/effect", own, share * dose + 0.1 * r
                for arm in ("untrained", "shuffled"):
                    yield run, "spectra/effect", f"arm={arm},{own}", 0.1
                yield run, "spectra/is_beyond", own, float(r)
                yield run, "spectra/is_decided", own, float(name != "hfer" and (r or name == "any"))
            yield run, "spectra/effect", named.format("hfer").replace(",m", ",drop_first=1,m"), 9.0
            for i, model in enumerate(("length", "controls", "spectra", "both")):
                dims = f"corruption=swapped,model={model},n_errors={dose}"
                yield run, "spectra/accuracy", dims, 0.5 + 0.1 * i * (dose == 1)
            yield run, "spectra/smallest_detectable_d", whole, 0.28


@pytest.fixture(scope="module")
def panels():
    names = ["run_id", "metric", "dims", "value"]
    table = [dict(zip(names, row, strict=True)) for row in rows()]
    figure = draw_spectra_experiment(Results.of(pl.DataFrame({"run_id": RUNS}), table))
    figure.draw_without_rendering()
    return figure.axes


def test_effects_are_drawn_by_dose_beside_both_arms_and_the_detectable_one(panels):
    lines = {line.get_label(): line for line in panels[0].lines}
    assert lines["trained"].get_xdata().tolist() == list(DOSES)
    np.testing.assert_allclose(lines["trained"].get_ydata(), [1.05, 4.05])
    np.testing.assert_allclose(lines["shuffled"].get_ydata(), [0.1, 0.1])
    assert lines["80% power"].get_ydata()[0] == pytest.approx(0.28)


def test_accuracies_effects_and_verdicts_are_those_of_the_smallest_dose(panels):
    accuracies, effects, verdicts = panels[1:]
    heights = [bar.get_height() for bar in accuracies.patches]
    assert heights == pytest.approx([0.5, 0.6, 0.7, 0.8])
    names = [text.get_text() for text in effects.get_yticklabels()]
    assert names == ["sink mass", "hfer", "any"]
    assert [bar.get_width() for bar in effects.patches] == pytest.approx([0.3, 0.55, 1.05])
    names = [text.get_text() for text in verdicts.get_yticklabels()]
    said = {names[text.get_position()[1]]: text.get_text() for text in verdicts.texts}
    assert said == {"any": "1 of 2", "sink mass": "1 of 1", "hfer": "not decided"}


def test_all_panels_show_the_largest_effect_of_any_corruption():
    names = ["run_id", "metric", "dims", "value"]
    table = [dict(zip(names, row, strict=True)) for row in rows()]
    larger = [
        row | {"dims": row["dims"].replace("swapped", "turned"), "value": 10 * row["value"]}
        for row in table
    ]
    results = Results.of(pl.DataFrame({"run_id": RUNS}), table + larger)
    for axes in draw_spectra_experiment(results).axes[:2]:
        assert axes.get_ylim()[0] == 0
        assert axes.get_ylim()[1] > 40.5
