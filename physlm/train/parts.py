"""A batch in parts that CPU cores compute side by side, with one synchronisation per step.

The parts, and the order in which their gradients are added, do not depend on the number of
processes: a run has the same weights, to the bit, on one core and on several.
"""

import pickle
import select
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.utils import get_total_norm

from physlm.models.compilation import compiled
from physlm.train.objective import Objective
from physlm.train.part_gradients import PartGradients
from physlm.train.part_worker import DONE, READY, STEP, Task
from physlm.train.shared_step import SharedStep, SharedTensors, named

_MEMORY = Path("/dev/shm")  # noqa: S108 - a file system in memory; the folder below is private
_N_TIMED = 50  # steps whose mean time says whether processes are faster


class Worker:
    """A process that computes one part, once it has compiled it."""

    def __init__(self, task: Task) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "physlm.train.part_worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C is for the run, which ends its processes
        )
        self.part = task.part
        self.is_ready = False
        self._send(pickle.dumps(task))

    def becomes_ready(self) -> bool:
        """Whether it can take orders now."""
        assert self.process.stdout is not None
        if not self.is_ready and select.select([self.process.stdout], [], [], 0)[0]:
            self.is_ready = self.process.stdout.read(1) == READY
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
        is_bf16: Whether losses are computed in bfloat16.
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
        is_bf16: bool,
    ) -> None:
        self.objective, self.parameters = objective, parameters
        self.n_parts, self.n_workers = n_parts, n_workers
        self.gradient_accumulation_steps = gradient_accumulation_steps
        self.gradient_clip = gradient_clip
        self.is_bf16 = is_bf16
        self.part = PartGradients(
            objective, parameters, gradient_accumulation_steps=gradient_accumulation_steps
        )
        self.joined = compiled(self._joined)
        self.folder: tempfile.TemporaryDirectory[str] | None = None
        self.shared: SharedTensors | None = None
        self.workers: list[Worker] = []
        self.clock = _Clock()

    def __call__(
        self, windows: Int[Tensor, "batch seq_1"], n_targets: Float[Tensor, ""]
    ) -> tuple[Float[Tensor, ""], dict[str, Tensor]]:
        """The mean loss, and its gradient by name."""
        if self.shared is None:
            self.shared = self._share(windows)
        shared, parts = self.shared, windows.view(self.n_parts, -1, windows.shape[1])
        began = time.perf_counter()
        ordered = [worker for worker in self.workers if worker.becomes_ready()]
        if ordered:
            shared.windows.copy_(parts)
            shared.n_targets.copy_(n_targets)
            for worker in ordered:
                worker.order()
        others = {worker.part for worker in ordered}
        for number in range(self.n_parts):
            if number not in others:
                shared.rows[number].copy_(self.part(parts[number], n_targets))
        for worker in ordered:
            if not worker.is_done():  # killed; its part is computed here from now on
                self._release(worker)
                shared.rows[worker.part].copy_(self.part(parts[worker.part], n_targets))
        found = self.joined(shared.rows)
        self._judge(len(ordered), time.perf_counter() - began)
        return found

    def close(self) -> None:
        """End the processes, and move the parameters out of shared memory."""
        for worker in self.workers:
            worker.close()
        self.workers = []
        if self.folder is not None:
            for parameter in self.objective.parameters():
                parameter.data = parameter.data.clone()
            self.folder.cleanup()
            self.folder = None

    def _share(self, windows: Tensor) -> SharedTensors:
        """Move the parameters into shared memory."""
        place = _MEMORY if self.n_workers and _MEMORY.is_dir() else None
        self.folder = tempfile.TemporaryDirectory(prefix="physlm-", dir=place)
        shape = (self.n_parts, len(windows) // self.n_parts, windows.shape[1])
        self.layout = SharedStep.of(Path(self.folder.name), self.parameters, shape)
        shared = self.layout.opened()
        own = dict(self.objective.named_parameters())
        for name, memory in shared.parameters.items():
            memory.copy_(self.parameters[name])
            own[name].data = memory
            self.parameters[name].set_(memory)
        return shared

    def _judge(self, n_ordered: int, seconds: float) -> None:
        """Start the processes once the program is compiled; end them if they do not pay off."""
        self.clock.add(n_ordered, seconds)
        if self.clock.n_steps == 1:
            self.workers = [Worker(self._task(1 + i)) for i in range(self.n_workers)]
        elif self.workers and self.clock.says_alone():
            for worker in [*self.workers]:
                self._release(worker)

    def _task(self, part: int) -> Task:
        return Task(
            self.objective, self.layout, part, self.gradient_accumulation_steps, self.is_bf16
        )

    def _release(self, worker: Worker) -> None:
        worker.close()
        self.workers.remove(worker)

    def _joined(self, rows: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """The sum of the parts in their order, clipped."""
        total = rows[0]
        for row in rows[1:]:
            total = total + row
        gradients = named(total[:-1], self.layout.shapes)
        if self.gradient_clip is not None:
            gradients = clipped(gradients, self.gradient_clip)
        return total[-1].clone(), {name: g.clone() for name, g in gradients.items()}


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


def clipped(gradients: dict[str, Tensor], largest: float) -> dict[str, Tensor]:
    """Gradients whose norm is at most `largest`."""
    # As torch's clip_grad_norm_, 1e-6 included, so that both kinds of steps agree.
    norm = get_total_norm(list(gradients.values()))
    scale = (largest / (norm + 1e-6)).clamp(max=1.0)
    return {name: gradient * scale for name, gradient in gradients.items()}
