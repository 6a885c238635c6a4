"""What only composes, checks or reads loads no library that computes, and answers at once."""

import json
import subprocess
import sys

import pytest

from tests.command_line import TINY_RUN, called

HEAVY = {
    "torch",
    "lightning",
    "numba",
    "nltk",
    "scipy",
    "matplotlib",
    "sklearn",
    "transformers",
    "polars",
    "pyarrow",
    "pandas",
    "wandb",
}

# Of ours, all that is read before a run begins.
LIGHT = [
    "physlm",
    "physlm.registry",
    "physlm.record",
    "physlm.messages",
    "physlm.science",
    "physlm.run_id",
    "physlm.train.runtime",
    "physlm.train.trainer",
    "physlm.train.schedule",
    "physlm.train.logger",
]

# Runs a command as `python -m physlm.run` does, then tells what it loaded and how long it took.
COMMAND = """
import json, resource, sys
from physlm.run import main
try:
    main()
finally:
    used = resource.getrusage(resource.RUSAGE_SELF)
    told = {"modules": sorted(sys.modules), "seconds": used.ru_utime + used.ru_stime}
    print(json.dumps(told), file=sys.__stderr__)
"""


PYTHON = COMMAND.replace(
    "from physlm.run import main",
    """import physlm
def main():
    try:
        eval(sys.argv[1])
    except ValueError as error:
        print(error)
""",
)
REPRODUCE = COMMAND.replace("physlm.run", "physlm.reproduce")
EXPLORE = COMMAND.replace("physlm.run", "physlm.explore")


def loaded(code, *words, cwd=None):
    """The heavy libraries that a process loaded, its CPU seconds, and what it printed."""
    done = subprocess.run(
        [sys.executable, "-c", code, *words],
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
        cwd=cwd,
    )
    *_, last = done.stderr.splitlines()
    told = json.loads(last)
    return HEAVY.intersection(told["modules"]), told["seconds"], done.stdout + done.stderr


def test_what_a_process_loads_is_seen():
    code = COMMAND.replace("main()", "import polars, scipy.stats")
    assert {"polars", "scipy"} <= loaded(code)[0]


@pytest.mark.parametrize(
    ("call", "said"),
    [
        ("physlm.load('nowhere')", "nowhere does not exist"),
        ("physlm.run('+experiment=capacity_1000x', n_peopel=5)", "did you mean n_people?"),
    ],
)
def test_python_answers_without_what_computes(call, said, tmp_path):
    heavy, seconds, printed = loaded(PYTHON, call, cwd=tmp_path)
    assert said in printed
    assert heavy == set()
    assert seconds < 5  # at most 2 on a machine that has nothing else to do


def test_schemas_of_worlds_and_of_training_load_nothing_that_computes():
    code = (
        "import importlib, json, sys; from physlm.registry import schemas;"
        "schemas('data'); [importlib.import_module(name) for name in sys.argv[1:]];"
        "print(json.dumps({'modules': sorted(sys.modules), 'seconds': 0}), file=sys.stderr)"
    )
    assert loaded(code, *LIGHT)[0] == set()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--help"], "Groups (choose with group=option"),
        (["+experiment=mixed_training", "data.questions.train_fraction=2"], "train_fraction=2"),
        pytest.param(
            ["+experiment=capacity_1000x", "data.n_peopel=5"],
            "unknown key data.n_peopel; did you mean data.n_people?",
            marks=pytest.mark.slow,
        ),
        pytest.param(
            ["+experiment=cfg_learn", "data.n_strings=0"],
            "n_strings=0; must be at least 1",
            marks=pytest.mark.slow,
        ),
    ],
)
def test_help_and_refusals_load_nothing_that_computes(words, said):
    heavy, seconds, printed = loaded(COMMAND, *words)
    assert said in printed
    assert heavy == set()
    assert seconds < 5  # at most 2 on a machine that has nothing else to do


@pytest.mark.parametrize(
    ("words", "said"),
    [
        pytest.param(["--help"], "as of physlm.run", marks=pytest.mark.slow),
        (["extraction", "--dry-run"], "36 runs at scale laptop"),
        pytest.param(
            ["capacity", "--only", "100x", "data.n_peopel=5"],
            "unknown key data.n_peopel",
            marks=pytest.mark.slow,
        ),
    ],
)
def test_an_experiment_is_listed_and_refused_without_what_computes(words, said, tmp_path):
    heavy, seconds, printed = loaded(REPRODUCE, *words, cwd=tmp_path)
    assert said in printed
    assert heavy == set()
    assert seconds < 5  # at most 2 on a machine that has nothing else to do


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--help"], "State k is the residual stream after k"),
        (["nowhere", "text"], "nowhere does not exist"),
    ],
)
def test_exploring_explains_itself_and_refuses_without_what_computes(words, said, tmp_path):
    heavy, seconds, printed = loaded(EXPLORE, *words, cwd=tmp_path)
    assert said in printed
    assert heavy == set()
    assert seconds < 5  # at most 2 on a machine that has nothing else to do


def test_a_finished_run_is_shown_without_anything_that_computes(tmp_path):
    words = [*TINY_RUN, f"runs_dir={tmp_path}"]
    assert "finished before" not in called(*words, cwd=tmp_path, check=0).stdout
    heavy, seconds, printed = loaded(COMMAND, *words)
    assert "finished before" in printed
    assert "bits_per_parameter" in printed
    assert heavy == set()
    assert seconds < 5  # at most 2 on a machine that has nothing else to do
