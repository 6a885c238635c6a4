"""The dashboard at W&B: its keys, its panels as they arrive, and the preview of them."""

import json

import pytest

from physlm import dashboard
from physlm.publication import publication
from physlm.record import read_record
from physlm.report.dashboard import Panel, PanelKind, lacking, published_keys, read_dashboard
from physlm.report.experiment import experiments_folder
from physlm.report.figures.dashboard import draw_dashboard
from physlm.run_directory import RunDirectory, read_curves
from tests.test_record import make_record
from tests.wandb_server import ENTITY, logged_in

BITS = "capacity/bits_per_parameter{split=train}"


@pytest.fixture
def server(monkeypatch, tmp_path):
    """A server of W&B on the loopback, at which the user is logged in."""
    monkeypatch.chdir(tmp_path)  # where W&B makes its folder
    with logged_in() as arrived:
        yield arrived


@pytest.fixture
def written(tmp_path):
    """A run of capacity with curves, as training leaves it."""
    config = {"experiment": "capacity_100x", "scale": "laptop", "data": {"exposures": 12}}
    directory = RunDirectory(tmp_path / "runs" / "abc")
    directory.path.mkdir(parents=True)
    directory.write_record(make_record(config=config))
    rows = [
        {"step": s, "train/tokens": 9.0 * s, "train/exposures": s, "train/loss_nats": 2 / s}
        for s in (1, 2, 3)
    ]
    measured = {"step": 3, "curve/tokens": 27.0, "curve/exposures": 3, f"curve/{BITS}": 1.8}
    directory.metrics.write_text("".join(json.dumps(row) + "\n" for row in [*rows, measured]))
    return directory


def test_the_dashboard_is_saved_with_its_panels_and_replaced(written, server, capsys, tmp_path):
    ledger = tmp_path / "README.md"
    ledger.write_text((experiments_folder() / "README.md").read_text())
    words = [str(written.path.parent), "--partial", "--ledger", str(ledger), "--entity", ENTITY]
    assert dashboard.main(words) == 0
    printed = capsys.readouterr()
    assert printed.err.count("note: left out panel") == 3  # this run has no questions
    url = printed.out.removeprefix("dashboard: ").strip()
    view = server.views[-1]
    assert view["entityName"] == ENTITY
    assert view["projectName"] == view["displayName"] == "physlm"
    for key in (
        "parameters.value.total",
        "capacity/bits_per_parameter{split=train}",
        "curve/exposures",
        "train/loss_nats",
    ):
        assert key in view["spec"], key
    assert "| **holds** |" in view["spec"]
    assert "](https://arxiv.org/abs/2305.13673)" in view["spec"]
    assert "README.md" not in view["spec"]
    assert dashboard.main([*words, "--view", url]) == 0
    assert server.views[-1]["id"] == view["id"]
    assert server.views[-1]["name"] == view["name"]


def test_a_key_that_no_run_has_is_named_with_its_panel():
    found = read_dashboard()
    keys = {key for panel in found.panels for key in panel.keys}
    assert lacking(found, keys) == []
    ((panel, missing),) = lacking(found, keys - {"train/exposures"})
    assert (panel.title, missing) == ("Training loss", ["train/exposures"])
    assert "Training loss" not in {p.title for p in found.without([panel]).panels}


@pytest.mark.parametrize(
    ("panel", "message"),
    [
        ({"kind": "bars", "title": "t"}, "panel 't': kind=bars needs y; name a key"),
        ({"kind": "lines", "title": "t", "y": "a"}, "panel 't': kind=lines needs x; name a key"),
        ({"kind": "pie", "title": "t"}, "kind=pie"),
        ({"kind": "bars", "title": "t", "y": "a", "log": ["z"]}, "log=\\['z'\\]"),
    ],
)
def test_panels_without_their_keys_are_refused(panel, message):
    with pytest.raises(ValueError, match=message):
        Panel(**panel)
    assert PanelKind("bars") is PanelKind.bars


def test_the_preview_draws_what_was_measured_without_login(written, tmp_path, monkeypatch, capsys):
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    runs, path = str(written.path.parent), tmp_path / "preview.png"
    assert dashboard.main([runs, "--partial", "--preview", str(path)]) == 0
    assert path.read_bytes().startswith(b"\x89PNG")
    assert dashboard.main([runs, "--partial", "--preview", "preview.txt"]) == 2
    assert "name a file that ends in .png or .svg" in capsys.readouterr().err
    record, rows = read_record(written.record), read_curves(written.metrics)
    published, found = [publication(record, written)], read_dashboard()
    missing = lacking(found, published_keys(published))
    figure = draw_dashboard(found.without(panel for panel, _ in missing), published)
    scatter, bars, loss, _ = figure.axes  # an odd panel leaves no empty axes
    point = (record.parameters["total"], record.metric(BITS).value)
    assert scatter.collections[0].get_offsets().tolist() == [pytest.approx(point)]
    assert scatter.get_xscale() == "log"
    assert [bar.get_width() for bar in bars.patches] == [pytest.approx(record.metric(BITS).value)]
    assert bars.get_yticklabels()[0].get_text() == "12"
    losses = [row["train/loss_nats"] for row in rows if "train/loss_nats" in row]
    assert loss.lines[0].get_ydata() == pytest.approx(losses)
