"""Texts that are corrupted until their world rejects them."""

from collections.abc import Callable, Sequence

import numpy as np
from jaxtyping import Bool, Int32, Int64

Text = Int32[np.ndarray, " _tokens"]

_MOST_TRIES = 50  # corruptions of one text
_MOST_BLOCKS = 16  # blocks of texts to search for enough pairs


def refused_versions(
    n: int,
    corrupt: Callable[[Int64[np.ndarray, " chosen"]], Sequence[Text | None]],
    accepts: Callable[[list[Text]], Bool[np.ndarray, " chosen"]],
) -> list[Text | None]:
    """A corrupted version of each text that its world rejects, or None if none is found.

    A single change may lead from one right text to another; such a text is corrupted again.

    Args:
        n: Number of texts.
        corrupt: Corrupts the texts with these numbers; None for a text that cannot be corrupted.
        accepts: Returns which texts are right.
    """
    found: list[Text | None] = [None] * n
    pending = np.arange(n)
    for _ in range(_MOST_TRIES):
        versions = [
            (int(i), version)
            for i, version in zip(pending, corrupt(pending), strict=True)
            if version is not None
        ]
        if not versions:
            break
        is_valid = accepts([version for _, version in versions])
        for (i, version), is_right in zip(versions, is_valid, strict=True):
            found[i] = None if is_right else version
        pending = np.array([i for i, _ in versions], dtype=np.int64)[is_valid]
    return found


def collected(
    n_problems: int, block: Callable[[int], tuple[Sequence[Text], Sequence[Text | None]]], what: str
) -> tuple[list[Text], list[Text]]:
    """Right texts with their wrong versions, from blocks in which some texts have none.

    Args:
        n_problems: Number of pairs.
        block: The right and wrong texts of a numbered block; empty if there are no more.
        what: The corruption and its dose, for the error.

    Raises:
        ValueError: If too few texts have a wrong version.
    """
    valid: list[Text] = []
    wrong: list[Text] = []
    n_seen = 0
    for number in range(_MOST_BLOCKS):
        texts, versions = block(number)
        n_seen += len(texts)
        for text, version in zip(texts, versions, strict=True):
            if version is not None:
                valid.append(text)
                wrong.append(version)
        if len(valid) >= n_problems:
            return valid[:n_problems], wrong[:n_problems]
        if not valid or len(texts) == 0:
            break
    raise ValueError(
        f"{what}: only {len(valid)} of {n_seen} texts can be corrupted so, but n_problems="
        f"{n_problems}; lower n_problems or n_errors, or use another corruption"
    )
