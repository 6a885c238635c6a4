"""What a training loop costs beside training: steps of a model that computes almost nothing."""

import statistics
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any, ClassVar

import lightning
import torch
from lightning.pytorch.loggers import CSVLogger, Logger
from torch import Tensor
from torch.utils.data import DataLoader

from benchmarks.peers import Defaults, plain_step
from benchmarks.shapes import Noise
from benchmarks.timing import Row
from physlm.models.language_model import LanguageModel
from physlm.models.parameters import Declaration
from physlm.run_directory import RunDirectory
from physlm.train.batches import Batches
from physlm.train.fit import fit
from physlm.train.logger import LoggerConfig
from physlm.train.objective import Objective
from physlm.train.runtime import Device, RuntimeConfig
from physlm.train.schedule import OptimConfig
from physlm.train.tracking import Tracking
from physlm.train.trainer import TrainerConfig

_BATCH, _SEQ_LEN, _N_STEPS, _TURNS = 4, 24, 16384, 5


class Null(LanguageModel):
    """A model of four weights that looks at nothing."""

    vocabulary_size = 64
    declares: ClassVar = {"weight": Declaration(decays=False)}

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(4))

    def forward(self, tokens: Tensor, is_visible: Tensor | None = None) -> Tensor:
        """No scores worth having."""
        return self.weight.sum().expand(*tokens.shape, self.vocabulary_size)

    def loss(self, tokens: Tensor, targets: Tensor, is_visible: Tensor | None = None) -> Tensor:
        """A loss with a gradient."""
        return self.weight.sum()


def loop_rows() -> list[Row]:
    """Microseconds per optimizer step over a plain loop, turn by turn; medians."""
    found: dict[str, list[float]] = {"ours": [], "lightning": [], "plain": []}
    for _ in range(_TURNS):
        found["plain"].append(_plain())
        found["ours"].append(_ours())
        found["lightning"].append(_lightning_defaults())
    plain, ours, theirs = (
        statistics.median(found[name]) for name in ("plain", "ours", "lightning")
    )
    shape = f"null model, plain loop {plain:.0f} us"
    unit = "us/step over a plain loop"
    work = "loop overhead, logging and checkpoints on"
    # Noise can make ours the faster one; the resolution is then a microsecond.
    return [
        Row(
            work,
            shape,
            "Lightning defaults",
            max(1.0, ours - plain),
            theirs - plain,
            unit,
            is_cost=True,
        )
    ]


def _objective() -> Objective:
    return Objective(Null(), eos=0, is_visible_across_documents=True)


def _plain() -> float:
    """The same model and windows in a loop of a few lines that reads its losses at the end."""
    objective = _objective()
    parameters = list(objective.parameters())
    optimizer = OptimConfig().build([], parameters, is_fused=True)
    windows = torch.zeros(32, _BATCH, _SEQ_LEN + 1, dtype=torch.int32)
    losses: list[Tensor] = []

    def steps() -> None:
        for batch in windows:
            loss = objective(batch) / (_BATCH * _SEQ_LEN)
            plain_step(loss, parameters, optimizer)
            losses.append(loss.detach())

    steps()
    began = time.perf_counter()
    for _ in range(_N_STEPS // 32):
        steps()
    torch.stack(losses).tolist()
    return (time.perf_counter() - began) / _N_STEPS * 1e6


class _Clock(Logger):
    """Notes when each chunk was logged."""

    name = version = "clock"

    def __init__(self) -> None:
        super().__init__()
        self.times: list[tuple[int, float]] = []

    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        """Only the time."""
        self.times.append((step or 0, time.perf_counter()))

    def log_hyperparams(self, *_: Any, **__: Any) -> None:
        """None."""

    def per_step(self) -> float:
        """Microseconds, from the first note to the last."""
        (first, began), (last, ended) = self.times[0], self.times[-1]
        return (ended - began) / (last - first) * 1e6


def _ours() -> float:
    """The whole of training, from the first chunk's end to the last's."""
    corpus = Noise(Null.vocabulary_size, _SEQ_LEN, n_epochs=_N_STEPS * _BATCH // 1024)
    clock = _Clock()
    with tempfile.TemporaryDirectory() as folder:
        directory = RunDirectory(Path(folder))
        loggers = Tracking(
            config=LoggerConfig(), directory=directory, run_id="null", described={}
        ).start(0)
        runtime = RuntimeConfig(device=Device.cpu)
        batches = Batches(corpus, _SEQ_LEN, _BATCH)
        fit(
            Null(),
            runtime.chunked(batches, "cpu", n_parameters=4, n_tokens=batches.n_tokens()),
            optim=OptimConfig(),
            trainer=TrainerConfig(batch_size=_BATCH),
            runtime=runtime,
            device="cpu",
            is_compiled=False,
            attention_across_documents=True,
            directory=directory,
            loggers=[*loggers, clock],
        )
    return clock.per_step()


def _lightning_defaults() -> float:
    """Lightning as its tutorials have it: progress bar, CSV logger, checkpoints."""
    objective = _objective()
    module = Defaults(
        objective, lambda batch: objective(batch) / batch[:, 1:].numel(), is_fused=True
    )
    windows = torch.zeros(_N_STEPS // 16, _BATCH, _SEQ_LEN + 1, dtype=torch.int32)
    seconds: list[float] = []

    class Timer(lightning.Callback):
        def on_train_batch_end(self, *_: Any) -> None:
            seconds.append(time.perf_counter())

    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        trainer = lightning.Trainer(
            accelerator="cpu",
            max_epochs=1,
            gradient_clip_val=1.0,
            logger=CSVLogger(folder),
            enable_model_summary=False,
            callbacks=[Timer()],
            default_root_dir=folder,
        )
        trainer.fit(module, DataLoader(windows, batch_size=None))  # type: ignore[arg-type]
    return (seconds[-1] - seconds[0]) / (len(seconds) - 1) * 1e6
