"""A training step: ours beside the architectures of others, each in its best mode."""

import contextlib
import os
from collections.abc import Iterator

import torch

from benchmarks.contenders import Maker, Mode, Turn, others, ours, own_loops
from benchmarks.memory import peak_mebibytes
from benchmarks.shapes import ON_CPU, ON_GPU, Shape
from benchmarks.timing import DEVICE, Row, Speed, race, row, wait


def training_rows() -> Iterator[Row]:
    """Optimizer steps with clipping and AdamW, on one core or one GPU."""
    for shape in ON_GPU if DEVICE == "cuda" else ON_CPU:
        makers = {"ours": ours} | others() | (own_loops() if shape.is_bound_by_overhead else {})
        best = {name: _fastest(shape, name, maker) for name, maker in makers.items()}
        yield from _compiled_or_not(shape, makers, best)
        if DEVICE == "cpu":
            yield from _uncompiled(shape, makers, best)


def core_rows() -> Iterator[Row]:
    """The same with all cores of a CPU: processes for ours, threads within operations elsewhere."""
    n_cores = len(os.sched_getaffinity(0))
    if DEVICE == "cuda" or n_cores == 1:
        return
    for shape in ON_CPU:
        makers = {"ours": ours} | others()
        best = {name: _fastest(shape, name, maker, n_cores)[0] for name, maker in makers.items()}
        yield from _raced(shape, makers, best)


def _compiled_or_not(
    shape: Shape, makers: dict[str, Maker], best: dict[str, tuple[Mode, Mode]]
) -> Iterator[Row]:
    modes = {name: fastest for name, (fastest, _) in best.items()}
    with contextlib.ExitStack() as stack:
        turns = _entered(stack, shape, makers, modes)
        speeds = race(5, **turns)
        peaks = {name: peak_mebibytes(turn) for name, turn in turns.items() if "own" not in name}
    yield from _speed_rows(shape, speeds, modes)
    yield from _memory_rows(shape, peaks, modes)
    yield from _ceiling_rows(shape, speeds["ours"])


def _uncompiled(
    shape: Shape, makers: dict[str, Maker], best: dict[str, tuple[Mode, Mode]]
) -> Iterator[Row]:
    modes = {name: eager for name, (_, eager) in best.items() if "own" not in name}
    yield from _raced(shape, makers, modes)


def _raced(shape: Shape, makers: dict[str, Maker], modes: dict[str, Mode]) -> Iterator[Row]:
    with contextlib.ExitStack() as stack:
        speeds = race(5, **_entered(stack, shape, makers, modes))
    yield from _speed_rows(shape, speeds, modes)


def _entered(
    stack: contextlib.ExitStack, shape: Shape, makers: dict[str, Maker], modes: dict[str, Mode]
) -> dict[str, Turn]:
    return {name: stack.enter_context(makers[name](shape, mode)) for name, mode in modes.items()}


def _fastest(shape: Shape, name: str, maker: Maker, n_cores: int = 1) -> tuple[Mode, Mode]:
    """The fastest mode of a contender, and its fastest one that is not compiled.

    Of eager fp32 and bf16, the better one compiled; and these on several cores.
    """
    speeds: dict[Mode, float] = {}

    def measure(mode: Mode) -> None:
        with maker(shape, mode) as turn:
            speeds[mode] = race(2, turn=turn)["turn"].median

    for precision in ("fp32", "bf16"):
        measure(Mode(precision))
    eager = max(speeds, key=speeds.__getitem__)
    measure(Mode(eager.precision, is_compiled=True))
    if n_cores > 1:
        for is_compiled in (False, True):
            measure(Mode(eager.precision, is_compiled, n_cores))
    figures = "; ".join(f"{mode} {speed:,.0f}" for mode, speed in speeds.items())
    print(f"{shape.name}: {name}: {figures}", flush=True)
    return max(speeds, key=speeds.__getitem__), eager


def _speed_rows(shape: Shape, speeds: dict[str, Speed], modes: dict[str, Mode]) -> list[Row]:
    return [
        row(
            f"training ({modes['ours']})",
            shape.name,
            f"{name} ({modes[name]})",
            speeds["ours"],
            speed,
            "tokens/s",
        )
        for name, speed in speeds.items()
        if name != "ours"
    ]


def _memory_rows(shape: Shape, peaks: dict[str, float], modes: dict[str, Mode]) -> list[Row]:
    return [
        Row(
            "peak memory of a step",
            shape.name,
            f"{name} ({modes[name]})",
            peaks["ours"],
            peak,
            "MiB",
            is_cost=True,
        )
        for name, peak in peaks.items()
        if name != "ours"
    ]


def _ceiling_rows(shape: Shape, speed: Speed) -> list[Row]:
    return [
        Row(
            "arithmetic of a step",
            shape.name,
            f"matrix product, {precision}",
            arithmetic(shape, speed),
            ceiling(dtype),
            "GFLOP/s",
        )
        for precision, dtype in (("fp32", torch.float32), ("bf16", torch.bfloat16))
    ]


def arithmetic(shape: Shape, speed: Speed) -> float:
    """GFLOP/s of a model whose steps take that many tokens per second."""
    return speed.median * shape.operations() / shape.n_tokens / 1e9


def ceiling(dtype: torch.dtype) -> float:
    """GFLOP/s of a large matrix product, the most this device was seen to do."""
    n = 8192 if DEVICE == "cuda" else 1024
    a = torch.randn(n, n, device=DEVICE, dtype=dtype)

    def product() -> int:
        for _ in range(5):
            a @ a
        wait()
        return 5

    return race(7, product=product)["product"].median * 2 * n**3 / 1e9
