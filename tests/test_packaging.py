"""The wheel, away from the checkout."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """The wheel's content in a folder of its own, which comes before the checkout."""
    wheels, site = tmp_path_factory.mktemp("wheels"), tmp_path_factory.mktemp("site")
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    build = ["wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(wheels), str(ROOT)]
    subprocess.run([*pip, *build], check=True)
    (wheel,) = wheels.glob("*.whl")
    subprocess.run([*pip, "install", "--no-deps", "--target", str(site), str(wheel)], check=True)
    return site


def run(installed, folder, *words):
    """The status and what a command of the wheel says, which is not the checkout's."""
    code = "import physlm.run; print(physlm.__file__); physlm.run.main()"
    done = subprocess.run(
        [sys.executable, "-c", code, *words],
        cwd=folder,
        capture_output=True,
        env=os.environ | {"PYTHONPATH": str(installed)},
        text=True,
        check=False,
    )
    where, *lines = done.stdout.splitlines()
    assert Path(where).is_relative_to(installed)
    return done.returncode, lines, done.stderr


def test_the_wheel_composes_an_experiment_from_another_folder(installed, tmp_path):
    status, lines, _ = run(installed, tmp_path, "+experiment=capacity_100x", "--cfg", "job")
    assert status == 0
    assert "experiment: capacity_100x" in lines


@pytest.mark.slow
def test_the_wheel_runs_an_experiment_from_another_folder(installed, tmp_path):
    words = [
        "+experiment=capacity_100x",
        "data.n_people=40",
        "data.exposures=2",
        "optim.warmup_steps=2",
    ]
    status, lines, errors = run(installed, tmp_path, *words)
    assert status == 0, errors
    assert (tmp_path / lines[-1].removeprefix("record: ")).is_file()


def test_the_wheel_holds_configuration_sweeps_pools_templates_and_a_command(installed):
    assert (installed / "bin" / "physlm").is_file()
    for name in (
        "conf/config.yaml",
        "conf/experiment/capacity_1000x.yaml",
        "conf/model.yaml",
        "py.typed",
        "sweeps/capacity_scaling.yaml",
        "data/people/pools/majors.txt",
        "report/page/page.html",
        "report/page/plot.js",
        "report/planner/law.yaml",
        "data/people/templates/major.txt",
        "data/cfg/grammars/cfg3f.txt",
    ):
        assert (installed / "physlm" / name).is_file(), name
