"""Runs that train anew on what a filter keeps of the documents of their parent."""

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from physlm.config import composed
from physlm.errors import InputError
from physlm.frames import read_frame
from physlm.pipeline import execute
from physlm.preparation import corpus_of, prepare
from physlm.run_directory import RunDirectory

PARENT = (
    "+experiment=sums data.modulus=5 data.n_steps=2 data.n_texts=400 data.seq_len=21 "
    "data.corrupted_fraction=0.3 model.n_layers=1 model.n_heads=2 model.d_model=16 "
    "trainer.batch_size=8 optim.warmup_steps=5 eval.held_out_texts.n_texts=20 "
    "eval.held_out_texts.n_curve_texts=5 runtime.n_evaluations=1"
)
MEASURED = "eval=[held_out_texts,spectral_filter] eval.spectral_filter.metrics=[smoothness]"
WORDS = (
    "data.seq_len=21",
    "data.kept_fraction=0.5",
    "trainer.batch_size=8",
    "optim.warmup_steps=5",
    "eval.held_out_texts.n_texts=20",
    "eval.held_out_texts.n_curve_texts=5",
    "runtime.n_evaluations=1",
    "runtime.progress_bar=false",
    "runtime.compile=false",
)


def child(runs_dir, by, *, scores_all=True, corrupted="data.corrupted_fraction=0.3"):
    parent = PARENT.replace("data.corrupted_fraction=0.3", corrupted)
    parent = f"{parent} {MEASURED} eval.spectral_filter.scores_all={str(scores_all).lower()}"
    words = ("+experiment=spectral_filter", f"init_from='{parent}'", f"data.by={by}", *WORDS)
    return composed((*words, f"runs_dir={runs_dir}"))


@pytest.mark.slow
def test_a_filtered_run_trains_from_the_same_random_weights_on_the_best_scores(tmp_path):
    chosen = child(tmp_path, "spectra")
    record = execute(chosen, RunDirectory(chosen.run_dir)).record
    assert record.status == "finished"
    assert any(metric.name == "texts/accuracy" for metric in record.metrics)
    scores = read_frame(RunDirectory(chosen.parent.run_dir).table("filter_scores"))
    values, corpus = scores["spectra"].to_numpy(), corpus_of(chosen)
    assert len(corpus.kept) == 200
    assert values[corpus.kept].min() >= np.delete(values, corpus.kept).max()
    started = prepare(chosen, is_started=True).model
    fresh = prepare(chosen.parent.config).model
    for own, other in zip(started.parameters(), fresh.parameters(), strict=True):
        torch.testing.assert_close(own, other)
    trained = load_file(RunDirectory(chosen.parent.run_dir).model)
    assert not torch.equal(trained["embedding.weight"], started.embedding.weight)


@pytest.mark.slow
def test_a_finished_parent_without_scores_is_refused_with_the_remedy(tmp_path):
    chosen = child(tmp_path, "log_probability", scores_all=False)
    with pytest.raises(
        InputError, match=r"measure it with .* eval.spectral_filter.scores_all=true"
    ):
        execute(chosen, RunDirectory(chosen.run_dir))


def test_a_parent_without_corrupted_documents_is_refused_before_anything_is_trained(tmp_path):
    with pytest.raises(InputError, match="set data.corrupted_fraction in init_from"):
        prepare(child(tmp_path, "truth", corrupted="data.corrupted_fraction=0"))
