"""A process that trains for `ddp`, and which Lightning starts again for each further rank."""

import argparse
from dataclasses import replace
from pathlib import Path

from benchmarks.shapes import ON_CPU, Shape
from physlm.run_directory import RunDirectory
from physlm.train.batches import Batches
from physlm.train.cpu import use_processor
from physlm.train.fit import fit
from physlm.train.logger import LoggerConfig
from physlm.train.runtime import Device, RuntimeConfig, is_main_process
from physlm.train.schedule import OptimConfig
from physlm.train.tracking import Tracking
from physlm.train.trainer import Precision, TrainerConfig

_TURNS = 80  # a shape's steps of one turn, as often: about half a minute


def main() -> None:
    """Train a shape for a few hundred steps; only the curves are kept."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ddp_run", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("shape", type=int, help="number of a shape on CPUs")
    parser.add_argument("precision", choices=["fp32", "bf16"])
    parser.add_argument("n_ranks", type=int)
    parser.add_argument("n_cores", type=int, help="for each rank")
    given = parser.parse_args()
    use_processor(n_threads=1, n_processes=1)
    runtime = RuntimeConfig(
        device=Device.cpu, n_devices=given.n_ranks, n_cores=given.n_cores, progress_bar=False
    )
    trained(ON_CPU[given.shape], Precision(given.precision), runtime, RunDirectory(given.folder))


def trained(
    shape: Shape, precision: Precision, runtime: RuntimeConfig, directory: RunDirectory
) -> None:
    """Train a shape and write its curves."""
    n_steps = _TURNS * shape.n_steps
    corpus = replace(shape.corpus(), n_documents=n_steps * shape.batch_size, n_epochs=1)
    batches, model = Batches(corpus, shape.seq_len, shape.batch_size), shape.model()
    n_parameters = sum(parameter.numel() for parameter in model.parameters())
    tracking = Tracking(config=LoggerConfig(), directory=directory, run_id="ddp", described={})
    fit(
        model,
        runtime.chunked(batches, "cpu", n_parameters, batches.n_tokens()),
        optim=OptimConfig(warmup_steps=1),
        trainer=TrainerConfig(batch_size=shape.batch_size, precision=precision),
        runtime=runtime,
        device="cpu",
        is_compiled=True,
        attention_across_documents=True,
        directory=directory,
        loggers=tracking.start(0) if is_main_process() else [],
    )


if __name__ == "__main__":
    main()
