"""A killed linker leaves half a library in the compiler's cache; it must not end later runs."""

import os
import subprocess
import sys

import pytest
from filelock import FileLock

from physlm.models.compiler_cache import remove_unfinished
from physlm.train.cpu import missing_for_compiling

needs_compiler = pytest.mark.skipif(
    missing_for_compiling("cpu") is not None, reason="needs a C++ compiler"
)

# Each call is a process of its own, as the libraries of this one stay loaded.
PROGRAM = """
import torch
from physlm.models.compilation import compiled

class Doubling:
    def double(self, x):
        return (2 * x).cos()

x = torch.arange(40.0)
torch.testing.assert_close(compiled(Doubling().double)(x), (2 * x).cos())
"""


def compile_in(folder):
    environment = os.environ | {"TORCHINDUCTOR_CACHE_DIR": str(folder)}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def programs(folder):
    """The libraries of compiled programs, not those that test the compiler."""
    return sorted(folder.glob("*/*.main.so"))


@needs_compiler
@pytest.mark.slow
def test_half_a_library_is_compiled_again(tmp_path):
    compile_in(tmp_path)
    whole = {path: path.read_bytes() for path in programs(tmp_path)}
    assert whole
    for path, content in whole.items():
        path.write_bytes(content[:1000])
    compile_in(tmp_path)
    assert programs(tmp_path) == sorted(whole)
    assert all(path.stat().st_size == len(content) for path, content in whole.items())


@pytest.fixture
def library(tmp_path, monkeypatch):
    """A whole library in a cache, from the linker."""
    if missing_for_compiling("cpu") is not None:
        pytest.skip("needs a C++ compiler")
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path))
    path, source = tmp_path / "ab" / "cabc.main.so", tmp_path / "one.cpp"
    path.parent.mkdir()
    source.write_text("int one() { return 1; }")
    subprocess.run(["g++", "-shared", "-fPIC", source, "-o", path], check=True)
    return path


def test_a_whole_library_stays(library):
    remove_unfinished()
    assert library.exists()


@pytest.mark.skipif(sys.platform != "linux", reason="of Linux")
@pytest.mark.parametrize("n_bytes", [0, 20, 64, 1000, -1])
def test_a_library_without_its_end_is_removed(library, n_bytes):
    library.write_bytes(library.read_bytes()[:n_bytes])
    remove_unfinished()
    assert not library.exists()


def test_a_library_that_is_being_linked_stays(library):
    """The linker has written nothing yet, and the compiler holds its lock."""
    library.write_bytes(b"\0" * 5000)
    (library.parents[1] / "locks").mkdir()
    with FileLock(library.parents[1] / "locks" / "cabc.lock"):
        remove_unfinished()
        assert library.exists()
    remove_unfinished()
    assert not library.exists()
