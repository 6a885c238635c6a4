"""From biographies to answers, through the pipeline: finetuned, with adapters, and mixed."""

import pytest

from physlm.config import composed, register
from physlm.measurement import by_text
from physlm.pipeline import execute
from physlm.run_directory import RunDirectory

register()

pytestmark = pytest.mark.slow

MODEL = "model.d_model=32 model.n_layers=1 optim.learning_rate=5e-3 optim.warmup_steps=5"
TOLD = (
    "data.n_people=24 data.tokenizer=compact data.include_question_vocabulary=true "
    "+augmentation=multi2_permute"
)
PEOPLE = (
    f"data=bios {TOLD} data.exposures=60 data.seq_len=128 eval=recall trainer.batch_size=4 {MODEL}"
)


def carried_out(folder, *words, init_from=None):
    overrides = [
        *words,
        f"runs_dir={folder}",
        "runtime.progress_bar=false",
        "runtime.n_threads=1",
        "runtime.compile=false",
    ]
    overrides += [] if init_from is None else [f"init_from='{init_from}'"]
    chosen = composed(tuple(overrides))
    return by_text(execute(chosen, RunDirectory(chosen.run_dir)).record.metrics)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("knowledge")


def test_questions_are_finetuned_on_and_answered_by_those_who_were_asked_about(folder):
    words = [
        "data=questions",
        "data.exposures=100",
        "data.seq_len=64",
        "model=inherited",
        "optim.learning_rate=1e-2",
        "optim.warmup_steps=10",
        "trainer.batch_size=1",
        "eval=qa",
    ]
    metrics = carried_out(folder, *words, init_from=PEOPLE)
    known = metrics["qa/exact_match{split=train_people}"]
    others = metrics["qa/exact_match{split=held_out_people}"]
    assert known.n == others.n == 12 * 6
    assert known.value > 0.5
    assert others.value < 0.25


def test_mixed_training_reads_both_and_is_measured_on_both(folder):
    words = [
        "data=mixed",
        "data.biographies.n_people=24",
        "data.biographies.tokenizer=compact",
        "data.exposures=40",
        "data.seq_len=64",
        "data.question_fraction=0.5",
        "trainer.batch_size=1",
        *MODEL.split(),
    ]
    asked, stored = (carried_out(folder, *words, f"eval={name}") for name in ("qa", "recall"))
    assert asked["qa/exact_match{split=train_people}"].value > 0.1
    assert stored["recall/accuracy{split=train}"].n == 24


def test_probes_run_on_what_was_trained(folder):
    words = [*PEOPLE.replace("eval=recall", "eval=q_probe").split(), "eval.q_probe.n_steps=20"]
    metrics = carried_out(folder, *words, "eval.q_probe.tasks=[whole/major]")
    assert metrics["q_probe/accuracy{attribute=major,part=whole,split=test}"].n == 12
