import gzip
import json

from physlm.run_directory import RunDirectory
from physlm.train.profile import Profile
from tests.train.training import train


def breakdown(folder):
    lines = RunDirectory(folder).path.joinpath("profile.txt").read_text().splitlines()
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in lines if "│" in line]
    return {row[0]: row[1:] for row in rows}


def test_a_profile_names_every_part_of_a_step(biod, tmp_path, capsys):
    train(biod, tmp_path, is_profiled=True, runtime={"steps_per_chunk": 3})
    parts = breakdown(tmp_path)
    named = ("forward", "backward", "optimizer", "logging", "loop", "waiting for data")
    shares = [float(parts[name][1].rstrip("%")) for name in named]
    assert abs(sum(shares) - 100) < 1
    assert min(shares[:4]) > 0
    assert "data, rendered meanwhile" in parts
    assert any(name.startswith("aten::") for name in parts)
    with gzip.open(tmp_path / "trace.json.gz") as file:
        names = {event.get("name") for event in json.load(file)["traceEvents"]}
    assert {"forward", "backward", "optimizer"} <= names
    assert "forward" in capsys.readouterr().err


def test_profiling_changes_no_result(biod, tmp_path):
    _, _, profiled = train(biod, tmp_path / "a", is_profiled=True)
    _, _, plain = train(biod, tmp_path / "b")
    assert [row["train/loss_nats"] for row in profiled] == [row["train/loss_nats"] for row in plain]


def test_training_that_is_too_short_to_profile_says_so(biod, tmp_path, capsys):
    train(biod, tmp_path, is_profiled=True, runtime={"steps_per_chunk": 1000})
    assert "lower runtime.steps_per_chunk" in capsys.readouterr().err
    assert not Profile(tmp_path).breakdown.exists()
