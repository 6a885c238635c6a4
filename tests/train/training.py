"""A tiny model trained by our loop: its weights, its counts, its learning curve."""

import dataclasses
import os
import signal

import torch

from physlm.models.architecture import DecoderConfig
from physlm.run_directory import RunDirectory, read_curves
from physlm.train.batches import Batches
from physlm.train.fit import fit, saved_steps
from physlm.train.logger import LoggerConfig
from physlm.train.runtime import Device, RuntimeConfig, is_main_process
from physlm.train.schedule import OptimConfig
from physlm.train.tracking import Tracking
from physlm.train.trainer import TrainerConfig

OPTIM = OptimConfig(learning_rate=3e-3, warmup_steps=4)


@dataclasses.dataclass(frozen=True)
class Marked:
    """Another corpus, of which only every third token and the last of a document are targets."""

    whole: object

    def __getattr__(self, name):
        return getattr(self.whole, name)

    def epoch(self, number, first, last):
        documents = self.whole.epoch(number, first, last)
        is_target = documents.tokens % 3 == 0
        is_target[documents.starts[1:] - 1] = True
        return dataclasses.replace(documents, is_target=is_target)


def train_whole(
    corpus,
    folder,
    *,
    model=None,
    runtime=None,
    optim=OPTIM,
    masked=False,
    is_compiled=False,
    is_profiled=False,
    measure=dict,
    origin=None,
    **trainer,
):
    """Train a tiny model."""
    directory = RunDirectory(folder)
    folder.mkdir(parents=True, exist_ok=True)
    model = model or DecoderConfig(d_model=16, init_std=0.2).build(corpus.vocabulary.size, 12, 0)
    settings = {"device": Device.cpu, "progress_bar": False, "steps_per_chunk": 3}
    trainer_config = TrainerConfig(**({"batch_size": 6} | trainer))
    tracking = Tracking(config=LoggerConfig(), directory=directory, run_id="test", described={})
    loggers = tracking.start(saved_steps(directory.checkpoint)) if is_main_process() else []
    runtime = RuntimeConfig(**(settings | (runtime or {})))
    batches = Batches(corpus, 12, trainer_config.batch_size, runtime.steps_per_chunk)
    return fit(
        model,
        batches,
        optim=optim,
        trainer=trainer_config,
        runtime=runtime,
        device=runtime.resolved_device(),
        is_compiled=is_compiled,
        attention_across_documents=not masked,
        directory=directory,
        loggers=loggers,
        is_profiled=is_profiled,
        measure=measure,
        origin=origin,
    )


def train(corpus, folder, **changes):
    """The trained model, what was done, and the learning curve."""
    trained = train_whole(corpus, folder, **changes)
    return trained.model, trained.progress, read_curves(RunDirectory(folder).metrics)


def stop_after(n, number=signal.SIGTERM):
    """Batches that send the process a signal before their chunk ``n``."""
    chunks = Batches.__iter__

    def interrupted(self):
        for i, chunk in enumerate(chunks(self)):
            if i == n:
                os.kill(os.getpid(), number)
            yield chunk

    return interrupted


def weights(model):
    return torch.cat([p.detach().flatten() for p in model.parameters()])


def losses(curves):
    return [row["train/loss_nats"] for row in curves]
