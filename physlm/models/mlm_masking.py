"""Masking for masked language models: tokens to predict, and their replacements in the input."""

from typing import NamedTuple

import torch
from jaxtyping import Bool, Int
from torch import Tensor

# Fractions of the predicted tokens that are replaced by the mask, and by a random token.
_MASK, _RANDOM = 0.8, 0.1

_32_BITS = 2**32 - 1
# The second factor is signed: its product with 32 bits then fits into torch's signed 64 bits.
_FIRST_FACTOR, _SECOND_FACTOR = 0x7FEB352D, 0x846CA68B - 2**32


class Masked(NamedTuple):
    """The model's input, and the tokens to predict.

    Attributes:
        inputs: Token ids, some of them the mask's.
        is_chosen: True at the tokens to predict.
    """

    inputs: Int[Tensor, "batch seq"]
    is_chosen: Bool[Tensor, "batch seq"]


def masked(
    tokens: Int[Tensor, "batch seq"],
    may_be_chosen: Bool[Tensor, "batch seq"],
    *,
    vocabulary_size: int,
    fraction: float,
) -> Masked:
    """Choose a fraction of the tokens; of these 80% become the mask, 10% a random token, 10% stay.

    The choice is a function of the window, so training needs no random state and can be compiled.
    The same window always has the same masks. Texts are redrawn at every exposure and windows cut
    elsewhere, so the masks of a piece of knowledge vary all the same.

    Args:
        tokens: Token ids.
        may_be_chosen: False at padding.
        vocabulary_size: Number of tokens, which is also the mask's id.
        fraction: Fraction of the tokens to choose.

    Source:
        Devlin et al. (2019), BERT, section 3.1.
    """
    chance, kind, other = _noise(tokens)
    is_chosen = _is_below(chance, fraction) & may_be_chosen
    is_mask, is_replaced = _is_below(kind, _MASK), _is_below(kind, _MASK + _RANDOM)
    replacement = torch.where(is_mask, vocabulary_size, other % vocabulary_size)
    return Masked(torch.where(is_chosen & is_replaced, replacement, tokens), is_chosen)


def _noise(tokens: Int[Tensor, "batch seq"]) -> Int[Tensor, "draws=3 batch seq"]:
    """Three 32-bit pseudo-random numbers per position, functions of all tokens of the window."""
    # Summing mixed (token, position) pairs makes one number of the window that depends on order;
    # mixing it with the position again makes independent draws.
    seq_len = tokens.shape[1]
    place = _mixed(torch.arange(1, 3 * seq_len + 1, device=tokens.device))
    window = _mixed(_mixed(tokens ^ place[:seq_len]).sum(dim=1) & _32_BITS)
    return _mixed(window[:, None] ^ place.view(3, 1, seq_len))


def _mixed(x: Int[Tensor, "*any"]) -> Int[Tensor, "*any"]:
    """A 32-bit hash; each bit depends on all bits of x.

    Source:
        Wellons (2018), Prospecting for hash functions: the function lowbias32.
    """
    x = (x ^ (x >> 16)) * _FIRST_FACTOR & _32_BITS
    x = (x ^ (x >> 15)) * _SECOND_FACTOR & _32_BITS
    return x ^ (x >> 16)


def _is_below(noise: Int[Tensor, "batch seq"], fraction: float) -> Bool[Tensor, "batch seq"]:
    """True with probability ``fraction``."""
    is_below: Tensor = noise < round(fraction * 2**32)
    return is_below
