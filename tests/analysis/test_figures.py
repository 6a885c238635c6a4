from physlm.analysis.figures import draw_run
from tests.test_record import make_record

CURVES = [{"step": s, "train/loss_nats": 1 / (s + 1), "train/exposures": s} for s in range(5)]


def test_a_run_is_drawn_as_png(tmp_path):
    draw_run(make_record(), CURVES, tmp_path / "figure.png")
    assert (tmp_path / "figure.png").read_bytes().startswith(b"\x89PNG")


def test_a_run_without_published_numbers_or_curves_is_drawn_too(tmp_path):
    draw_run(make_record(published={}), [], tmp_path / "figure.svg")
    assert "<svg" in (tmp_path / "figure.svg").read_text()
