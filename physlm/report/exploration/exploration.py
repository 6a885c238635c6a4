"""What each state of a model predicts at every position of one text, in plain values."""

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl
import torch

from physlm.analysis.depth import Positions, trace
from physlm.analysis.depth.token_text import visible
from physlm.analysis.depth.top_tokens import top_tokens
from physlm.analysis.lenses import Lens
from physlm.report.exploration.subject import Subject

LISTED = 10  # tokens that the page lists


@dataclass(frozen=True, slots=True, kw_only=True)
class Exploration:
    """What each state predicts at every position of one text and its continuation.

    Attributes:
        name: Of the model.
        lens: How its states were read.
        rows: Of ``trace`` and ``top_tokens``, one for each token that was read.
        tokens: The tokens.
        n_given: How many of them are the text's; the model itself wrote the others.
        texts: Visible text of every token in the rows and the text.
    """

    name: str
    lens: str
    rows: pl.DataFrame
    tokens: list[int]
    n_given: int
    texts: dict[int, str]

    @property
    def inputs(self) -> list[str]:
        """Visible text of each token that was read."""
        return [self.texts[token] for token in self.tokens]


def explored(
    subject: Subject, tokens: Sequence[int], n_given: int, lens: Lens, lens_name: str, *, n_top: int
) -> Exploration:
    """Read the states of a model at every position of one text.

    Args:
        subject: The model.
        tokens: The tokens of the text and of its continuation.
        n_given: Tokens of the text alone.
        lens: Reads the states.
        lens_name: Its description.
        n_top: Likeliest tokens that are wanted at each state; `LISTED` at least are found.
    """
    window = torch.tensor([tokens])
    every, model = Positions(skip_first=0), subject.model
    rows = pl.concat(
        [
            trace(model, window, lens, every),
            top_tokens(model, window, lens, every, k=max(n_top, LISTED)),
        ],
        how="horizontal",
    )
    found = {*tokens, *rows["top_tokens"].to_numpy().ravel().tolist()}
    return Exploration(
        name=subject.name,
        lens=lens_name,
        rows=rows,
        tokens=list(tokens),
        n_given=n_given,
        texts={token: visible(text) for token, text in subject.texts_of(found).items()},
    )
