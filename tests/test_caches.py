"""Caches are kept where they can be written, by nobody else; without any, everything runs."""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest

from physlm.caches import settle_caches
from physlm.data.splitmix import choices_of


@pytest.fixture
def homeless(tmp_path, monkeypatch):
    """A home folder in which nothing can be made, as a file is in the way; the temporary folder."""
    (tmp_path / "home").write_text("")
    (tmp_path / "tmp").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for name in ("XDG_CACHE_HOME", "MPLCONFIGDIR"):
        monkeypatch.setenv(name, "")  # so that what is set is gone afterwards
        monkeypatch.delenv(name)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    return tmp_path / "tmp"


def test_without_a_home_caches_are_private_in_the_temporary_folder(homeless):
    settle_caches()
    folder = Path(os.environ["XDG_CACHE_HOME"])
    assert folder.parent == homeless
    assert folder.stat().st_mode & 0o777 == 0o700
    assert Path(os.environ["MPLCONFIGDIR"]).parent == folder
    settle_caches()  # of a process that this one starts
    assert Path(os.environ["XDG_CACHE_HOME"]) == folder


def open_to_others(folder):
    folder.mkdir()
    folder.chmod(0o777)


def elsewhere(folder):
    (folder.parent / "elsewhere").mkdir(mode=0o700)
    folder.symlink_to(folder.parent / "elsewhere")


def owned_by_another(folder):
    folder.mkdir(mode=0o700)
    if os.getuid():
        pytest.skip("only root gives folders away")
    os.chown(folder, 12345, 12345)


@pytest.mark.parametrize("prepare", [open_to_others, elsewhere, owned_by_another])
def test_a_folder_in_which_another_user_could_put_code_is_not_taken(prepare, homeless):
    prepare(homeless / f"physlm-cache-{os.getuid()}")
    settle_caches()
    assert "XDG_CACHE_HOME" not in os.environ


def test_a_home_that_can_be_written_is_left_alone(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "not" / "yet"))
    settle_caches()
    assert os.environ["XDG_CACHE_HOME"] == str(tmp_path / "not" / "yet")
    assert not (tmp_path / "not").exists()


IN_A_FROZEN_PACKAGE = """
import runpy, sys
import numba.core.caching as caching

if {is_nowhere}:  # neither beside the code nor elsewhere
    caching.CacheImpl._locator_classes = []
else:
    import resource
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))  # as a full disk: files end there

import numpy as np
from physlm.data.splitmix import choices_of, uniform_of
print(choices_of(np.uint64(1), np.arange(3), np.array([10])).ravel().tolist())
"""


@pytest.mark.parametrize("is_nowhere", [True, False])
def test_compiled_code_that_cannot_be_kept_runs_and_is_told_at_most_once(is_nowhere, tmp_path):
    code = IN_A_FROZEN_PACKAGE.format(is_nowhere=is_nowhere)
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"NUMBA_CACHE_DIR": str(tmp_path)},
    )
    assert done.returncode == 0, done.stderr
    expected = choices_of(np.uint64(1), np.arange(3), np.array([10])).ravel().tolist()
    assert json.loads(done.stdout) == expected
    told = done.stderr.splitlines()
    assert len(told) == (1 if is_nowhere else 0)
    assert all("set NUMBA_CACHE_DIR to a writable folder" in line for line in told)
    assert not list(tmp_path.rglob("*.nbi"))
