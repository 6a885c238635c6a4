"""Threads and compiling, each in the case that was got wrong once or would be silently slow."""

import subprocess
import sys
import textwrap

import pytest

from physlm.errors import InputError
from physlm.train import processor
from physlm.train.fit import RuntimeConfig


def threads_after(n_threads, n_processes):
    """Torch's and Numba's threads in a fresh process, in which Numba has not started yet."""
    code = f"""
        import torch
        torch.set_num_threads(4)
        from physlm.train.processor import use_processor
        use_processor({n_threads}, {n_processes})
        import numba
        print(torch.get_num_threads(), numba.get_num_threads())
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], check=True,
                          capture_output=True, text=True, timeout=120)  # fmt: skip
    return int(done.stdout.split()[0])


@pytest.mark.parametrize(
    ("n_threads", "n_processes", "expected"), [(1, 1, 1), (None, 2, 2), (None, 8, 1), (3, 2, 3)]
)
def test_processes_share_the_cores_unless_told_otherwise(n_threads, n_processes, expected):
    assert threads_after(n_threads, n_processes) == expected


def test_compiling_is_for_gpus_and_long_runs(monkeypatch):
    monkeypatch.setattr(processor, "has_compiler", lambda: True)
    config = RuntimeConfig()
    assert config.is_compiled("cuda", 10, 10)
    assert config.is_compiled("cpu", 27_000, 22e6)
    assert not config.is_compiled("cpu", 27_000, 2e6)
    assert RuntimeConfig(compile=True).is_compiled("cpu", 10, 10)
    assert not RuntimeConfig(compile=False).is_compiled("cuda", 10**9, 10**9)


def test_without_a_compiler_nothing_is_compiled_unasked(monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert not RuntimeConfig().is_compiled("cpu", 10**9, 10**9)
    with pytest.raises(InputError, match=r"runtime.compile=true needs a C\+\+ compiler"):
        RuntimeConfig(compile=True).is_compiled("cpu", 10, 10)
