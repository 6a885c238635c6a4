"""Loss on marked tokens alone, against loops by hand, in every kind of training."""

import dataclasses
import math

import numpy as np
import pytest
import torch

from physlm.config.compose import composed
from physlm.data.corpus import Packing
from physlm.data.packing import pack
from physlm.errors import InputError
from physlm.models.architecture import DecoderConfig, EncoderConfig
from physlm.preparation import _require_targets, prepare
from physlm.train.batches import Batches
from physlm.train.objective import Objective
from tests.train.test_replicas import alone, replicas
from tests.train.test_replicas import train as train_replicas
from tests.train.training import OPTIM, Marked, losses, train, weights


@pytest.fixture(scope="module")
def marked(biod):
    return Marked(biod)


def windows_by_hand(marked, packing):
    """Tokens of each window, and which of them are targets, without the encoding."""
    corpora = marked.whole, Marked(marked.whole)
    plain, own = (
        np.concatenate([block.tokens for block in pack(corpus, 12, packing=packing)])
        for corpus in corpora
    )
    return torch.from_numpy(plain).long(), torch.from_numpy(own >= 0)


def mean_by_hand(model, tokens, is_target):
    """The mean loss over targets, one position after another."""
    total, n = torch.zeros(()), 0
    log_p = model(tokens[:, :-1].clamp(min=0)).log_softmax(-1)
    for row in range(len(tokens)):
        for t in range(tokens.shape[1] - 1):
            if is_target[row, t + 1]:
                total, n = total - log_p[row, t, tokens[row, t + 1]], n + 1
    return total / n, n


def trained_by_hand(marked, n_steps):
    """A plain loop over all continuous windows."""
    model = DecoderConfig(d_model=16, init_std=0.2).build(marked.vocabulary.size, 12, 0)
    matrices = [p for p in model.parameters() if p.dim() == 2]
    others = [p for p in model.parameters() if p.dim() == 1]
    optimizer = OPTIM.build(matrices, others, is_fused=True)
    tokens, is_target = windows_by_hand(marked, Packing.continuous)
    progress = [p for chunk in Batches(marked, 12, 6) for p in chunk.progress]
    for step in range(n_steps):
        rows = slice(step * 6, (step + 1) * 6)
        loss, _ = mean_by_hand(model, tokens[rows], is_target[rows])
        for group in optimizer.param_groups:
            group["lr"] = OPTIM.rate(step, progress[step])
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
    return model


@pytest.mark.parametrize("packing", list(Packing))
def test_the_loss_is_that_of_the_marked_tokens_alone(marked, packing):
    model = DecoderConfig(d_model=16, init_std=0.2).build(marked.vocabulary.size, 12, 0)
    tokens, is_target = windows_by_hand(marked, packing)
    right, n = mean_by_hand(model, tokens[:8], is_target[:8])
    objective = Objective(model, eos=marked.vocabulary.eos, is_visible_across_documents=True)
    chunk = next(iter(Batches(marked, 12, 8, packing=packing)))
    assert chunk.n_targets[0] == n
    assert chunk.n_tokens[0] == 8 * 12
    loss = objective(chunk.windows[0]) / chunk.n_targets[0]
    assert loss.item() == pytest.approx(right.item(), rel=1e-5)


def test_documents_are_told_apart_by_tokens_that_are_no_targets(marked):
    model = DecoderConfig(d_model=16, init_std=0.2).build(marked.vocabulary.size, 12, 0)
    tokens, is_target = windows_by_hand(marked, Packing.continuous)
    eos = marked.vocabulary.eos
    assert not is_target[tokens == eos].all()
    objective = Objective(model, eos=eos, is_visible_across_documents=False)
    segments = (tokens[:8, :-1] == eos).cumsum(1)
    targets = tokens[:8, 1:].masked_fill(~is_target[:8, 1:], -1)
    right = model.loss(tokens[:8, :-1], targets, segments)
    chunk = next(iter(Batches(marked, 12, 8)))
    assert objective(chunk.windows[0]).item() == pytest.approx(right.item(), rel=1e-6)


def test_training_is_the_plain_loop_over_marked_tokens(marked, tmp_path):
    model, done, _ = train(marked, tmp_path)
    torch.testing.assert_close(weights(model), weights(trained_by_hand(marked, done.steps)))
    n_documents = sum(len(marked.epoch(e, 0, 24).tokens) for e in range(4))
    assert done.tokens == n_documents  # the first of an epoch is none, the closing one is


@pytest.mark.usefixtures("uncompiled")
def test_whole_steps_in_parts_count_marked_tokens(marked, tmp_path):
    plain, _, curves = train(marked, tmp_path / "plain")
    changes = {"gradient_accumulation_steps": 3, "is_compiled": True}
    other, _, again = train(marked, tmp_path / "other", **changes)
    torch.testing.assert_close(weights(other), weights(plain), atol=1e-5, rtol=1e-4)
    assert losses(again) == pytest.approx(losses(curves), rel=1e-5)


def test_replicas_count_marked_tokens(marked, tmp_path):
    def made():
        return [
            dataclasses.replace(own, batches=dataclasses.replace(own.batches, corpus=marked))
            for own in replicas(seeds=(0, 1), n_epochs=2)
        ]

    found = train_replicas(made(), tmp_path / "both")
    for own, replica in zip(found, made(), strict=True):
        right = alone(replica, tmp_path).model
        torch.testing.assert_close(weights(own.model), weights(right), atol=1e-4, rtol=1e-3)


def test_ranks_share_the_count_of_all_marked_tokens(marked):
    whole = list(Batches(marked, 12, 6))
    for rank in range(2):
        shares = list(Batches(marked, 12, 6).shared(rank, 2))
        assert [own.n_targets for own in shares] == [chunk.n_targets for chunk in whole]
        assert [own.n_tokens for own in shares] == [chunk.n_tokens for chunk in whole]


def test_a_step_without_a_marked_token_has_no_loss(marked, tmp_path):
    nothing = Marked(marked.whole)
    object.__setattr__(nothing, "epoch", lambda *a: unmarked(marked.whole.epoch(*a)))
    _, done, curves = train(nothing, tmp_path)
    assert done.steps > 0
    assert all(loss == 0 and math.isfinite(loss) for loss in losses(curves))


def unmarked(documents):
    return dataclasses.replace(documents, is_target=np.zeros(len(documents.tokens), dtype=bool))


def test_a_masked_model_is_refused(marked, biod):
    encoder = EncoderConfig(d_model=16).build(marked.vocabulary.size, 12, 0)
    _require_targets(encoder, biod)
    with pytest.raises(InputError, match="this model predicts masked tokens"):
        _require_targets(encoder, marked)
    with pytest.raises(InputError, match="this model predicts masked tokens"):
        prepare(composed(("+experiment=copy", "model=bert")))
