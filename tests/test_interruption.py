"""However and whenever a run is killed, its end is the same, and it never looks like success."""

import importlib
import importlib.util
import multiprocessing
import os
import random
import signal
import subprocess
import sys
import threading
import time
from types import SimpleNamespace

import pytest
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra.errors import ConfigCompositionException

import physlm
from physlm import processes
from physlm.config import composed
from physlm.early_end import end_on_request
from physlm.errors import InterruptedRunError
from physlm.interruption import stop_requests
from physlm.record import read_record

WORDS = (
    "+experiment=capacity_100x",
    "data.n_people=60",
    "data.exposures=40",
    "model.d_model=16",
    "optim.warmup_steps=20",
    "runtime.n_threads=1",
)

# The command, which sends itself a signal as it calls a function for the n-th time.
AT_A_MOMENT = """
import importlib, os, signal, sys
module, _, name = sys.argv[1].rpartition(".")
number, n_calls = getattr(signal, sys.argv[2]), int(sys.argv[3])
from physlm.run import main
owner = importlib.import_module(module) if "#" not in module else getattr(
    importlib.import_module(module.split("#")[0]), module.split("#")[1])
function, calls = getattr(owner, name), []
def killing(*arguments, **options):
    calls.append(1)
    if len(calls) == n_calls:
        os.kill(os.getpid(), number)
    return function(*arguments, **options)
setattr(owner, name, killing)
sys.argv = ["physlm.run", *sys.argv[4:]]
main()
"""
MOMENTS = {
    "while a checkpoint is written": ("os.fsync", 4),
    "while weights are written": ("physlm.weights.save_model", 1),
    "between weights and record": ("physlm.pipeline.sha256", 1),
    "while the record is written": ("physlm.record._seal", 2),
    "while scoring": ("physlm.eval.people.capacity#CapacityConfig.measure", 1),
    "between scores and record": ("physlm.record#RunRecord.unmeasured", 3),
    "between record and figure": ("physlm.analysis.figures.draw_run", 1),
    "while a figure is drawn": ("matplotlib.figure#Figure.savefig", 1),
    "while a checkpoint is read": ("physlm.pipeline.saved_steps", 1),
    "before training": ("lightning.pytorch#Trainer.fit", 1),
}


def started(folder, *words, code=None):
    command = ["-m", "physlm.run"] if code is None else ["-c", code[0], *map(str, code[1:])]
    return subprocess.Popen(
        [sys.executable, *command, *WORDS, *words],
        cwd=folder,
        start_new_session=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def weights(folder):
    (path,) = folder.glob("runs/*/model.safetensors")
    return path.read_bytes()


def ended(folder, process):
    """Wait for it; an interruption is one line and status 130, success has its record."""
    _, told = process.communicate(timeout=200)
    records = list(folder.glob("runs/*/record.json"))
    if process.returncode == 0:
        assert read_record(records[0]).status == "finished"
    elif process.returncode == 130:
        assert told.startswith("interrupted: ")
        assert told.count("\n") == 1
        assert len(told) < 300
    else:
        assert process.returncode in {-signal.SIGKILL, -signal.SIGTERM}, told
    return process.returncode


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The run that nobody interrupts: its weights, its metrics, and how long it takes to train."""
    folder = tmp_path_factory.mktemp("whole")
    assert ended(folder, started(folder)) == 0
    (path,) = folder.glob("runs/*/record.json")
    seconds = path.stat().st_mtime - path.with_name("config.yaml").stat().st_mtime
    return weights(folder), read_record(path).metrics, seconds


def wait_for_training(folder, process):
    """Until it has written its configuration down, which it does before the first step."""
    began = time.time()
    while process.poll() is None:
        if any(path.stat().st_mtime > began for path in folder.glob("runs/*/config.yaml")):
            return
        time.sleep(0.005)


def finish_and_compare(folder, whole):
    assert ended(folder, started(folder)) == 0
    assert weights(folder) == whole[0]
    (path,) = folder.glob("runs/*/record.json")
    assert read_record(path).metrics == whole[1]
    assert path.with_name("figure.png").stat().st_size > 1000
    assert not list(path.parent.glob(".*.tmp")) or not path.with_name("last.ckpt").exists()


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_a_run_killed_at_20_random_moments_ends_bit_for_bit(whole, tmp_path):
    moments, endings = random.Random(0), []
    signals = (signal.SIGTERM, signal.SIGINT, signal.SIGKILL)
    for i in range(20):
        folder = tmp_path / str(i // 2)
        folder.mkdir(exist_ok=True)
        process = started(folder, "runtime.checkpoint_seconds=0", "runtime.steps_per_chunk=4")
        wait_for_training(folder, process)
        time.sleep(moments.uniform(0, 0.9 if i % 2 == 0 else 0.4) * whole[2])
        if process.poll() is None:
            os.killpg(process.pid, signals[i % 3])
        endings.append(ended(folder, process))
        if i % 2 == 1:
            finish_and_compare(folder, whole)
    assert endings.count(130) + endings.count(-signal.SIGKILL) > 10


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT", "SIGKILL"])
def test_a_run_killed_at_a_bad_moment_ends_bit_for_bit(whole, tmp_path, moment, name):
    where, n_calls = MOMENTS[moment]
    words = ("runtime.checkpoint_seconds=0", "runtime.steps_per_chunk=16")
    process = started(tmp_path, *words, code=(AT_A_MOMENT, where, name, n_calls))
    assert ended(tmp_path, process) == (-signal.SIGKILL if name == "SIGKILL" else 130)
    finish_and_compare(tmp_path, whole)


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("seconds", [0.5, 4, 12])
def test_ctrl_c_while_compiling_is_one_line(tmp_path, seconds):
    """The terminal sends it to the compiler, too, which has a lot to say about its end."""
    process = started(tmp_path, "runtime.compile=true", code=(FRESH_CACHE, tmp_path / "cache"))
    while not subprocess.run(
        ["pgrep", "-s", str(process.pid), "cc1plus"], check=False, capture_output=True
    ).stdout:
        assert process.poll() is None
        time.sleep(0.05)
    time.sleep(seconds)
    os.killpg(process.pid, signal.SIGINT)
    assert ended(tmp_path, process) == 130


FRESH_CACHE = """
import os, sys
os.environ["TORCHINDUCTOR_CACHE_DIR"] = sys.argv.pop(1)
from physlm.run import main
main()
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_request_to_stop_is_one_error_whatever_a_library_makes_of_it(number):
    def leave_with_success():
        os.kill(os.getpid(), number)
        sys.exit(0)

    def drown_it_in_text():
        os.kill(os.getpid(), number)
        raise RuntimeError("g++ " * 10_000)

    for library in (leave_with_success, drown_it_in_text):
        with pytest.raises(InterruptedRunError, match="^asked to stop"), stop_requests():
            library()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_outside_training_a_request_stops_at_once_and_in_it_the_second(number):
    before, reached = signal.getsignal(number), []

    def stop(at_once):
        with stop_requests(at_once=at_once) as stop:
            os.kill(os.getpid(), number)
            reached.append(stop.was_requested)
            os.kill(os.getpid(), number)
            reached.append("second")

    for at_once in (True, False):
        with pytest.raises(InterruptedRunError):
            stop(at_once)
    assert reached == [True]
    assert signal.getsignal(number) is before


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_command_that_has_begun_nothing_ends_in_one_line(number, capsys):
    before = {one: signal.getsignal(one) for one in (signal.SIGTERM, signal.SIGINT)}
    try:
        end_on_request()
        with pytest.raises(SystemExit) as ended:
            os.kill(os.getpid(), number)
        assert signal.getsignal(number) is signal.SIG_IGN  # a second one does not interrupt the end
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)
    assert ended.value.code == 130
    assert capsys.readouterr().err == (
        "interrupted: asked to stop; run the same command to resume\n"
    )


def load_configuration():
    """As the function of Hydra that composes."""
    os.kill(os.getpid(), signal.SIGTERM)


def import_a_module():
    importlib.import_module("stopping")


@pytest.mark.parametrize("what", [load_configuration, import_a_module])
def test_what_might_make_another_error_of_a_request_is_left_at_once(what, tmp_path, monkeypatch):
    (tmp_path / "stopping.py").write_text("import os\nos.kill(os.getpid(), 15)\n")
    monkeypatch.syspath_prepend(tmp_path)
    left = []
    monkeypatch.setattr(os, "_exit", left.append)
    before = {one: signal.getsignal(one) for one in (signal.SIGTERM, signal.SIGINT)}
    try:
        end_on_request()
        with pytest.raises(SystemExit):
            what()
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)
    assert left == [130]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_request_in_a_finaliser_is_not_lost(number):
    """Python prints and drops an error that is raised there."""

    class Closed:
        def __del__(self):
            os.kill(os.getpid(), number)

    reached = []

    @stop_requests(at_once=True)
    def train():
        Closed()
        time.sleep(10)
        reached.append(1)

    with pytest.raises(InterruptedRunError):
        train()
    assert reached == []


@pytest.mark.parametrize(("name", "is_ours"), [("-m", True), ("a/physlm", True), ("b.py", False)])
def test_only_our_commands_answer_requests_from_their_first_line_on(name, is_ours, monkeypatch):
    began = []
    monkeypatch.setattr("physlm.early_end.end_on_request", lambda: began.append(1))
    monkeypatch.setattr(sys, "argv", [name])
    spec = importlib.util.spec_from_file_location("again", physlm.__file__)
    spec.loader.exec_module(importlib.util.module_from_spec(spec))
    assert bool(began) == is_ours


def test_a_request_that_hydra_wraps_stays_one(monkeypatch):
    def compose(*_, **__):
        try:
            sys.exit(130)
        except SystemExit as error:
            raise ConfigCompositionException from error

    monkeypatch.setattr(ConfigLoaderImpl, "load_configuration", compose)
    with pytest.raises(SystemExit):
        composed(("seed=12345",))


def test_a_process_of_a_sweep_is_asked_to_stop_when_the_first_one_has_ended(monkeypatch):
    reader, writer = os.pipe()
    monkeypatch.setattr(multiprocessing, "parent_process", lambda: SimpleNamespace(sentinel=reader))

    @stop_requests(at_once=True)
    def train():
        threading.Thread(target=processes._end_with_parent, daemon=True).start()
        time.sleep(0.05)  # it waits as long as the first process lives
        os.close(writer)
        time.sleep(10)

    with pytest.raises(InterruptedRunError):
        train()
