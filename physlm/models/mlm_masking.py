"""Which tokens of a window a masked language model has to tell, and what it reads instead."""

from typing import NamedTuple

import torch
from jaxtyping import Bool, Int
from torch import Tensor

# Of the tokens to be told: the mask is read, a random token is, or the token itself.
_MASK, _RANDOM = 0.8, 0.1

_32_BITS = 2**32 - 1
# Signed, so that a product with 32 bits fits into torch's 64 and nothing overflows.
_FIRST_FACTOR, _SECOND_FACTOR = 0x7FEB352D, 0x846CA68B - 2**32


class Masked(NamedTuple):
    """What is read and what is to be told.

    Attributes:
        inputs: Token ids, the mask's among them.
        is_chosen: True at the tokens to be told.
    """

    inputs: Int[Tensor, "batch seq"]
    is_chosen: Bool[Tensor, "batch seq"]


def masked(
    tokens: Int[Tensor, "batch seq"],
    may_be_chosen: Bool[Tensor, "batch seq"],
    *,
    vocabulary_size: int,
    share: float,
) -> Masked:
    """Choose a share of the tokens; of these 80% become the mask, 10% a random token, 10% stay.

    The choice is a function of the window, so that training needs no state and can be compiled: the
    same window always has the same masks. Training draws its corpora anew at every exposure, and
    cuts them elsewhere, so that what is told of a piece of knowledge changes all the same.

    Args:
        tokens: Token ids.
        may_be_chosen: False at what is no token.
        vocabulary_size: Number of tokens, which is also the mask's id.
        share: How many of the tokens are chosen.

    Source:
        Devlin et al. (2019), BERT, section 3.1.
    """
    chance, kind, other = _noise(tokens)
    is_chosen = _is_below(chance, share) & may_be_chosen
    is_mask, is_replaced = _is_below(kind, _MASK), _is_below(kind, _MASK + _RANDOM)
    replacement = torch.where(is_mask, vocabulary_size, other % vocabulary_size)
    return Masked(torch.where(is_chosen & is_replaced, replacement, tokens), is_chosen)


def _noise(tokens: Int[Tensor, "batch seq"]) -> Int[Tensor, "draws=3 batch seq"]:
    """Three pseudo-random numbers of 32 bits for each place, from all tokens of its window."""
    seq_len = tokens.shape[1]
    place = _mixed(torch.arange(1, 3 * seq_len + 1, device=tokens.device))
    window = _mixed(_mixed(tokens ^ place[:seq_len]).sum(dim=1) & _32_BITS)
    return _mixed(window[:, None] ^ place.view(3, 1, seq_len))


def _mixed(x: Int[Tensor, "*any"]) -> Int[Tensor, "*any"]:
    """Numbers of 32 bits, each bit of which depends on all bits of x.

    Source:
        Wellons (2018), Prospecting for hash functions: the function lowbias32.
    """
    x = (x ^ (x >> 16)) * _FIRST_FACTOR & _32_BITS
    x = (x ^ (x >> 15)) * _SECOND_FACTOR & _32_BITS
    return x ^ (x >> 16)


def _is_below(noise: Int[Tensor, "batch seq"], share: float) -> Bool[Tensor, "batch seq"]:
    """True for that share of all noise."""
    is_below: Tensor = noise < round(share * 2**32)
    return is_below
