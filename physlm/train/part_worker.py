"""A process that computes the gradients of a part of each batch; `parts` starts it.

It reads one byte per step from its standard input, and ends with it: when the run ends or dies.
"""

import pickle
import sys
from contextlib import AbstractContextManager, nullcontext
from typing import Any, BinaryIO, NamedTuple

import torch

from physlm.train.cpu import use_processor
from physlm.train.objective import Objective
from physlm.train.part_gradients import PartGradients
from physlm.train.shared_step import SharedStep

READY, STEP, DONE = b"r", b"s", b"d"


class Task(NamedTuple):
    """What a worker is told at its start.

    Attributes:
        objective: Its parameters are replaced by the shared ones.
        shared: Where the shared tensors are.
        part: Number of its part.
        gradient_accumulation_steps: Of the part.
        is_bf16: Whether it computes in bfloat16.
    """

    objective: Objective
    shared: SharedStep
    part: int
    gradient_accumulation_steps: int
    is_bf16: bool


def main() -> None:
    """Serve one run until it ends."""
    use_processor(1, 1)
    # A pipe from the process that started this one, never a file.
    task: Task = pickle.load(sys.stdin.buffer)  # noqa: S301
    serve(task, sys.stdin.buffer, sys.stdout.buffer)


def serve(task: Task, orders: BinaryIO, answers: BinaryIO) -> None:
    """Compute the gradients of one part as often as it is ordered."""
    tensors = task.shared.opened()
    part = PartGradients(
        task.objective,
        tensors.parameters,
        gradient_accumulation_steps=task.gradient_accumulation_steps,
    )
    windows, row = tensors.windows[task.part], tensors.rows[task.part]
    with torch.no_grad(), _autocast(is_bf16=task.is_bf16):
        part(windows.clone(), tensors.n_targets.clone())  # compiles; this result is not used
        _say(answers, READY)
        while orders.read(1) == STEP:
            row.copy_(part(windows, tensors.n_targets))
            _say(answers, DONE)


def _say(answers: BinaryIO, word: bytes) -> None:
    answers.write(word)
    answers.flush()


def _autocast(*, is_bf16: bool) -> AbstractContextManager[Any]:
    return torch.autocast("cpu", dtype=torch.bfloat16) if is_bf16 else nullcontext()


if __name__ == "__main__":
    main()
