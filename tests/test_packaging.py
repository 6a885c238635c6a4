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


def test_the_wheel_runs_an_experiment_from_another_folder(installed, tmp_path):
    environment = os.environ | {"PYTHONPATH": str(installed)}
    words = [
        "+experiment=capacity_100x",
        "data.n_people=40",
        "data.exposures=2",
        "optim.warmup_steps=2",
    ]
    done = subprocess.run(
        [sys.executable, "-m", "physlm.run", *words],
        cwd=tmp_path, env=environment, capture_output=True, text=True, check=True,
    )  # fmt: skip
    path = tmp_path / done.stdout.splitlines()[-1].removeprefix("record: ")
    assert path.is_file()
    where = subprocess.run(
        [sys.executable, "-c", "import physlm; print(physlm.__file__)"],
        cwd=tmp_path, env=environment, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert Path(where.stdout.strip()).is_relative_to(installed)


def test_the_wheel_holds_configuration_sweeps_pools_and_templates(installed):
    for name in ("conf/config.yaml", "conf/experiment/capacity_1000x.yaml", "conf/model.yaml",
                 "sweeps/capacity_scaling.yaml", "data/bio/pools/majors.txt",
                 "data/bio/templates/major.txt", "data/cfg/grammars/cfg3f.txt"):  # fmt: skip
        assert (installed / "physlm" / name).is_file(), name
