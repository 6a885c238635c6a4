"""States of windows against direct calls of the model."""

import pytest
import torch

from physlm.analysis.lenses.state_pool import StatePool, Windows
from physlm.errors import InputError
from physlm.rng import stream
from tests.models.test_transformer import build


def tokens():
    """Windows whose first tokens differ, so that no two states are equal."""
    drawn = torch.randint(20, (6, 12), generator=torch.Generator().manual_seed(0))
    drawn[:, 0] = torch.arange(6)
    return drawn


def rows(states):
    """Tokens as a set: their states in an order that does not depend on that of the pool."""
    flat = states.permute(1, 0, 2).flatten(1)
    return flat[flat[:, -1].argsort()]


@torch.no_grad()
@pytest.mark.parametrize("n_kept", [2**28, 1])
def test_every_counted_token_is_there_once(n_kept):
    model, is_visible = build("llama"), torch.arange(12) < torch.tensor([[12, 9, 5, 3, 2, 1]]).T
    pool = StatePool(model, Windows(tokens(), is_visible), skip_first=2, seed=0, n_kept=n_kept)
    is_counted = is_visible & (torch.arange(12) >= 2)
    expected = model.residuals(tokens())[:, is_counted]
    found = torch.cat(list(pool), dim=1)
    torch.testing.assert_close(rows(found), rows(expected))
    assert torch.equal(torch.cat(list(pool), dim=1), found)


@torch.no_grad()
def test_the_first_tokens_of_every_segment_are_left_out():
    model, segments = build("llama"), (torch.arange(12) >= 5).long().expand(6, -1) * 3
    windows = Windows(tokens(), segments=segments)
    is_counted = windows.counted(2)
    assert is_counted[0].tolist() == [False] * 2 + [True] * 3 + [False] * 2 + [True] * 5
    found = next(iter(StatePool(model, windows, skip_first=2, seed=0)))
    expected = model.residuals(tokens(), segments=segments)[:, is_counted]
    torch.testing.assert_close(rows(found), rows(expected))


@torch.no_grad()
def test_shuffling_moves_state_l_to_other_tokens_and_nothing_else():
    model = build("llama")
    plain = next(iter(StatePool(model, Windows(tokens()), skip_first=0, seed=0)))
    pool = StatePool(model, Windows(tokens()), skip_first=0, seed=0, is_shuffled=True)
    shuffled = next(iter(pool))
    assert torch.equal(shuffled[-1], plain[-1])
    assert torch.equal(rows(shuffled[:-1]), rows(plain[:-1]))
    assert (shuffled[0] == plain[0]).all(-1).float().mean() < 0.2


def test_a_pass_uses_every_token_at_most_once():
    pool = StatePool(build("llama"), Windows(tokens()), skip_first=0, seed=0)
    batches = pool.batches(30, stream(0, "test"))
    first, second = next(batches), next(batches)
    assert first.shape == (3, 30, 32)
    assert len(torch.cat([first, second], dim=1)[1].unique(dim=0)) == 60


def test_the_model_stays_as_it_was():
    model = build("llama").train()
    next(iter(model.parameters())).requires_grad_(False)
    before = [parameter.requires_grad for parameter in model.parameters()]
    list(StatePool(model, Windows(tokens()), skip_first=0, seed=0))
    assert model.training
    assert [parameter.requires_grad for parameter in model.parameters()] == before


def test_windows_without_a_counted_token_are_refused():
    with pytest.raises(InputError, match="no visible token after the first skip_first=12"):
        StatePool(build("llama"), Windows(tokens()), skip_first=12, seed=0)
