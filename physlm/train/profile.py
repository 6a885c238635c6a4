"""Profile of training: a trace of one chunk, and a breakdown of its time on one screen."""

from pathlib import Path
from typing import Any

import lightning
import torch
from rich.console import Console
from rich.table import Table
from torch.profiler import ProfilerActivity, profile, record_function

from physlm.train.batches import Chunk
from physlm.train.module import TrainingModule
from physlm.watching import harmless

_N_WARM = 2  # chunks before the one that is profiled: caches fill, programs are compiled
_N_OPERATIONS = 12
_PARTS = ("forward", "backward", "optimizer", "compiled steps", "logging")


class Profile(lightning.Callback):
    """Profiles the third chunk of an attempt, writes its trace and shows the breakdown."""

    def __init__(self, folder: Path) -> None:
        self.trace = folder / "trace.json.gz"
        self.breakdown = folder / "profile.txt"
        activities = [ProfilerActivity.CPU]
        if torch.cuda.is_available():
            activities.append(ProfilerActivity.CUDA)
        self.profile = profile(activities=activities, acc_events=True)
        self.is_running = self.is_done = False

    def on_train_start(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule
    ) -> None:
        """Mark the parts of each step."""
        assert isinstance(pl_module, TrainingModule)
        pl_module.label = record_function

    def on_train_batch_start(
        self, trainer: lightning.Trainer, pl_module: Any, batch: Chunk, batch_idx: int
    ) -> None:
        """Start the profiler."""
        if batch_idx == _N_WARM:
            self.seconds_before = pl_module.progress.seconds
            with harmless("the profile"):
                self.profile.start()
                self.is_running = True

    def on_train_batch_end(
        self, trainer: lightning.Trainer, pl_module: Any, outputs: Any, batch: Chunk, batch_idx: int
    ) -> None:
        """Stop the profiler, write and print the report."""
        if batch_idx == _N_WARM and self.is_running:
            self.is_done = True
            with harmless(f"the profile {self.breakdown}"):
                self._stop()
                self._report(batch, pl_module.progress.seconds - self.seconds_before)

    def on_train_end(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule
    ) -> None:
        """Report if training ended before the profiled chunk."""
        if trainer.global_rank == 0 and not self.is_done:
            Console(stderr=True).print(
                f"profile=true: training ended before {_N_WARM + 1} chunks; "
                "train longer, or lower runtime.steps_per_chunk",
                soft_wrap=True,
            )

    def teardown(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, stage: str
    ) -> None:
        """Stop the profiler, however training ended."""
        self._stop()

    def _stop(self) -> None:
        if self.is_running:
            self.is_running = False
            self.profile.stop()

    def _report(self, chunk: Chunk, seconds: float) -> None:
        self.profile.export_chrome_trace(str(self.trace))
        with self.breakdown.open("w", encoding="utf-8") as file:
            for console in (Console(file=file, width=100), Console(stderr=True)):
                console.print(self._parts(chunk, seconds))
                console.print(self._operations())
                console.print(f"trace: {self.trace} (open it at ui.perfetto.dev)", soft_wrap=True)

    def _parts(self, chunk: Chunk, seconds: float) -> Table:
        """Time per optimizer step; time outside of all parts is the loop's."""
        n_steps = len(chunk.windows)
        table = Table(title=f"One chunk of {n_steps} optimizer steps", title_justify="left")
        table.add_column("part")
        for heading in ("us per step", "fraction", "us per step on the GPU"):
            table.add_column(heading, justify="right")
        events = {event.key: event for event in self.profile.key_averages()}
        found = {name: events[name].cpu_time_total for name in _PARTS if name in events}
        found["loop"] = seconds * 1e6 - sum(found.values())
        found["waiting for data"] = chunk.waited_seconds * 1e6
        for name, time in found.items():
            gpu = getattr(events.get(name), "device_time_total", 0)
            table.add_row(
                name,
                f"{time / n_steps:,.0f}",
                f"{time / sum(found.values()):.1%}",
                f"{gpu / n_steps:,.0f}" if gpu else "",
            )
        data = chunk.rendered_seconds * 1e6 / n_steps
        table.add_row("data, rendered meanwhile", f"{data:,.0f}", "", "")
        return table

    def _operations(self) -> Table:
        """The operations with the longest time of their own."""
        table = Table(title="Longest operations", title_justify="left")
        for heading in ("operation", "calls", "ms", "ms on the GPU"):
            table.add_column(
                heading, justify="left" if heading == "operation" else "right", no_wrap=True
            )
        events = [event for event in self.profile.key_averages() if event.key not in _PARTS]

        def own_time(event: Any) -> float:
            return float(event.self_cpu_time_total + event.self_device_time_total)

        for event in sorted(events, key=own_time, reverse=True)[:_N_OPERATIONS]:
            gpu = event.self_device_time_total / 1e3
            table.add_row(
                event.key[:60],
                f"{event.count:,}",
                f"{event.self_cpu_time_total / 1e3:,.1f}",
                f"{gpu:,.1f}" if gpu else "",
            )
        return table
