"""Questions with options: which option each state predicts, and when their order is settled."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

import numpy as np
import polars as pl
import torch
from jaxtyping import Int
from torch import Tensor

from physlm.analysis.depth.compared_states import compared_states
from physlm.analysis.depth.depth_means import by_state
from physlm.analysis.depth.document_means import document_means
from physlm.analysis.depth.measured_columns import measured_column, state_column
from physlm.analysis.depth.positions import Positions
from physlm.analysis.depth.scores import Scores
from physlm.analysis.lenses.lens import Lens
from physlm.errors import InputError
from physlm.models.language_model import LanguageModel


def trace_options(
    model: LanguageModel,
    prompts: Int[Tensor, "batch seq"],
    lens: Lens,
    options: Int[Tensor, "rows options"],
    answers: Int[Tensor, " answers"],
    positions: Positions | None = None,
    *,
    states: Sequence[int] | None = None,
    batch_size: int = 32,
) -> pl.DataFrame:
    """What every state predicts after each prompt, as one row per prompt.

    Columns that differ by state are arrays, as those of ``trace``. Options are numbered as given;
    the predicted option is the one with the highest score at state L.

    - ``document``, ``answer``, ``final``: the prompt, the correct option, the predicted option.
    - ``state``, ``choice``: numbers of the states, and the option with the highest score at each.
    - ``final_rank``, ``answer_rank``, ``best_rank``, ``worst_rank``: ranks in the vocabulary of the
      predicted, the correct, the highest and the lowest option.
    - ``mass``: probability of all options together.
    - ``rank/I``, ``probability/I``: rank and probability of option I.
    - ``order_settled``: the first state from which on the order of the options is the final one.

    Args:
        model: A causal model.
        prompts: Token ids, padded on the right.
        lens: Reads the scores of each state.
        options: Token of each option of each prompt.
        answers: Number of the correct option.
        positions: Lengths, documents and tags of the prompts; None for whole rows. The last token
            of each prompt is read.
        states: State numbers from 0 to L; None for all that the lens reads. State L is always
            included.
        batch_size: Prompts of one forward pass.

    Raises:
        InputError: If two options of a prompt coincide, an answer is not one of them, or for the
            reasons of ``trace``.
    """
    _check(options, answers, len(prompts))
    positions = replace(
        positions or Positions(), is_chosen=_is_last(prompts, positions), skip_first=0
    )
    table = positions.table(prompts)

    def compare(_: Scores, rows: Tensor) -> Callable[[Scores], dict[str, Tensor]]:
        return partial(_measured, options=options[rows].to(model.device))

    numbers, found = compared_states(
        model, prompts, lens, positions, compare, states=states, batch_size=batch_size
    )
    return table.drop("window", "offset", "position", "target").with_columns(
        state_column(numbers, len(table)),
        *_columns(found, answers.cpu().numpy(), np.array(numbers)),
    )


def option_means(rows: pl.DataFrame, by: Sequence[str] = ()) -> pl.DataFrame:
    """Means at every state over prompts; see ``document_means``.

    Quantities are ``accuracy`` and ``agreement`` of the choice with the correct and the predicted
    option, reciprocal ranks of both in the vocabulary, ``mass``, and the fractions of prompts
    with all or with any of their options in the top K of the vocabulary, for K = number of options,
    10 and 100: ``all_in_top_10`` and so on.
    """
    n_options = sum(name.startswith("rank/") for name in rows.columns)
    tops = sorted({n_options, 10, 100})
    every = by_state(rows).with_columns(
        (pl.col("choice") == pl.col("answer")).alias("accuracy"),
        (pl.col("choice") == pl.col("final")).alias("agreement"),
        *((1 / pl.col(f"{of}_rank")).alias(f"reciprocal_{of}_rank") for of in ("final", "answer")),
        *((pl.col("worst_rank") <= k).alias(f"all_in_top_{k}") for k in tops),
        *((pl.col("best_rank") <= k).alias(f"any_in_top_{k}") for k in tops),
    )
    quantities = [
        *("accuracy", "agreement", "reciprocal_final_rank", "reciprocal_answer_rank", "mass"),
        *(f"{which}_in_top_{k}" for which in ("all", "any") for k in tops),
    ]
    return document_means(every, quantities, [*by, "state"])


def _measured(scores: Scores, options: Int[Tensor, "n options"]) -> dict[str, Tensor]:
    """Rank, probability and score of each option at one state."""
    each = options.unbind(dim=1)
    return {
        "rank": torch.stack([scores.rank(option) for option in each], dim=1),
        "probability": torch.stack([scores.loss(option).neg().exp() for option in each], dim=1),
        "score": scores.of(options),
    }


def _columns(
    found: dict[str, np.ndarray], answers: Int[np.ndarray, " n"], states: Int[np.ndarray, " states"]
) -> list[pl.Series]:
    """Columns of the rows, from measurements ``[n, states, options]``."""
    rank, probability = found["rank"], found["probability"]
    order = np.argsort(-found["score"], axis=2, kind="stable")
    choice = order[:, :, 0]
    final = choice[:, -1]
    is_final_order = (order == order[:, -1:]).all(axis=2)
    n_settled = np.logical_and.accumulate(is_final_order[:, ::-1], axis=1).sum(axis=1)
    every = np.arange(len(rank))
    columns = {
        "answer": answers,
        "final": final,
        "choice": choice,
        "final_rank": rank[every, :, final],
        "answer_rank": rank[every, :, answers],
        "best_rank": rank.min(axis=2),
        "worst_rank": rank.max(axis=2),
        "mass": probability.sum(axis=2),
        **{f"rank/{i}": rank[:, :, i] for i in range(rank.shape[2])},
        **{f"probability/{i}": probability[:, :, i] for i in range(rank.shape[2])},
        "order_settled": states[rank.shape[1] - n_settled],
    }
    return [measured_column(name, values) for name, values in columns.items()]


def _is_last(prompts: Int[Tensor, "batch seq"], positions: Positions | None) -> Tensor:
    """True at the last token of each prompt."""
    lengths = None if positions is None else positions.lengths
    if lengths is None:
        lengths = torch.full((len(prompts),), prompts.shape[1])
    return torch.arange(prompts.shape[1]) == lengths.cpu()[:, None] - 1


def _check(
    options: Int[Tensor, "rows options"], answers: Int[Tensor, " answers"], n_prompts: int
) -> None:
    if not len(options) == len(answers) == n_prompts:
        raise InputError(
            f"{n_prompts} prompts have {len(options)} rows of options and {len(answers)} answers; "
            "give one of each per prompt"
        )
    ascending = options.sort(dim=1).values
    coincides = (ascending[:, 1:] == ascending[:, :-1]).any(dim=1)
    if coincides.any():
        row = int(coincides.int().argmax())
        raise InputError(
            f"options of prompt {row} have tokens {options[row].tolist()}, which coincide; give "
            "options of different tokens"
        )
    is_option = (answers >= 0) & (answers < options.shape[1])
    if not is_option.all():
        row = int((~is_option).int().argmax())
        raise InputError(
            f"answer {int(answers[row])} of prompt {row}; must be an option, from 0 to "
            f"{options.shape[1] - 1}"
        )
