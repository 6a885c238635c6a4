"""A batch in parts that CPU cores compute side by side, with one synchronisation per step.

The parts, and the order in which their gradients are added, do not depend on the number of
processes: a run has the same weights, to the bit, on one core and on several.
"""

import os
import pickle
import select
import subprocess
import sys
import time
from contextlib import suppress

import torch
from jaxtyping import Float, Int
from torch import Tensor

from physlm.models.compilation import compiled
from physlm.train.clipping import clipped
from physlm.train.objective import Objective
from physlm.train.part_gradients import PartGradients
from physlm.train.part_worker import DONE, STEP, Task
from physlm.train.shared_step import SharedStep, SharedTensors, named
from physlm.train.trainer import Precision

_N_TIMED = 50  # steps whose mean time says whether processes are faster


class Worker:
    """A process that computes one part, once it has compiled it."""

    def __init__(self, task: Task) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "physlm.train.part_worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # the run computes what a failing process does not
            # The modules of plugins, too.
            env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            pass_fds=(task.shared.numbers, task.shared.tokens),
            start_new_session=True,  # Ctrl-C is for the run, which ends its processes
        )
        self.part = task.part
        self.is_ready = False
        self._send(pickle.dumps(task))

    def becomes_ready(self) -> bool:
        """Whether it can take orders now, or died, which `is_done` reports."""
        assert self.process.stdout is not None
        if not self.is_ready and select.select([self.process.stdout], [], [], 0)[0]:
            self.is_ready = True
            self.is_done()
        return self.is_ready

    def order(self) -> None:
        """Let it compute its part of the shared batch."""
        self._send(STEP)

    def is_done(self) -> bool:
        """Wait for its part; False if it died."""
        assert self.process.stdout is not None
        return self.process.stdout.read(1) == DONE

    def close(self) -> None:
        """End it."""
        self.process.kill()
        for stream in (self.process.stdin, self.process.stdout):
            with suppress(OSError):
                assert stream is not None
                stream.close()
        self.process.wait()

    def _send(self, data: bytes) -> None:
        assert self.process.stdin is not None
        with suppress(BrokenPipeError):  # it died, which `is_done` reports
            self.process.stdin.write(data)
            self.process.stdin.flush()


class Parts:
    """The clipped gradients of a batch, as sums over its parts.

    Args:
        objective: Whose parameters are trained; they are moved to shared memory until `close`.
        parameters: The trained ones by name, detached.
        n_parts: Of every batch, which it divides.
        n_workers: Further processes, each for one part; fewer than there are parts.
        gradient_accumulation_steps: Of each part.
        gradient_clip: Largest norm of the gradient; None for any.
        precision: Of matrix products.
    """

    def __init__(
        self,
        objective: Objective,
        parameters: dict[str, Tensor],
        *,
        n_parts: int,
        n_workers: int,
        gradient_accumulation_steps: int,
        gradient_clip: float | None,
        precision: Precision,
    ) -> None:
        self.objective, self.parameters = objective, parameters
        self.n_parts, self.n_workers = n_parts, n_workers
        self.gradient_accumulation_steps = gradient_accumulation_steps
        self.gradient_clip = gradient_clip
        self.precision = precision
        gradients = PartGradients(
            objective, parameters, gradient_accumulation_steps=gradient_accumulation_steps
        )
        self.part = compiled(gradients.row)
        self.joined = compiled(self._joined)
        self.shapes = {name: tuple(p.shape) for name, p in parameters.items()}
        self.shared: SharedTensors | None = None
        self.rows = torch.empty(n_parts, sum(p.numel() for p in parameters.values()) + 1)
        self.workers: list[Worker] = []
        self.clock = _Clock()

    def __call__(
        self, windows: Int[Tensor, "batch seq_1"], n_targets: Float[Tensor, ""]
    ) -> tuple[Float[Tensor, ""], dict[str, Tensor]]:
        """The mean loss, and its gradient by name."""
        began = time.perf_counter()
        parts = windows.view(self.n_parts, -1, windows.shape[1])
        ordered = [worker for worker in self.workers if worker.becomes_ready()]
        if ordered:
            self._order(ordered, parts, n_targets)
        others = {worker.part for worker in ordered}
        for number in range(self.n_parts):
            if number not in others:
                self.rows[number].copy_(self.part(parts[number], n_targets))
        for worker in ordered:
            if not worker.is_done():  # killed; its part is computed here from now on
                self._release(worker)
                self.rows[worker.part].copy_(self.part(parts[worker.part], n_targets))
        found = self.joined(self.rows)
        self._judge(windows, len(ordered), time.perf_counter() - began)
        return found

    def close(self) -> None:
        """End the processes, and move the parameters out of shared memory."""
        for worker in [*self.workers]:
            self._release(worker)
        if self.shared is not None:
            self._move({name: p.clone() for name, p in self.parameters.items()})
            self.shared = None

    def _order(self, workers: list[Worker], parts: Tensor, n_targets: Tensor) -> None:
        assert self.shared is not None
        self.shared.windows.copy_(parts)
        self.shared.n_targets.copy_(n_targets)
        for worker in workers:
            worker.order()

    def _judge(self, windows: Tensor, n_ordered: int, seconds: float) -> None:
        """Start the processes once the program is compiled; end them if they do not pay off."""
        self.clock.add(n_ordered, seconds)
        if self.clock.n_steps == 1 and self.n_workers:
            self._start(windows)
        elif self.workers and self.clock.says_alone():
            for worker in [*self.workers]:
                self._release(worker)

    def _start(self, windows: Tensor) -> None:
        """Start the processes, and move the parameters into memory that they share."""
        shape = (self.n_parts, len(windows) // self.n_parts, windows.shape[1])
        layout = SharedStep.of(self.parameters, shape)
        self.shared = layout.opened()
        for name, memory in self.shared.parameters.items():
            memory.copy_(self.parameters[name])
        self._move(self.shared.parameters)
        self.rows = self.shared.rows
        n_steps, precision = self.gradient_accumulation_steps, self.precision
        tasks = (
            Task(self.objective, layout, 1 + i, n_steps, precision) for i in range(self.n_workers)
        )
        self.workers = list(map(Worker, tasks))
        layout.close()

    def _move(self, places: dict[str, Tensor]) -> None:
        """Let the parameters be in other memory, with the values that are there."""
        own = dict(self.objective.named_parameters())
        for name, place in places.items():
            own[name].data = place
            self.parameters[name].data = place

    def _release(self, worker: Worker) -> None:
        worker.close()
        self.workers.remove(worker)

    def _joined(self, rows: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """The sum of the parts in their order, clipped."""
        total = rows[0]
        for row in rows[1:]:
            total = total + row
        return total[-1], clipped(named(total[:-1], self.shapes), self.gradient_clip)


class _Clock:
    """Mean time of steps, by the number of processes that took part."""

    def __init__(self) -> None:
        self.n_steps = 0
        self.times: dict[int, list[float]] = {}

    def add(self, n_others: int, seconds: float) -> None:
        self.n_steps += 1
        kept = self.times.setdefault(n_others, [])
        if self.n_steps > 1 and len(kept) < _N_TIMED:  # the first one compiles
            kept.append(seconds)

    def says_alone(self) -> bool:
        """Whether steps of one process were faster."""
        alone, together = self.times.get(0, []), self.times.get(max(self.times), [])
        if together is alone or not alone or len(together) < _N_TIMED:
            return False
        return sum(together) / len(together) > sum(alone) / len(alone)
