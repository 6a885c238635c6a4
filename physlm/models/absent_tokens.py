"""Weights of tokens that a model never had, in a checkpoint that has the ids of a larger tokenizer.

A trimmed vocabulary has only the tokens that its world uses. Its checkpoint gets a row for each id
of the whole tokenizer. The rows of the model's own tokens keep their values. The others are such
that their scores are far below the mean score of the model's own tokens, whatever the text, so that
their probabilities are negligible:

- After a LayerNorm with gain g and bias b, the inner product of every state with 1/g is the same
  number, the sum of b/g, as a normalised vector has mean 0. A multiple of 1/g, added to the mean
  row, lowers a score by the same amount for every text.
- After an RMSNorm there is no such vector. The residual stream gets further coordinates, one of
  which is a small positive constant; it lowers the scores of absent tokens alone. The gains and the
  epsilon of all norms make up for the longer vectors, so that nothing else changes.
"""

from typing import Any, NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from physlm.errors import InputError
from physlm.models.decoder import Decoder
from physlm.models.format_checks import Weights

# Absent tokens score so many nats below the mean of all others.
_BELOW = 50.0
_LARGEST_RMS = 100.0  # of the residual stream, up to which that holds after an RMSNorm
_SMALLEST = 1e-3  # sum of b/g: below, rounding is no longer small against the number of nats

_EMBEDDINGS = ("transformer.wte.weight", "gpt_neox.embed_in.weight", "model.embed_tokens.weight")
_HEAD = "lm_head.weight"
_READS = ("q_proj", "k_proj", "v_proj", "gate_proj", "up_proj")  # layers of Llama, by their input
_WRITES = ("o_proj", "down_proj")


class TokenIds(NamedTuple):
    """Ids of a model's tokens in a larger tokenizer.

    Attributes:
        ids: Id of each of the model's tokens.
        n_ids: Number of ids of the tokenizer.
    """

    ids: Int[Tensor, " tokens"]
    n_ids: int


def with_absent_tokens(model: Decoder, theirs: Any, weights: Weights, place: TokenIds) -> Weights:
    """The weights of a checkpoint with a row for every id; ``theirs`` is changed to match.

    Args:
        model: The model, whose format is known to express it.
        theirs: The configuration of the checkpoint.
        weights: Weights of the checkpoint, by its names.
        place: Ids of the model's tokens in the tokenizer.

    Raises:
        InputError: If the final norm gives no direction in which scores can be lowered.
    """
    (name,) = (name for name in _EMBEDDINGS if name in weights)
    if isinstance(model.norm, nn.LayerNorm):
        found = dict(weights)
        row = _lowered(model.norm, found.get(_HEAD, found[name]))
    else:
        found, row = _widened(theirs, weights, name)
    theirs.vocab_size = place.n_ids
    read = row if _HEAD not in found else found[name].mean(dim=0)
    found[name] = _scattered(found[name], read, place)
    if _HEAD in found:
        found[_HEAD] = _scattered(found[_HEAD], row, place)
    return found


def _scattered(
    rows: Float[Tensor, "tokens width"], absent: Float[Tensor, " width"], place: TokenIds
) -> Float[Tensor, "ids width"]:
    wide = absent.repeat(place.n_ids, 1)
    wide[place.ids] = rows
    return wide


def _lowered(norm: nn.LayerNorm, rows: Float[Tensor, "tokens width"]) -> Float[Tensor, " width"]:
    """A row whose score is a fixed number below the mean score of the given rows."""
    gain, bias = norm.weight.detach().double(), norm.bias.detach().double()
    product = (bias / gain).sum()
    if not _SMALLEST < product.abs() < torch.inf:
        raise InputError(
            f"the final norm's biases over its gains add up to {product:.1g}, too close to 0 to "
            "lower the scores of GPT-2's other tokens; train longer, or use data.tokenizer=compact"
        )
    row = rows.double().mean(dim=0) - _BELOW / product / gain
    return row.to(rows.dtype)


def _widened(
    theirs: Any, weights: Weights, embedding: str
) -> tuple[Weights, Float[Tensor, " width"]]:
    """Weights of a Llama with a constant in its residual stream, and the row of absent tokens."""
    width, n_more = theirs.hidden_size, theirs.num_attention_heads
    wide = width + n_more
    # Half of what the epsilon adds to the squares, so that a positive epsilon is left.
    constant = (theirs.rms_norm_eps * width / 2) ** 0.5
    gain = (width / wide) ** 0.5
    theirs.head_dim = width // n_more
    theirs.hidden_size = wide
    theirs.rms_norm_eps = (theirs.rms_norm_eps * width - constant**2) / wide
    theirs.tie_word_embeddings = False

    def changed(name: str, weight: Tensor) -> Tensor:
        layer = name.split(".")[-2]
        if layer in _READS:
            return _padded(weight, 0, n_more)
        if layer in _WRITES:
            return _padded(weight, n_more, 0)
        if weight.ndim == 1:
            return torch.cat([weight * gain, weight.new_ones(n_more)])
        return weight

    found = {name: changed(name, weight) for name, weight in weights.items()}
    head = _padded(weights.get(_HEAD, weights[embedding]), 0, n_more)
    found[_HEAD] = head
    found[embedding] = _padded(weights[embedding], 0, n_more)
    found[embedding][:, width] = constant
    row = head.mean(dim=0)
    row[width] = -_BELOW * _LARGEST_RMS / constant
    return found, row


def _padded(
    weight: Float[Tensor, "out width"], n_rows: int, n_columns: int
) -> Float[Tensor, "more_out more_width"]:
    return nn.functional.pad(weight, (0, n_columns, 0, n_rows))
