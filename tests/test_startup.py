"""What only composes, checks or reads loads no library that computes, and answers at once."""

import json

from tests.command_line import TINY_RUN, called
from tests.conftest import printed

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

# Runs commands, one after the other, as `python -m physlm.run` does each; after each it tells what
# the process has loaded by then, and how long the command took, start included.
COMMANDS = """
import json, resource, sys
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
used = 0.0
for words in json.loads(sys.argv[1]):
    said = StringIO()
    with redirect_stdout(said), redirect_stderr(said):
        try:
            CALL
        except SystemExit:
            pass
    now = resource.getrusage(resource.RUSAGE_SELF)
    before, used = used, now.ru_utime + now.ru_stime
    print(json.dumps([sorted(sys.modules), used - before, said.getvalue()]))
"""
MODULE = COMMANDS.replace("CALL", "sys.argv = ['physlm', *words]; from {0} import main; {1}")
RUN = MODULE.format("physlm.run", "main()")
REPRODUCE = MODULE.format("physlm.reproduce", "main(words)")
EXPLORE = MODULE.format("physlm.explore", "main(words)")
PYTHON = COMMANDS.replace(
    "CALL",
    """
            import physlm
            eval(words)
        except ValueError as error:
            print(error)""",
)


def loaded(code, commands, cwd):
    """Of each command the heavy libraries that are loaded, CPU seconds, and what was printed."""
    lines = printed(code, json.dumps(commands), cwd=cwd).splitlines()
    return [
        (HEAVY.intersection(modules), seconds, said)
        for modules, seconds, said in map(json.loads, lines)
    ]


def require_light(code, expected, cwd):
    """Each command, by its words, prints a text and answers without what computes."""
    found = loaded(code, [words for words, _ in expected], cwd)
    for (_, text), (heavy, seconds, said) in zip(expected, found, strict=True):
        assert text in said
        assert heavy == set()
        assert seconds < 5  # at most 2 on a machine that has nothing else to do


def test_what_a_process_loads_is_seen(tmp_path):
    code = COMMANDS.replace("CALL", "import polars, scipy.stats; print('done')")
    ((heavy, seconds, said),) = loaded(code, [[]], tmp_path)
    assert {"polars", "scipy"} <= heavy
    assert seconds > 0.1
    assert said == "done\n"


def test_python_answers_without_what_computes(tmp_path):
    calls = [
        ("physlm.load('nowhere')", "nowhere does not exist"),
        ("physlm.run('+experiment=capacity_1000x', n_peopel=5)", "did you mean n_people?"),
    ]
    require_light(PYTHON, calls, tmp_path)


def test_schemas_of_worlds_and_of_training_load_nothing_that_computes(tmp_path):
    code = COMMANDS.replace(
        "CALL",
        "import importlib; from physlm.registry import schemas; print(list(schemas('data')));"
        "[importlib.import_module(name) for name in words]",
    )
    require_light(code, [(LIGHT, "bios")], tmp_path)


def test_help_and_refusals_load_nothing_that_computes(tmp_path):
    commands = [
        (["--help"], "Groups (choose with group=option"),
        (["+experiment=mixed_training", "data.questions.train_fraction=2"], "train_fraction=2"),
        (
            ["+experiment=capacity_1000x", "data.n_peopel=5"],
            "unknown key data.n_peopel; did you mean data.n_people?",
        ),
        (["+experiment=cfg_learn", "data.n_strings=0"], "n_strings=0; must be at least 1"),
    ]
    require_light(RUN, commands, tmp_path)


def test_an_experiment_is_listed_and_refused_without_what_computes(tmp_path):
    commands = [
        (["--help"], "list the runs, and which are finished"),
        (["extraction", "--dry-run"], "36 runs at scale laptop"),
        (["capacity", "--only", "100x", "data.n_peopel=5"], "unknown key data.n_peopel"),
    ]
    require_light(REPRODUCE, commands, tmp_path)


def test_exploring_explains_itself_and_refuses_without_what_computes(tmp_path):
    commands = [
        (["--help"], "State k is the residual stream after k"),
        (["nowhere", "text"], "nowhere does not exist"),
    ]
    require_light(EXPLORE, commands, tmp_path)


def test_a_finished_run_is_shown_without_anything_that_computes(tmp_path):
    words = [*TINY_RUN, f"runs_dir={tmp_path}"]
    assert "finished before" not in called(*words, cwd=tmp_path, check=0).stdout
    require_light(RUN, [(words, "finished before"), (words, "bits_per_parameter")], tmp_path)


def test_finished_seeds_are_shown_without_anything_that_computes(tmp_path):
    words = [*TINY_RUN, "seeds=2", "runtime.replicas=true", f"runs_dir={tmp_path}"]
    done = called(*words, cwd=tmp_path, check=0).stdout
    assert "finished before" not in done
    require_light(RUN, [(words, "2 finished before"), (words, "histogram.png")], tmp_path)
    again = called(*words, cwd=tmp_path, check=0).stdout
    assert again.replace("2 finished before; force=true runs them again\n", "") == done
