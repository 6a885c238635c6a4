import pytest
import scipy.stats
import torch

from physlm.models.mlm_masking import masked

VOCABULARY, FRACTION = 50, 0.15


def random_windows(n=2000, seq_len=100, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, VOCABULARY, (n, seq_len), generator=generator)


def drawn(tokens, may_be_chosen=None):
    allowed = torch.ones_like(tokens, dtype=torch.bool) if may_be_chosen is None else may_be_chosen
    return masked(tokens, allowed, vocabulary_size=VOCABULARY, fraction=FRACTION)


def is_probable(n_found, n, share):
    return scipy.stats.binomtest(int(n_found), int(n), share).pvalue > 1e-4


@pytest.mark.parametrize("windows", ["random", "alike"])
def test_shares_are_berts(windows):
    tokens = random_windows()
    if windows == "alike":  # all of one token, but for one other
        tokens = torch.full_like(tokens, 3)
        tokens[torch.arange(2000), torch.arange(2000) % 100] = torch.arange(2000) // 100 + 4
    inputs, is_chosen = drawn(tokens)
    n_chosen = is_chosen.sum()
    is_other = is_chosen & (inputs != tokens) & (inputs != VOCABULARY)
    assert is_probable(n_chosen, tokens.numel(), FRACTION)
    assert is_probable((inputs == VOCABULARY).sum(), n_chosen, 0.8)
    # One random token in as many as there are is the token itself.
    assert is_probable(is_other.sum(), n_chosen, 0.1 * (1 - 1 / VOCABULARY))
    assert torch.equal(inputs[~is_chosen], tokens[~is_chosen])


def test_every_place_and_every_token_is_drawn_alike():
    tokens = random_windows(20_000, 20)
    inputs, is_chosen = drawn(tokens)
    assert scipy.stats.chisquare(is_chosen.sum(0)).pvalue > 1e-4
    others = inputs[is_chosen & (inputs != tokens) & (inputs != VOCABULARY)]
    assert scipy.stats.chisquare(torch.bincount(others, minlength=VOCABULARY)).pvalue > 1e-4


def test_neighbours_are_chosen_and_hidden_independently():
    inputs, is_chosen = drawn(random_windows())
    for distance in (1, 2, 16):
        both = is_chosen[:, distance:] & is_chosen[:, :-distance]
        assert is_probable(both.sum(), both.numel(), FRACTION**2)
        is_hidden = (inputs == VOCABULARY)[:, :-distance][both]
        assert is_probable(is_hidden.sum(), both.sum(), 0.8)


def test_a_window_always_has_the_same_masks_wherever_it_stands():
    tokens = random_windows(50)
    first, again = drawn(tokens), drawn(tokens.flip(0))
    assert torch.equal(first.inputs, again.inputs.flip(0))
    assert torch.equal(first.is_chosen, again.is_chosen.flip(0))


@pytest.mark.parametrize("change", ["last token", "order"])
def test_windows_that_differ_little_have_independent_masks(change):
    tokens = random_windows()
    other = tokens.clone()
    if change == "order":
        other[:, [0, 1]] = tokens[:, [1, 0]]
        is_other = tokens[:, 0] != tokens[:, 1]
    else:
        other[:, -1] = (other[:, -1] + 1) % VOCABULARY
        is_other = torch.ones(len(tokens), dtype=torch.bool)
    both = (drawn(tokens).is_chosen & drawn(other).is_chosen)[is_other]
    assert is_probable(both.sum(), both.numel(), FRACTION**2)


def test_what_may_not_be_chosen_is_read_as_it_is():
    tokens = random_windows()
    allowed = torch.arange(100) < torch.randint(0, 101, (2000, 1))
    inputs, is_chosen = drawn(tokens, allowed)
    assert not is_chosen[~allowed].any()
    assert torch.equal(inputs[~allowed], tokens[~allowed])
    assert is_probable(is_chosen.sum(), allowed.sum(), FRACTION)
