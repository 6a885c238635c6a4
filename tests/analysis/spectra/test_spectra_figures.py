"""Figures of the scorer show the numbers of its measurement, and nothing else."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from matplotlib.figure import Figure
from scipy import stats

from physlm.analysis.figures import save_figure
from physlm.analysis.spectra.effect_panels import role_correlations
from physlm.analysis.spectra.figures import draw_spectra
from physlm.analysis.spectra.spectra import SpectraConfig
from physlm.analysis.spectra.text_panels import draw_densities, length_curve
from tests.analysis.spectra.measurements import measurement


@pytest.fixture(scope="module")
def drawn():
    own = measurement()
    return own, draw_spectra(own)


def panels(figure):
    """Axes of a figure by title, the first row's, without colour bars."""
    return {axes.get_title(): axes for axes in reversed(figure.axes) if axes.get_title()}


def test_every_figure_that_the_scorer_names_is_drawn(drawn):
    _, figures = drawn
    assert set(figures) == set(SpectraConfig.figure_names)
    for name in ("spectra_effects", "spectra_texts"):
        figures[name].draw_without_rendering()


@pytest.mark.slow
def test_every_figure_can_be_saved(drawn, tmp_path):
    for name, figure in drawn[1].items():
        save_figure(figure, tmp_path / f"{name}.svg")
        assert (tmp_path / f"{name}.svg").read_text().rstrip().endswith("</svg>")


@pytest.mark.slow
def test_without_a_cross_validation_figures_say_why_they_are_empty():
    figures = draw_spectra(measurement(is_validated=False))
    assert set(figures) == set(SpectraConfig.figure_names)
    for name in ("spectra_auc", "spectra_texts", "spectra_coverage"):
        assert "no nested cross-validation" in figures[name].texts[0].get_text()


def test_maps_show_layers_by_heads_at_the_smallest_dose_and_mark_small_q(drawn):
    own, figures = drawn
    axes = panels(figures["spectra_effects"])["hfer"]
    table = own.tables["spectra"].filter(arm="model", n_errors=1, corruption="replaced")
    rows = {
        (layer, head): (d, q)
        for layer, head, d, q in table.filter(pl.col("metric").is_in(["hfer", "hfer/graph_mean"]))
        .select("layer", "head", "d_paired", "q_paired")
        .iter_rows()
    }
    places = [(layer, head) for layer in (0, 1) for head in (0, 1, -1)]
    shown = np.ma.getdata(axes.images[0].get_array()).ravel()
    assert shown.tolist() == [rows[place][0] for place in places]
    dots = {
        (line.get_ydata()[0], line.get_xdata()[0])
        for line in axes.lines
        if line.get_marker() == "."
    }
    small = {(layer, head % 3) for layer, head in places if rows[layer, head][1] < 0.05}
    assert dots == small
    assert 0 < len(small) < 6


def test_bars_of_auc_have_their_controls_and_marks_of_both_arms(drawn):
    own, figures = drawn
    axes = panels(figures["spectra_auc"])["replaced"]
    names = [text.get_text() for text in axes.get_yticklabels()]
    ends = [bar.get_x() + bar.get_width() for bar in axes.patches]
    value = {
        (metric.name, *sorted(map(str, metric.dims.values()))): metric.value
        for metric in own.metrics
    }
    assert names[:3] == ["fiedler", "hfer", "any"]
    assert ends[0] == pytest.approx(value["spectra/auc", "1", "fiedler", "replaced"])
    assert ends[3] == pytest.approx(
        value["spectra/baseline_auc", "1", "mean_log_probability", "replaced"]
    )
    assert [text.get_text() for text in axes.texts] == ["constant", "constant"]  # not in the record
    marks = {line.get_label(): line.get_xdata() for line in axes.lines}
    assert marks["shuffled"][0] == value["spectra/auc", "1", "fiedler", "replaced", "shuffled"]
    assert len(marks["untrained"]) == 3


def test_lengths_are_drawn_where_they_differ_only(drawn):
    _, figures = drawn
    labels = [axes.get_xlabel() for axes in figures["spectra_texts"].axes]
    assert labels == ["", "", "tokens", "tokens", "", ""]


def test_densities_have_few_ticks_whatever_the_digits():
    axes = Figure(figsize=(1.9, 1.9)).subplots()
    values = -5.1234 + 1e-3 * np.random.default_rng(0).random(40)
    draw_densities(axes, pl.DataFrame({"is_valid": [True, False] * 20, "value": values}))
    low, high = axes.get_xlim()
    assert 2 <= sum(low <= tick <= high for tick in axes.get_xticks()) <= 4


def test_the_length_curve_is_the_least_squares_cubic_in_log_length():
    rng = np.random.default_rng(1)
    n_tokens = rng.integers(10, 300, 80).astype(float)
    values = rng.normal(size=80) + np.log(n_tokens) ** 2
    grid, curve = length_curve(n_tokens, values)
    powers = np.vander(np.log(n_tokens), 4)
    coefficients = np.linalg.lstsq(powers, values, rcond=None)[0]
    np.testing.assert_allclose(curve, np.vander(np.log(grid), 4) @ coefficients, rtol=1e-6)
    two = length_curve(np.array([5.0, 5.0, 9.0]), np.array([1.0, 3.0, 7.0]))[1]
    assert two[0], two[-1] == pytest.approx((2.0, 7.0))


def test_roles_are_rank_correlations_over_heads_and_missing_where_a_metric_is_constant():
    rng = np.random.default_rng(2)
    mass = rng.random(12)
    columns = {"sink_mass": mass, "fiedler": -(mass**3), "hfer": rng.random(12), "flat": 0 * mass}
    heads = pl.DataFrame({"layer": np.repeat(range(3), 4), "head": np.tile(range(4), 3)})
    rows = pl.concat(
        heads.with_columns(metric=pl.lit(name), mean=pl.Series(own))
        for name, own in columns.items()
    )
    found = role_correlations(rows, ["fiedler", "hfer", "flat"], ["sink_mass"])[:, 0]
    assert found[0] == pytest.approx(-1)
    ranks = [stats.rankdata(columns[name]) for name in ("hfer", "sink_mass")]
    assert found[1] == pytest.approx(np.corrcoef(ranks)[0, 1])
    assert np.isnan(found[2])


def test_raw_effects_stand_beside_those_at_equal_length_and_of_an_untrained_model(drawn):
    _, figures = drawn
    axes = panels(figures["spectra_controls"])["fiedler"]
    labels = [line.get_label() for line in axes.lines if not line.get_label().startswith("_")]
    controlled = ["at equal length", "at equal length and likelihood"]
    assert labels == ["raw", *controlled, "untrained, at equal length"]


def said(figure):
    return figure.get_suptitle() + figure.get_supxlabel()


def test_figures_of_several_doses_say_which_one_they_show(drawn):
    _, figures = drawn
    for figure in figures.values():
        assert "texts with the fewest errors (measured: 1, 4)" in said(figure)
    own = measurement()
    tables = dict(own.tables)
    for name in ("spectra", "spectra_values", "spectra_coverage"):
        tables[name] = tables[name].filter(n_errors=1)
    one = draw_spectra(replace(own, tables=tables))
    assert not any("fewest errors" in said(figure) for figure in one.values())


def test_labels_of_colour_bars_lie_within_the_figure(drawn):
    _, figures = drawn
    for name in ("spectra_effects", "spectra_q"):
        figures[name].draw_without_rendering()
        box = figures[name].axes[-1].yaxis.label.get_window_extent()
        assert box.y0 >= 0
        assert box.y1 <= figures[name].bbox.height
