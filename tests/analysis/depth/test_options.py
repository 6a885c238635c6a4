"""Options of questions at every state, against loops over the full softmax and a sort."""

import numpy as np
import polars as pl
import pytest
import scipy.special
import torch

from physlm.analysis.depth import Positions
from physlm.analysis.depth.option_metrics import settled_of_independent
from physlm.analysis.depth.options import option_means, trace_options
from physlm.analysis.lenses import LogitLens
from physlm.errors import InputError
from tests.analysis.depth.planted import PlantedModel, decoder, random_tokens

OPTIONS = torch.tensor([[3, 9, 30], [9, 3, 4], [1, 2, 36], [30, 3, 9]])
ANSWERS = torch.tensor([0, 2, 1, 1])
LENGTHS = torch.tensor([9, 4, 7, 2])


def brute_force():
    model, prompts = decoder(), random_tokens((4, 9))
    rows = trace_options(
        model, prompts, LogitLens(model), OPTIONS, ANSWERS, Positions(lengths=LENGTHS), batch_size=3
    )
    with torch.no_grad():
        scores = model.unembed(model.residuals(prompts)).double().numpy()
    return rows, [scores[:, i, int(LENGTHS[i]) - 1] for i in range(4)]


def test_every_column_is_that_of_a_softmax_and_a_sort():
    rows, scores = brute_force()
    for i, row in enumerate(rows.iter_rows(named=True)):
        options = OPTIONS[i].tolist()
        orders = []
        for k, z in enumerate(scores[i]):
            q = scipy.special.softmax(z)
            everything = list(np.argsort(-z))
            ranks = [everything.index(v) + 1 for v in options]
            orders.append(sorted(range(3), key=lambda o, z=z: -z[options[o]]))
            assert [row[f"rank/{o}"][k] for o in range(3)] == ranks
            assert row["choice"][k] == orders[k][0]
            assert (row["best_rank"][k], row["worst_rank"][k]) == (min(ranks), max(ranks))
            assert row["answer_rank"][k] == ranks[ANSWERS[i]]
            assert row["mass"][k] == pytest.approx(q[options].sum(), rel=1e-4)
            assert row["probability/1"][k] == pytest.approx(q[options[1]], rel=1e-4)
        assert row["final"] == orders[-1][0]
        assert row["final_rank"][0] == row[f"rank/{row['final']}"][0]
        settled = next(k for k in range(4) if all(o == orders[-1] for o in orders[k:]))
        assert row["order_settled"] == settled


def test_means_are_those_of_the_prompts():
    rows, scores = brute_force()
    found = option_means(rows)

    def at(state, quantity):
        own = (pl.col("state") == state) & (pl.col("quantity") == quantity)
        return found.row(by_predicate=own, named=True)["value"]

    for k in range(4):
        ranks = np.array([[row[f"rank/{o}"][k] for o in range(3)] for row in rows.rows(named=True)])
        for top in (3, 10, 100):
            assert at(k, f"all_in_top_{top}") == np.mean((ranks <= top).all(axis=1))
            assert at(k, f"any_in_top_{top}") == np.mean((ranks <= top).any(axis=1))
        best = [int(np.argmax(scores[i][k][OPTIONS[i]])) for i in range(4)]
        last = [int(np.argmax(scores[i][3][OPTIONS[i]])) for i in range(4)]
        assert at(k, "accuracy") == np.mean(np.array(best) == ANSWERS.numpy())
        assert at(k, "agreement") == np.mean(np.array(best) == np.array(last))
        assert at(k, "reciprocal_answer_rank") == pytest.approx(
            np.mean(1 / ranks[np.arange(4), ANSWERS])
        )


def test_the_order_settles_when_it_changes_for_the_last_time():
    scores = torch.zeros(4, 1, 2, 6)
    for k, order in enumerate([(1, 2, 3), (3, 2, 1), (1, 2, 3), (1, 2, 3)]):
        scores[k, 0, 1, list(order)] = torch.tensor([3.0, 2.0, 1.0])
    model = PlantedModel(scores)
    row = trace_options(
        model, torch.zeros(1, 2, dtype=torch.long), LogitLens(model), torch.tensor([[1, 2, 3]]),
        torch.tensor([0]),
    )  # fmt: skip
    assert row["order_settled"].to_list() == [2]
    assert row["choice"].to_list() == [[0, 2, 0, 0]]


def test_options_that_coincide_are_refused():
    model, prompts = decoder(), random_tokens((2, 4))
    same = torch.tensor([[1, 2], [5, 5]])
    with pytest.raises(InputError, match=r"options of prompt 1 have tokens \[5, 5\]"):
        trace_options(model, prompts, LogitLens(model), same, torch.tensor([0, 0]))
    with pytest.raises(InputError, match="answer 2 of prompt 0; must be an option, from 0 to 1"):
        trace_options(model, prompts, LogitLens(model), same[:1].repeat(2, 1), torch.tensor([2, 0]))
    with pytest.raises(InputError, match="2 prompts have 2 rows of options and 1 answers"):
        trace_options(model, prompts, LogitLens(model), same, torch.tensor([0]))


def test_independent_choices_settle_as_late_as_shuffled_ones_do():
    rng = np.random.default_rng(0)
    states = np.array([0, 1, 2, 4])
    choices = np.minimum(rng.integers(0, 4, (300, 4)), 2)
    expected = settled_of_independent(choices, states)
    found = []
    for _ in range(300):
        mixed = np.stack([rng.permutation(column) for column in choices.T], axis=1)
        agrees = mixed == mixed[:, -1:]
        n_settled = np.logical_and.accumulate(agrees[:, ::-1], axis=1).sum(axis=1)
        found.append(states[4 - n_settled].mean())
    assert expected == pytest.approx(np.mean(found), abs=4 * np.std(found) / np.sqrt(300))
    assert settled_of_independent(np.zeros((5, 4), int), states) == 0
