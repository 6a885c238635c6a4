"""Each class of the campaign at a small size, without any violation."""

import importlib
import sys

import pytest

from tests.faults.__main__ import CLASSES

SIZES = {"kills": 0.1, "mutations": 0.2, "inputs": 0.2, "disk": 0.2, "shared": 0.1, "sweep": 0.04}


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("name", CLASSES)
def test_nothing_is_lost_or_told_wrongly(name, tmp_path):
    importlib.import_module("physlm.loaded")
    counts = importlib.import_module(f"tests.faults.{name}").campaign(
        SIZES.get(name, 0.25), 1, tmp_path / name
    )
    assert counts.n > 0
    assert counts.violations == []
