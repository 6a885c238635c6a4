"""Threads and compiling, each in the case that was got wrong once or would be silently slow."""

import json

import pytest

from physlm.errors import InputError
from physlm.train import cpu
from physlm.train.batches import Batches
from physlm.train.runtime import RuntimeConfig
from tests.conftest import printed, tiny_biod_config

THREADS = """
import json, sys
import torch
torch.set_num_threads(4)  # as on four cores
from physlm.train.cpu import use_processor
from physlm.data.people.biod import BiodConfig
for given in json.loads(sys.argv[1]):
    use_processor(*given)
    BiodConfig(n_people=10).build(0).epoch(0, 0, 10)
    print(torch.get_num_threads())
"""


@pytest.mark.slow
def test_processes_share_the_cores_unless_told_otherwise():
    """Also after data were rendered."""
    expected = {(1, 1): 1, (None, 2): 2, (None, 8): 1, (3, 2): 3}
    found = printed(THREADS, json.dumps(list(expected))).split()
    assert [int(n) for n in found] == list(expected.values())


def test_compiling_is_for_gpus_and_long_runs(monkeypatch):
    monkeypatch.setattr(cpu, "missing_for_compiling", lambda _: None)
    config = RuntimeConfig()
    assert config.is_compiled("cuda", 10, 10)
    assert config.is_compiled("cpu", 27_000, 22e6)
    assert not config.is_compiled("cpu", 27_000, 2e6)
    assert not RuntimeConfig(compile=False).is_compiled("cuda", 10**9, 10**9)


@pytest.mark.parametrize(
    ("n_parameters", "configured", "expected"),
    [(4, None, 256), (10**5, None, 50), (10**9, None, 1), (4, 7, 7), (10**9, 7, 7)],
)
def test_a_chunk_is_at_most_a_second_and_256_steps_unless_told_otherwise(
    n_parameters, configured, expected
):
    corpus = tiny_biod_config(exposures=60_000).build(0)
    batches = Batches(corpus, seq_len=100, batch_size=10)
    config = RuntimeConfig(steps_per_chunk=configured)
    chunked = config.chunked(batches, "cpu", n_parameters, batches.n_tokens())
    assert chunked.steps_per_chunk == expected


def test_a_short_run_is_looked_at_often():
    corpus = tiny_biod_config(exposures=300).build(0)  # of 24 x 12 tokens
    batches = Batches(corpus, 10, 10)
    chunked = RuntimeConfig().chunked(batches, "cuda", 4, batches.n_tokens())
    assert 64 <= len(list(chunked)) < 70


@pytest.mark.parametrize(
    ("missing", "change"),
    [
        (r"a C\+\+ compiler \(g\+\+-0\)", lambda patch: patch.setenv("CXX", "g++-0")),
        ("Python.h", lambda patch: patch.setattr(cpu.sysconfig, "get_path", lambda _: "nowhere")),
    ],
)
def test_what_cannot_be_compiled_is_not_compiled_unasked(monkeypatch, missing, change):
    change(monkeypatch)
    assert not RuntimeConfig().is_compiled("cpu", 10**9, 10**9)
    with pytest.raises(InputError, match=f"runtime.compile=true needs .*{missing}"):
        RuntimeConfig(compile=True).is_compiled("cpu", 10, 10)
