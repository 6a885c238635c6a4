from pathlib import Path

from physlm.analysis.figures import draw_histograms, draw_learning_curve, draw_run
from physlm.drawing import undrawn
from physlm.measurement import Metric
from physlm.run_directory import RunDirectory
from tests.test_record import make_record

CURVES = [
    {"step": s, "train/loss_nats": 1 / (s + 1), "train/tokens": 100.0 * s, "train/exposures": s}
    for s in range(5)
]


def test_a_run_is_drawn_as_png(tmp_path):
    draw_run(make_record(), CURVES, tmp_path / "figure.png")
    assert (tmp_path / "figure.png").read_bytes().startswith(b"\x89PNG")


def test_a_run_without_published_numbers_or_curves_is_drawn(tmp_path):
    draw_run(make_record(published={}), [], tmp_path / "figure.svg")
    assert "<svg" in (tmp_path / "figure.svg").read_text()


def test_a_run_that_only_measures_gets_no_figure_of_a_training_loss(tmp_path):
    record, directory = make_record(published={}, scorers=[]), RunDirectory(tmp_path)
    directory.metrics.write_text('{"step": 0, "loss/bits_per_token": 1.0}\n')
    assert undrawn({}, record, directory) == []
    directory.metrics.write_text('{"step": 0, "train/loss_nats": 1.0}\n')
    assert undrawn({}, record, directory) == ["figure"]


def test_only_capacity_has_an_upper_bound_and_every_metric_an_axis(monkeypatch):
    figures = []
    monkeypatch.setattr("physlm.analysis.figures.save_figure", lambda f, _: figures.append(f))
    metrics = [
        Metric(name=n, value=v, unit="", n=2, dims=dims)
        for n, v, dims in (
            ("cfg/accuracy", 0.9, {}),
            ("cfg/kl_nats", 0.1, {}),
            ("capacity/bits_per_parameter", 1.9, {"split": "train"}),
            ("capacity/maximum_bits_per_parameter", 2.4, {}),
        )
    ]
    published = {
        "cfg/accuracy": 1.0,
        "cfg/kl_nats": 0.0,
        "capacity/bits_per_parameter{split=train}": 2.0,
    }
    draw_run(make_record(metrics=tuple(metrics), published=published), CURVES, Path("none"))
    _, *panels = figures[0].axes
    labels = [{line.get_label() for line in axes.lines} for axes in panels]
    assert [("maximum in this world" in found) for found in labels] == [False, False, True]
    assert panels[2].lines[-1].get_xdata()[0] == 2.4


def test_a_published_number_is_drawn_with_the_changes_of_the_run(monkeypatch):
    figures = []
    monkeypatch.setattr("physlm.analysis.figures.save_figure", lambda f, _: figures.append(f))
    changes = [{}, {"data.n_people": "20 (1000)"}, None]
    config = {"seed": 0, "optim": {"learning_rate": 0.1}}
    for changed in changes:
        record = make_record(changed=changed, config=config)
        draw_run(record, CURVES, Path("none"))
        draw_histograms([record, record], Path("none"))
    draw_run(make_record(changed=changes[1], published={}), CURVES, Path("none"))
    told = [figure.get_supxlabel() for figure in figures]
    listed = "changed from the experiment: data.n_people=20 (1000)"
    assert told[:4] == ["", "", listed, listed]
    assert all(text.startswith("it is not known") for text in told[4:6])
    assert told[6] == ""


def test_figures_are_reproducible_to_the_byte(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        draw_run(make_record(), CURVES, tmp_path / name / "figure.svg")
    first, second = ((tmp_path / name / "figure.svg").read_bytes() for name in ("a", "b"))
    assert first == second


def test_learning_curves_are_drawn_if_anything_was_measured(tmp_path):
    valid, kl = "curve/cfg/accuracy{prefix=0,split=test}", "curve/cfg/kl_nats{split=test}"
    rows = [
        {"step": s, valid: s / 5, kl: 0.1 / (s + 1), "curve/tokens": 100.0 * s} for s in range(5)
    ]
    bits = [{"step": 9, "curve/capacity/bits{split=train}": -1.0, "curve/tokens": 900.0}]
    draw_learning_curve(make_record(), [*CURVES, *rows, *bits], tmp_path / "curve.png")
    assert (tmp_path / "curve.png").exists()
    draw_learning_curve(make_record(), CURVES, tmp_path / "none.png")
    assert not (tmp_path / "none.png").exists()
