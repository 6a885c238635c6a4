"""The benchmarks' own measures; the figures are for `make bench`."""

import json
import random
import re
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks import __main__ as command
from benchmarks import contenders, gpu, lenses, replicas, spectra, tasks, training
from benchmarks.loop import _ours, _plain
from benchmarks.memory import peak_mebibytes
from benchmarks.plain_igsm import plain_igsm
from benchmarks.shapes import ON_GPU, Shape
from benchmarks.timing import DEVICE, Row, Speed, race
from physlm.analysis.lenses import LogitLens
from physlm.analysis.lenses.divergence import kl_to_final
from physlm.analysis.lenses.state_pool import StatePool, Windows
from physlm.analysis.spectra import spectral_metrics
from physlm.analysis.spectra.maps import combined_heads
from physlm.data.people.bios import BiosConfig
from physlm.data.tasks.brevo import Brevo
from physlm.data.tasks.copy import Copy
from physlm.data.tasks.depo import Depo
from physlm.data.tasks.igsm import Igsm
from physlm.data.tasks.mano import Mano
from tests.command_line import TINY_RUN
from tests.conftest import printed

TINY = Shape("tiny", 1, 16, 2, 32, 8, 4, 4)
SCRIPT = Path(gpu.__file__).with_name("gpu.sh")
PLAN = re.findall(r"^(\d+) (\S+) +\S", SCRIPT.read_text(), re.MULTILINE)


def test_a_ratio_above_one_is_in_our_favour():
    assert Row("w", "s", "p", 30.0, 10.0, "tokens/s").ratio == 3
    assert Row("w", "s", "p", 10.0, 30.0, "MiB", is_cost=True).ratio == 3


def test_a_race_finds_the_faster_one():
    def sleeper(seconds):
        def run():
            time.sleep(seconds)
            return 10

        return run

    speeds = race(3, slow=sleeper(0.02), fast=sleeper(0.005))
    assert speeds["slow"].median < speeds["fast"].median < 2000
    assert speeds["slow"].median < 500


def test_peak_memory_is_what_is_held_at_once():
    def step():
        for _ in range(3):
            a = torch.zeros(2**20)  # 4 MiB
            b = a + 1
            del a, b
        return 1

    assert peak_mebibytes(step) == pytest.approx(8, abs=0.5)


@pytest.mark.filterwarnings("ignore")  # of Lightning's defaults
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_every_contender_takes_its_steps(precision, monkeypatch):
    monkeypatch.setattr(contenders, "DEVICE", "cpu")
    makers = {"ours": contenders.ours} | contenders.others() | contenders.own_loops()
    for maker in makers.values():
        with maker(TINY, contenders.Mode(precision)) as turn:
            assert turn() % TINY.n_tokens == 0


@pytest.mark.parametrize(
    "name", ["nano_gpt", "zoology", "_transformers_gpt2", "_transformers_llama"]
)
def test_others_have_about_as_many_parameters(name):
    shape = Shape("a", 2, 96, 4, 64, 16, 4, 1)
    theirs, ours = getattr(contenders, name)(shape), shape.model()
    assert n_parameters(theirs) == pytest.approx(n_parameters(ours), rel=0.03)


@pytest.mark.parametrize("name", ["nano_gpt", "zoology"])
def test_plain_architectures_compute_what_gpt2_does(name):
    """With the same weights as the model of transformers, which has GELU in its exact form too."""
    import transformers

    shape = Shape("a", 2, 32, 4, 64, 16, 4, 1)
    config = transformers.GPT2Config(
        vocab_size=64, n_positions=16, n_embd=32, n_layer=2, n_head=4, activation_function="gelu"
    )
    theirs = transformers.GPT2LMHeadModel(config).eval()
    plain = getattr(contenders, name)(shape)
    with torch.no_grad():
        for own, other in zip(in_gpt2_order(plain), theirs.parameters(), strict=True):
            # GPT-2 keeps the matrices of its blocks transposed.
            own.copy_(other.T if own.shape != other.shape or is_in_block(other, theirs) else other)
    tokens = torch.randint(64, (3, 16))
    torch.testing.assert_close(plain(tokens), theirs(tokens).logits, rtol=1e-4, atol=1e-5)


def n_parameters(model):
    return sum(p.numel() for p in model.parameters())


def in_gpt2_order(plain):
    yield plain.tokens.weight
    yield plain.positions.weight
    for block in plain.blocks:
        parts = (block.attention_norm, block.qkv, block.out)
        for module in (*parts, block.mlp_norm, block.mlp[0], block.mlp[2]):
            yield module.weight
            yield module.bias
    yield plain.norm.weight
    yield plain.norm.bias


def is_in_block(parameter, theirs):
    own = {id(p) for p in theirs.transformer.h.parameters() if p.dim() == 2}
    return id(parameter) in own


def test_the_recipe_of_tuned_lens_lowers_the_divergence_of_every_state():
    corpus = BiosConfig(n_people=20, exposures=1000, pool_size=5).build(0)
    model = lenses.llama(corpus.vocabulary.size, n_layers=2, d_model=32)
    lenses.train(model, lenses.windows(corpus, 0), n_steps=5)
    held_out = Windows(lenses.first(lenses.windows(corpus, 500), 16))
    (states,) = StatePool(model, held_out, skip_first=1, seed=0)
    fitted = lenses.recipe(model, lenses.windows(corpus, 100), 10)
    before, after = (kl_to_final(lens, states).mean(1) for lens in (LogitLens(model), fitted))
    assert (after[:-1] < before[:-1]).all()


def test_the_spectral_metrics_by_hand_are_those_of_physlm():
    given = spectra.text(40, n_layers=2, n_heads=3)
    ours = spectral_metrics(combined_heads(given.attention, "mean"), given.residual)
    for i, (maps, x) in enumerate(zip(given.attention, given.residual, strict=True)):
        a = maps.mean(0).double().numpy()
        theirs = spectra.metrics_by_hand(a, (a + a.T) / 2, x.numpy())
        assert set(theirs) == set(ours)
        assert {name: float(ours[name][i]) for name in ours} == pytest.approx(
            theirs, rel=5e-4, abs=1e-5
        )


@pytest.mark.slow
def test_loops_are_timed_per_step():
    assert 10 < _plain() < 1e4
    assert 10 < _ours() < 1e4


@pytest.mark.parametrize(
    ("task", "plain"),
    [
        pytest.param(Depo(n_max=20), tasks.plain_depo, marks=pytest.mark.slow),
        pytest.param(Brevo(n_max=15), tasks.plain_brevo, marks=pytest.mark.slow),
        pytest.param(Mano(), tasks.plain_mano, marks=pytest.mark.slow),
        (Copy(n_copied=9), tasks.plain_copy),
        pytest.param(Igsm(op_max=8, ip_max=14), plain_igsm, marks=pytest.mark.slow),
    ],
)
def test_documents_in_plain_python_have_the_lengths_of_ours(task, plain):
    rng, n = random.Random(0), 1000
    lengths = [len(plain(task, rng)) for _ in range(n)]
    ours = np.diff(task.numbered(0, 0, n, {}).starts)
    error = np.hypot(np.std(lengths), ours.std()) / n**0.5
    assert np.mean(lengths) == pytest.approx(ours.mean(), abs=4 * error)


def test_arithmetic_of_a_step_is_that_of_each_matrix_product():
    """Of two matrices, m x k and k x n: 2 m k n; a backward pass has two products for each."""
    layers, d, vocabulary, length, batch = 2, 128, 4096, 512, 8
    one_text = layers * (
        3 * 2 * length * d * d  # queries, keys, values
        + 2 * 2 * length * length * d  # scores and sums, without the mask
        + 2 * length * d * d  # output
        + 2 * 2 * length * d * 4 * d  # MLP
    )
    one_text += 2 * length * d * vocabulary
    (shape,) = [shape for shape in ON_GPU if shape.name.startswith("a:")]
    assert shape.operations() == 3 * batch * one_text
    seconds = 0.01
    speed = Speed(batch * length / seconds, 0.0)
    assert training.arithmetic(shape, speed) == pytest.approx(3 * batch * one_text / seconds / 1e9)


def test_the_ratio_of_a_steps_arithmetic_is_its_model_flop_utilisation(monkeypatch):
    """Half of the ceiling, if matrix products alone would take half of the time."""
    monkeypatch.setattr(gpu, "ceiling", lambda _: 800.0)  # of a device, in GFLOP/s
    tokens = 400e9 / (TINY.operations() / TINY.n_tokens)
    assert gpu.utilisation(TINY, Speed(tokens, 0.0)).ratio == pytest.approx(0.5)


def test_without_a_gpu_the_script_ends_with_one_line(monkeypatch, capfd):
    if DEVICE == "cuda":
        pytest.skip("there is a GPU")
    monkeypatch.setattr("sys.argv", ["benchmarks", "gpu_ceiling"])
    with pytest.raises(SystemExit) as ended:
        command.main()
    out, error = capfd.readouterr()
    assert (ended.value.code, out) == (2, "")
    assert re.fullmatch(r"error: no GPU: torch.cuda.is_available\(\) is false; .*\n", error)
    assert not (SCRIPT.parent / "out" / "gpu.json").exists()


# As `python -m benchmarks` on a GPU, where one part fails, another hangs and the rest measure.
STAND_IN = """#!/bin/bash
echo "${@:3}" >> "$CALLS"
case "${@: -1}" in
    gpu_ceiling) echo "{}" > "$4" ;;
    gpu_a) echo "Traceback" >&2; echo "RuntimeError: out of memory" >&2; exit 1 ;;
    gpu_b) exec sleep 300 ;;
    --show) echo "the table" ;;
esac
"""


@pytest.fixture(scope="module")
def on_a_gpu(tmp_path_factory):
    """The script in a folder of its own, with a limit of 1 s for the part that hangs."""
    tmp_path = tmp_path_factory.mktemp("gpu")
    (tmp_path / "benchmarks" / "out").mkdir(parents=True)
    script = SCRIPT.read_text().replace("45 gpu_b", "1 gpu_b")
    (tmp_path / "benchmarks" / "gpu.sh").write_text(script)
    (tmp_path / "python").write_text(STAND_IN)
    (tmp_path / "python").chmod(0o755)
    done = subprocess.run(
        ["bash", "benchmarks/gpu.sh"],
        cwd=tmp_path,
        env={
            "PATH": "/usr/bin:/bin",
            "PYTHON": str(tmp_path / "python"),
            "CALLS": str(tmp_path / "calls"),
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    calls = (tmp_path / "calls").read_text().splitlines()
    return done, [call.split()[-1] for call in calls]


def test_a_part_that_fails_or_hangs_leaves_the_others_their_time(on_a_gpu):
    done, calls = on_a_gpu
    assert calls == ["gpu_ceiling", *(part for _, part in PLAN), "--show"]
    assert done.stdout.splitlines()[-1] == "the table"
    assert done.stderr.splitlines() == [
        "   status 1: RuntimeError: out of memory; the table has its rows so far",
        "   not finished after 1 s; the table has its rows so far",
    ]
    assert done.returncode == 1


def test_the_script_says_at_first_what_takes_how_long(on_a_gpu):
    lines = on_a_gpu[0].stdout.splitlines()
    assert "at most eight" in lines[0]
    assert [line.split()[1] for line in lines[2 : 2 + len(PLAN)]] == [part for _, part in PLAN]
    kill, check, table = 2, 45, 15
    assert sum(int(seconds) + kill for seconds, _ in PLAN) + check + table <= 8 * 60


def test_every_part_of_the_script_is_one_and_every_shape_is_measured():
    parts = [part for _, part in PLAN]
    assert set(parts) <= {*command._PARTS, *command._GPU_PARTS}
    assert {f"gpu_{shape.name.partition(':')[0]}" for shape in ON_GPU} <= set(parts)
    for part in (part for part in command._GPU_PARTS if part != "gpu_ceiling"):
        assert part in parts


def test_rows_of_a_file_are_shown_as_they_were_measured(tmp_path, monkeypatch, capsys):
    path = tmp_path / "gpu.json"
    first, again = (
        Row("training step", "a", "eager", speed, 20.0, "tokens/s", (0.1, 0.2))
        for speed in (3.0, 5000.0)
    )
    other = Row("arithmetic", "a", "matrix product, bf16", 300.0, 600.0, "GFLOP/s")
    for rows in ([first], [again, other]):
        command._write(path, rows)
    monkeypatch.setattr("sys.argv", ["benchmarks", "--show", "--output", str(path)])
    command.main()
    lines = [re.split(r"\s*│\s*", line) for line in capsys.readouterr().out.splitlines()]
    rows = [line[1:-1] for line in lines if len(line) > 2]
    assert rows == [
        ["training step", "a", "eager", "5,000", "20", "tokens/s", "250.00"],
        ["arithmetic", "a", "matrix product, bf16", "300", "600", "GFLOP/s", "0.50"],
    ]


def test_a_capacity_run_that_is_cut_short_has_its_speed():
    (row,) = gpu.capacity_rows((*TINY_RUN, "runtime.compile=false"), exposures=3)
    assert row.shape == "first 3 of 1000 exposures"
    assert row.ours > 0
    assert 3600 * row.theirs == pytest.approx(1000 * 24 * 22)  # tokens of 24 biographies


@pytest.mark.slow
def test_a_small_run_is_repeated_one_after_the_other_and_as_replicas():
    rows = replicas.rows_of((*TINY_RUN, "runtime.compile=false"), n_serial=1, n_together=2)
    assert all(row.ours > 0 < row.theirs for row in rows)
    assert rows[0].work == "2 seeds of a small run: replicas in one program"


# Shape checks of these tests cannot be compiled.
STEP = """
import json
from benchmarks import contenders, gpu, training
from benchmarks.shapes import Shape
contenders.DEVICE = training.DEVICE = "cpu"
rows = gpu.step_rows(Shape("tiny", 1, 16, 2, 32, 8, 4, 4))
print(json.dumps([row.as_dict() for row in rows]))
"""


@pytest.mark.slow
def test_a_step_is_measured_compiled_and_eagerly():
    graph, use = json.loads(printed(STEP).splitlines()[-1])
    assert (graph["work"], graph["peer"]) == ("training step (bf16, CUDA graph)", "eager")
    assert graph["ours"] > 0 < graph["theirs"]
    assert use["ours"] == pytest.approx(training.arithmetic(TINY, Speed(graph["ours"], 0.0)))
