"""Positions of token windows at which predictions are analysed."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import polars as pl
import torch
from jaxtyping import Bool, Int
from torch import Tensor

from physlm.errors import InputError
from physlm.models.cross_entropy import NO_TARGET


@dataclass(frozen=True, slots=True, kw_only=True)
class Positions:
    """Which tokens of the windows are read for a prediction; each predicts the token after it.

    Attributes:
        lengths: Tokens of each window, which is padded on the right; None if no window is padded.
        segments: Segment number of each token of packed documents, ascending along a window; None
            for one document per window. A token predicts within its segment only.
        documents: Document of each token, if one document has several segments, such as the
            biographies of one person; None to count segments. Standard errors are over documents.
        is_chosen: True at the tokens to analyse; None for all.
        skip_first: Tokens left out at the start of each segment. The first token carries massive
            activations in many models.
        tags: Columns of the rows by name, such as the class of the next token. An entry belongs to
            the token that is read, not to the one that is predicted.
    """

    lengths: Int[Tensor, " batch"] | None = None
    segments: Int[Tensor, "batch seq"] | None = None
    documents: Int[Tensor, "batch seq"] | None = None
    is_chosen: Bool[Tensor, "batch seq"] | None = None
    skip_first: int = 1
    tags: Mapping[str, np.ndarray] = field(default_factory=dict)

    def table(self, tokens: Int[Tensor, "batch seq"]) -> pl.DataFrame:
        """One row per prediction, in reading order.

        Columns are ``window`` and ``offset`` of the token in the window, ``document``, ``position``
        of the token in its segment, ``target``, the token after it in its segment (-1 if there is
        none), and the tags.

        Raises:
            InputError: If a field does not have the shape of the tokens, or no position is left.
        """
        tokens = tokens.cpu()
        self._check(tokens)
        starts, position = self._segmented(tokens)
        is_read = self._is_read(tokens)
        is_kept = is_read & (position >= self.skip_first)
        if self.is_chosen is not None:
            is_kept &= self.is_chosen.cpu()
        if not is_kept.any():
            raise InputError(
                f"no position is left with skip_first={self.skip_first}; give longer texts"
            )
        has_next = ~starts[:, 1:] & is_read[:, 1:]
        target = torch.full_like(tokens, NO_TARGET)
        target[:, :-1] = torch.where(has_next, tokens[:, 1:], NO_TARGET)
        if self.documents is None:
            document = (starts.flatten().cumsum(0) - 1).view_as(tokens)
        else:
            document = self.documents.cpu()
        window, offset = is_kept.nonzero(as_tuple=True)
        columns = {"document": document, "position": position, "target": target}
        return pl.DataFrame(
            {"window": window.numpy(), "offset": offset.numpy()}
            | {name: values[is_kept].numpy() for name, values in columns.items()}
            | {name: values[is_kept.numpy()] for name, values in self.tags.items()}
        )

    def _is_read(self, tokens: Tensor) -> Tensor:
        if self.lengths is None:
            return torch.ones_like(tokens, dtype=torch.bool)
        return torch.arange(tokens.shape[1]) < self.lengths.cpu()[:, None]

    def _segmented(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """Whether each token starts a segment, and its position in its segment."""
        starts = torch.zeros_like(tokens, dtype=torch.bool)
        starts[:, 0] = True
        if self.segments is not None:
            starts[:, 1:] = (self.segments[:, 1:] != self.segments[:, :-1]).cpu()
        offsets = torch.arange(tokens.shape[1]).expand_as(tokens)
        first = torch.where(starts, offsets, 0).cummax(dim=1).values
        return starts, offsets - first

    def _check(self, tokens: Tensor) -> None:
        given = {
            "segments": self.segments,
            "documents": self.documents,
            "is_chosen": self.is_chosen,
        }
        for name, values in {**given, **self.tags}.items():
            if values is not None and tuple(values.shape) != tuple(tokens.shape):
                raise InputError(
                    f"{name} has shape {tuple(values.shape)}, the tokens {tuple(tokens.shape)}; "
                    "give one entry per token"
                )
        if self.lengths is not None and len(self.lengths) != len(tokens):
            raise InputError(
                f"lengths has {len(self.lengths)} entries for {len(tokens)} windows; give one each"
            )
