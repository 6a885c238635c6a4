"""Compiled and GPU training against the plain CPU run.

Through the command line: the compiler does not see through the shape checks of the other tests.
"""

import pytest
import torch

from tests.train.test_distributed import run


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    return run(tmp_path_factory.mktemp("plain"))


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_compiled_model_trains_alike(plain, tmp_path):
    record, losses = run(tmp_path, "runtime.compile=true")
    assert losses == pytest.approx(plain[1], rel=1e-3)
    assert record.steps == plain[0].steps
    assert (record.is_compiled, plain[0].is_compiled) == (True, False)
    name = "capacity/bits_per_parameter{split=train}"
    assert record.metric(name).value == pytest.approx(plain[0].metric(name).value, abs=0.01)


@pytest.mark.gpu
@pytest.mark.timeout(600)
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("precision", ["fp32", "bf16", "fp16"])
@pytest.mark.parametrize("is_compiled", ["false", "true"])
def test_a_gpu_trains_alike(plain, tmp_path, precision, is_compiled):
    words = (
        "runtime.device=cuda",
        f"trainer.precision={precision}",
        f"runtime.compile={is_compiled}",
    )
    record, losses = run(tmp_path, *words)
    assert losses == pytest.approx(plain[1], rel=2e-3 if precision == "fp32" else 0.05)
    assert record.steps == plain[0].steps
