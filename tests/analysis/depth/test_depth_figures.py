"""Figures show the numbers of the frames that they are drawn from."""

import io

import numpy as np
import polars as pl
import pytest

from physlm.analysis.depth import trace
from physlm.analysis.depth.bucket_fractions import bucket_fractions
from physlm.analysis.depth.buckets import by_rank
from physlm.analysis.depth.depth_means import state_means, with_depth
from physlm.analysis.depth.early_exit import dynamic_exit, static_exit
from physlm.analysis.depth.figures import (
    draw_bucket_fractions,
    draw_depth_histogram,
    draw_divergence,
    draw_early_exit,
    draw_flips,
    draw_patching,
    draw_rank_curve,
)
from physlm.analysis.depth.flips import flips
from physlm.analysis.depth.positions import Positions
from physlm.analysis.depth.rank_curve import rank_curve
from physlm.analysis.depth.trajectory import draw_trajectory
from physlm.analysis.lenses import LogitLens
from physlm.errors import InputError
from tests.analysis.depth.planted import decoder, random_tokens

BUCKETS = by_rank(np.arange(37)[::-1].copy(), (5, 20))


@pytest.fixture(scope="module")
def rows():
    model = decoder()
    tags = {"class": np.array([["x", "y"] * 4] * 6)}
    return trace(
        model, random_tokens((6, 8)), LogitLens(model), Positions(tags=tags), buckets=BUCKETS
    )


def drawn(figure):
    """The panels of a figure that can be saved."""
    figure.savefig(io.BytesIO(), format="svg")
    return [axes for axes in figure.axes if axes.get_label() != "<colorbar>"]


def points(line):
    return np.asarray(line.get_xdata(), float), np.asarray(line.get_ydata(), float)


def test_bars_of_buckets_have_the_heights_of_the_frame(rows):
    fractions = bucket_fractions(rows, BUCKETS)
    panels = drawn(draw_bucket_fractions(fractions))
    for axes, quantity in zip(panels, ("top1_fraction", "mass"), strict=True):
        for bars, bucket in zip(axes.containers, BUCKETS.names, strict=True):
            own = fractions.filter(bucket=bucket, quantity=quantity).sort("state")
            heights = [bar.get_height() for bar in bars]
            np.testing.assert_allclose(heights[:-1], own["value"])
            assert heights[-1] == pytest.approx(own["corpus_fraction"][0])
        tops = [bar.get_y() + bar.get_height() for bar in axes.containers[-1]]
        np.testing.assert_allclose(tops, 1, atol=1e-5)


def test_flips_are_drawn_beside_expected_flips(rows):
    found = flips(rows, BUCKETS)
    (axes,) = drawn(draw_flips(found))
    for bucket in found["bucket"].unique():
        own = found.filter(bucket=bucket).sort("state")
        (line,) = (line for line in axes.lines if line.get_label() == bucket)
        np.testing.assert_allclose(points(line)[1], own["value"])
        dashed = [a for a in axes.lines if a.get_linestyle() == "--" and len(a.get_xdata())]
        assert any(
            a.get_color() == line.get_color() and np.allclose(a.get_ydata(), own["expected"])
            for a in dashed
        )


def test_rank_curves_are_drawn_by_class_on_a_logarithmic_axis(rows):
    curve = rank_curve(rows, "target", ["class"], np.array([1, 5, 20]))
    panels = drawn(draw_rank_curve(curve, "class"))
    for axes, quantity in zip(panels, ("first_state", "first_state_or_last"), strict=True):
        assert axes.get_xscale() == "log"
        for line, name in zip(axes.lines, "xy", strict=True):
            own = curve.filter(pl.col("class") == name, quantity=quantity).sort("threshold")
            np.testing.assert_allclose(points(line), [own["threshold"], own["value"]])


def test_histograms_count_predictions(rows):
    (axes,) = drawn(draw_depth_histogram(rows))
    for bars, name in zip(axes.containers, ("onset", "settled"), strict=True):
        expected = [(with_depth(rows)[name] == k).mean() for k in range(4)]
        np.testing.assert_allclose([bar.get_height() for bar in bars], expected)


def test_divergence_is_drawn_by_lens_with_baselines(rows):
    means = state_means(rows)
    (axes,) = drawn(draw_divergence({"logit": means}, {"constant": 2.5}))
    own = means.filter(quantity="kl_nats").sort("state")
    np.testing.assert_allclose(points(axes.lines[0]), [own["state"], own["value"]])
    assert axes.lines[1].get_label() == "constant"
    assert set(axes.lines[1].get_ydata()) == {2.5}


def test_early_exit_is_drawn_against_blocks(rows):
    curves = {"static": static_exit(rows), "dynamic": dynamic_exit(rows, [0.2, 0.5, 0.9])}
    (axes,) = drawn(draw_early_exit(curves))
    blocks, agreement = points(axes.lines[0])
    assert blocks.tolist() == [0, 1, 2, 3]
    assert agreement[-1] == 1
    assert axes.lines[1].get_label() == "dynamic"


def test_patching_maps_have_a_cell_for_each_state_and_place():
    values = {("patch", "last", 0): 0.0, ("patch", "last", 1): 1.0}
    values |= {("patch", "name", 0): 0.9, ("patch", "name", 1): 0.1}
    values |= {("control", *key[1:]): 0.05 for key in list(values)}
    recovered = pl.DataFrame(
        [{"run": r, "place": p, "state": s, "value": v} for (r, p, s), v in values.items()]
    )
    panels = drawn(draw_patching(recovered, ["name", "last"]))
    assert [axes.get_title() for axes in panels] == ["patch", "control"]
    np.testing.assert_allclose(panels[0].images[0].get_array(), [[0.9, 0.1], [0.0, 1.0]])
    np.testing.assert_allclose(panels[1].images[0].get_array(), 0.05)


@pytest.mark.parametrize("colour", ["top1_probability", "final_rank", "kl_nats", "entropy_nats"])
def test_trajectories_show_the_top_token_of_each_state_and_position(rows, colour):
    own = rows.filter(document=2)
    texts = [f"<{i}>" for i in range(37)]
    (axes,) = drawn(draw_trajectory(own, texts, ["a"] * len(own), colour))
    cells = {tuple(map(int, text.get_position())): text.get_text() for text in axes.texts}
    for j, tokens in enumerate(own["top1"].to_list()):
        for k, token in enumerate(tokens):
            assert cells[j, k] == texts[token]
    values = axes.images[0].get_array()
    expected = own[colour].to_numpy().T
    np.testing.assert_allclose(values, np.log10(expected) if colour == "final_rank" else expected)


def test_hostile_tokens_are_drawn_as_they_are(rows):
    own = rows.filter(document=2)
    texts = ["$x^$\n \\frac{"] * 37
    (axes,) = drawn(draw_trajectory(own, texts, ["$"] * len(own)))
    assert axes.texts[0].get_text() == "$x^$\\n\u00b7\\f\u2026"


def test_trajectories_that_cannot_be_drawn_are_refused(rows):
    own, texts = rows.filter(document=2), ["a"] * 37
    with pytest.raises(InputError, match="these rows are of 6"):
        draw_trajectory(rows, texts, ["a"] * len(rows))
    with pytest.raises(InputError, match="7 rows have 2 input tokens"):
        draw_trajectory(own, texts, ["a", "b"])
    with pytest.raises(InputError, match="colour=loss; use one of top1_probability"):
        draw_trajectory(own, texts, ["a"] * 7, "loss")
