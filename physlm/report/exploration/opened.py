"""The model of a source, ready to be explored."""

import torch

from physlm.models.pretrained import load_pretrained
from physlm.preparation import World
from physlm.report.exploration.checkpoint_subject import CheckpointSubject
from physlm.report.exploration.run_subject import RunSubject, world_of
from physlm.report.exploration.source import Source
from physlm.report.exploration.subject import Subject


def opened(source: Source) -> Subject:
    """The model of a run or checkpoint, on a GPU if there is one.

    Raises:
        InputError: If it cannot be loaded, or is an encoder.
    """
    name = str(source.path)
    if not source.is_run:
        model = load_pretrained(source.path)
        model.to("cuda" if torch.cuda.is_available() else "cpu")
        return CheckpointSubject(name, model, model.text)
    return subject_of(name, world_of(source.path))


def subject_of(name: str, world: World) -> Subject:
    """The model of a run.

    Raises:
        InputError: If it is an encoder.
    """
    if world.model.text is not None:  # a run that measured a checkpoint
        return CheckpointSubject(name, world.model, world.model.text)
    return RunSubject(name, world.model, world.corpus)
