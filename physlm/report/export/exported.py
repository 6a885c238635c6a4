"""A finished run written as a folder for `transformers` and lm-evaluation-harness."""

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import torch

from physlm.atomic import building
from physlm.config import recorded
from physlm.data.corpus import Corpus
from physlm.models.pretrained_weights import quiet
from physlm.report.exploration.run_subject import world_of
from physlm.report.export.card import RECORD, Example, model_card
from physlm.report.export.checkpoint import Checkpoint, decoder_of, write_checkpoint
from physlm.report.export.harness import HarnessTask, harness_tasks, write_tasks
from physlm.run_directory import RunDirectory

_LONGEST_PROMPT = 12  # tokens of a document that is continued in the card


class Exported(NamedTuple):
    """What was exported.

    Attributes:
        checkpoint: The model.
        tasks: Of lm-evaluation-harness.
        example: A prompt with what the model writes.
    """

    checkpoint: Checkpoint
    tasks: list[HarnessTask]
    example: Example


def export(run: Path, folder: Path) -> Exported:
    """Write a finished run to a folder, which appears only when it is complete.

    Args:
        run: The directory of a run with a record and weights.
        folder: New, or empty.

    Raises:
        DivergedError: If the run diverged.
        UnmeasuredError: If a scorer has not measured yet.
        InputError: If its model cannot be expressed, or its weights have changed.
    """
    directory = RunDirectory(run)
    record = directory.read_record()
    assert record is not None
    record.raise_unless_finished()
    config = recorded(run)
    world = world_of(run)
    model = decoder_of(world.model, str(run)).to("cpu")
    with building(folder) as temporary, quiet():
        checkpoint = write_checkpoint(model, world.corpus, temporary)
        tasks = harness_tasks(world.corpus, config.eval)
        if tasks:
            write_tasks(tasks, temporary)
        example = _example(checkpoint, world.corpus, tasks)
        card = model_card(config, record, checkpoint, tasks, example)
        (temporary / "README.md").write_text(card, encoding="utf-8")
        shutil.copyfile(directory.record, temporary / RECORD)
    return Exported(checkpoint, tasks, example)


@torch.no_grad()
def _example(checkpoint: Checkpoint, corpus: Corpus, tasks: Sequence[HarnessTask]) -> Example:
    """A question of the world, or the beginning of a document, with its continuation."""
    prompt = tasks[0].rows[0]["prompt"] if tasks else _beginning(corpus)
    read = checkpoint.tokenizer(prompt, return_tensors="pt")
    written = checkpoint.model.generate(**read, max_new_tokens=20, do_sample=False)[0]
    new = written[read["input_ids"].shape[1] :]
    return Example(prompt, checkpoint.tokenizer.decode(new, skip_special_tokens=True))


def _beginning(corpus: Corpus) -> str:
    document = corpus.epoch(0, 0, 1).tokens
    n = min(_LONGEST_PROMPT, max(2, len(document) // 2))
    return corpus.vocabulary.decode(document[1:n])
