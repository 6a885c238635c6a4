"""A process that computes the gradients of a part of each batch; `parts` starts it.

It reads one byte per step from its standard input, and ends with it: when the run ends or dies.
"""

import pickle
import sys
from typing import BinaryIO, NamedTuple

import torch

from physlm.models.compilation import compiled
from physlm.train.cpu import use_processor
from physlm.train.objective import Objective
from physlm.train.part_gradients import PartGradients
from physlm.train.shared_step import SharedStep
from physlm.train.trainer import Precision

STEP, DONE = b"s", b"d"  # an order, and the answer to it; the first answer is to be ready


class Task(NamedTuple):
    """What a worker is told at its start.

    Attributes:
        objective: Its parameters are replaced by the shared ones.
        shared: Where the shared tensors are.
        part: Number of its part.
        gradient_accumulation_steps: Of the part.
        precision: Of matrix products.
    """

    objective: Objective
    shared: SharedStep
    part: int
    gradient_accumulation_steps: int
    precision: Precision


def main() -> None:
    """Serve one run until it ends."""
    use_processor(1, 1)
    # A pipe from the process that started this one, never a file.
    task: Task = pickle.load(sys.stdin.buffer)  # noqa: S301
    serve(task, sys.stdin.buffer, sys.stdout.buffer)


def serve(task: Task, orders: BinaryIO, answers: BinaryIO) -> None:
    """Compute the gradients of one part as often as it is ordered."""
    tensors = task.shared.opened()
    gradients = PartGradients(
        task.objective,
        tensors.parameters,
        gradient_accumulation_steps=task.gradient_accumulation_steps,
    )
    part = compiled(gradients.row)
    windows, row = tensors.windows[task.part], tensors.rows[task.part]
    with torch.no_grad(), task.precision.autocast("cpu"):
        part(windows.clone(), tensors.n_targets.clone())  # compiles; this result is not used
        _say(answers, DONE)
        while orders.read(1) == STEP:
            row.copy_(part(windows, tensors.n_targets))
            _say(answers, DONE)


def _say(answers: BinaryIO, word: bytes) -> None:
    answers.write(word)
    answers.flush()


if __name__ == "__main__":
    main()
