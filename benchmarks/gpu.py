"""Training on a GPU: steps of every shape, and the start of a run at the scale of a GPU.

`bash benchmarks/gpu.sh` measures these with replicas, and needs no other machine to compare with.
"""

import statistics
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import replace

import torch

from benchmarks.contenders import Mode, ours
from benchmarks.shapes import ON_GPU, Shape
from benchmarks.timing import Row, Speed, race, row
from benchmarks.training import arithmetic, ceiling
from physlm.config import composed, register
from physlm.pipeline import execute
from physlm.run_directory import RunDirectory, read_curves

_CAPACITY = ("+experiment=capacity_1000x", "scale=gpu")
_EXPOSURES, _ALL_EXPOSURES = 30, 1000


def rows_of(part: str) -> Iterable[Row]:
    """The rows of a part; each shape is one, so that none can take the time of another."""
    if part == "gpu_ceiling":
        return ceiling_rows()
    if part == "gpu_capacity":
        return capacity_rows()
    (shape,) = [s for s in ON_GPU if part == f"gpu_{s.name.partition(':')[0]}"]
    return step_rows(shape)


def ceiling_rows() -> list[Row]:
    """The largest speeds that arithmetic on this device was seen to have."""
    bf16, fp32 = ceiling(torch.bfloat16), ceiling(torch.float32)
    return [Row("matrix product, bf16", "square", "matrix product, fp32", bf16, fp32, "GFLOP/s")]


def step_rows(shape: Shape) -> Iterator[Row]:
    """A training step in bf16 as a CUDA graph: against the same step eagerly, and its MFU."""
    with ours(shape, Mode("bf16", is_compiled=True)) as graph, ours(shape, Mode("bf16")) as eager:
        speeds = race(5, graph=graph, eager=eager)
    name = "training step (bf16, CUDA graph)"
    yield row(name, shape.name, "eager", speeds["graph"], speeds["eager"], "tokens/s")
    yield utilisation(shape, speeds["graph"])


def utilisation(shape: Shape, speed: Speed) -> Row:
    """A step's arithmetic against the largest bf16 matrix product; the ratio is the MFU.

    Source:
        Chowdhery et al. (2022), PaLM, section 4.1, with a ceiling that is measured, not quoted.
    """
    return Row(
        "arithmetic of a step (ratio: MFU)",
        shape.name,
        "matrix product, bf16",
        arithmetic(shape, speed),
        ceiling(torch.bfloat16),
        "GFLOP/s",
    )


def capacity_rows(words: tuple[str, ...] = _CAPACITY, exposures: int = _EXPOSURES) -> list[Row]:
    """The first exposures of a run, started, scored and drawn like a whole one.

    Args:
        words: Choose the run.
        exposures: Where it ends, of 1000.
    """
    register()
    config = composed((*words, f"data.exposures={exposures}", "runtime.progress_bar=false"))
    with tempfile.TemporaryDirectory() as folder:
        point = replace(config, runs_dir=folder)
        outcome = execute(point, RunDirectory(point.run_dir))
        assert outcome is not None
        curves = read_curves(RunDirectory(point.run_dir).metrics)
    record = outcome.record
    # The median leaves out the first chunk, which waits for the compiler.
    speed = statistics.median(
        found["train/tokens_per_second"] for found in curves if "train/tokens_per_second" in found
    )
    print(f"{config.experiment}: waited for data in {record.data_wait_fraction:.1%} of the time")
    whole = record.tokens * _ALL_EXPOSURES / exposures
    return [
        Row(
            f"training, {config.experiment} at scale={config.scale.value}",
            f"first {exposures} of {_ALL_EXPOSURES} exposures",
            "a whole run in an hour",
            speed,
            whole / 3600,
            "tokens/s",
        )
    ]
