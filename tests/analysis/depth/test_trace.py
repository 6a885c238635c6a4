"""Rows of predictions, against loops over the full softmax and a sort."""

import numpy as np
import polars as pl
import pytest
import scipy.special
import scipy.stats
import torch

from physlm.analysis.depth import Positions, compared_streams, trace
from physlm.analysis.depth.buckets import by_rank
from physlm.analysis.lenses import LogitLens
from physlm.errors import InputError
from tests.analysis.depth.planted import PlantedModel, decoder, random_tokens


class Shifted(LogitLens):
    """A lens that differs from the readout, except at state L."""

    def translated(self, residual, state):
        return residual * (1 + (self.n_layers - state) / 4)


def brute_force(model, tokens, lens, row, t):
    """Every quantity of one prediction, from float64 distributions and a sort."""
    with torch.no_grad():
        residuals = model.residuals(tokens)[:, row, t]
        logits = [lens.logits(x, k).double().numpy() for k, x in enumerate(residuals)]
        final = model(tokens)[row, t].double().numpy()
    p = scipy.special.softmax(final)
    target = int(tokens[row, t + 1]) if t + 1 < tokens.shape[1] else None
    states = []
    for z in logits:
        order = list(np.argsort(-z, kind="stable"))
        q = scipy.special.softmax(z)
        found = {
            "top1": order[0],
            "top1_probability": q.max(),
            "final_rank": order.index(int(final.argmax())) + 1,
            "kl_nats": scipy.stats.entropy(p, q),
            "entropy_nats": scipy.stats.entropy(q),
            "target_rank": None if target is None else order.index(target) + 1,
            "target_loss_nats": None if target is None else -np.log(q[target]),
        }
        states.append(found)
    return int(final.argmax()), p.max(), target, states


@pytest.mark.parametrize("vocabulary_size", [37, 128, 300])
def test_every_quantity_equals_that_of_a_full_softmax_and_a_sort(vocabulary_size, monkeypatch):
    monkeypatch.setitem(compared_streams._MOST_SCORES, "cpu", 5 * vocabulary_size)
    model, tokens = decoder(vocabulary_size), random_tokens((5, 9), vocabulary_size)
    lens = Shifted(model)
    frame = trace(model, tokens, lens, batch_size=2)
    assert len(frame) == 5 * 8  # all but the first token of each row
    for found in frame.iter_rows(named=True):
        final, probability, target, states = brute_force(
            model, tokens, lens, found["document"], found["position"]
        )
        assert (found["final"], found["target"]) == (final, target)
        assert found["final_probability"] == pytest.approx(probability, rel=1e-5)
        for k, expected in enumerate(states):
            assert found["state"][k] == k
            for name, value in expected.items():
                assert found[name][k] == (
                    None if value is None else pytest.approx(value, rel=1e-4, abs=1e-5)
                ), name


def test_the_last_state_is_the_model():
    model, tokens = decoder(), random_tokens((3, 8))
    frame = trace(model, tokens, Shifted(model), states=[1])
    last = frame.with_columns(pl.col("state", "kl_nats", "top1", "final_rank").arr.last())
    assert last["state"].unique().to_list() == [model.n_layers]
    assert (last["kl_nats"] == 0).all()
    assert (last["top1"] == last["final"]).all()
    assert (last["final_rank"] == 1).all()


def test_chosen_states_are_those_of_all_states():
    model, tokens = decoder(), random_tokens((3, 8))
    every, some = (trace(model, tokens, Shifted(model), states=s) for s in (None, [2, 0]))
    assert some["state"][0].to_list() == [0, 2, 3]
    for name in ("top1", "final_rank", "target_rank"):
        np.testing.assert_array_equal(every[name].to_numpy()[:, [0, 2, 3]], some[name].to_numpy())


def test_equal_scores_share_a_rank_and_the_first_is_top1():
    scores = torch.zeros(2, 1, 2, 260)
    scores[0, 0, 1, [5, 130, 259]] = 2.0
    scores[0, 0, 1, 7] = 1.0
    scores[1, 0, 1, 130] = 3.0
    frame = trace(PlantedModel(scores), torch.tensor([[0, 7]]), LogitLens(PlantedModel(scores)))
    assert frame["top1"].to_list() == [[5, 130]]
    assert frame["final_rank"].to_list() == [[1, 1]]


def test_close_scores_far_below_the_highest_one_are_ranked():
    scores = torch.zeros(2, 1, 3, 4)
    scores[:, 0, 1] = torch.tensor([1e4, 0.1, 0.1000001, 0.0])
    model = PlantedModel(scores)
    frame = trace(model, torch.tensor([[0, 0, 1]]), LogitLens(model))
    assert frame.filter(pl.col("position") == 1)["target_rank"].to_list() == [[3, 3]]


def test_padding_and_packing_change_no_prediction():
    model = decoder()
    a, b = random_tokens((1, 7), seed=1), random_tokens((1, 5), seed=2)
    alone = [trace(model, x, LogitLens(model)) for x in (a, b)]
    padded = torch.zeros(2, 12, dtype=torch.long)
    padded[0, :7], padded[1, :5] = a[0], b[0]
    in_rows = trace(model, padded, LogitLens(model), Positions(lengths=torch.tensor([7, 5])))
    for document, expected in enumerate(alone):
        own = in_rows.filter(pl.col("document") == document)
        assert len(own) == len(expected)
        for name in ("position", "target", "final", "top1", "target_rank"):
            assert own[name].to_list() == expected[name].to_list(), name


def test_packed_documents_are_separate():
    model = decoder()
    model.positions = None  # without positions, a document is the same wherever it stands
    a, b = random_tokens((1, 7), seed=1), random_tokens((1, 5), seed=2)
    segments = torch.tensor([[0] * 7 + [1] * 5])
    packed = trace(model, torch.cat([a, b], 1), LogitLens(model), Positions(segments=segments))
    for document, x in enumerate((a, b)):
        own = packed.filter(pl.col("document") == document)
        expected = trace(model, x, LogitLens(model))
        for name in ("position", "target", "top1", "target_rank"):
            assert own[name].to_list() == expected[name].to_list(), name


def test_positions_are_chosen_and_tagged():
    model, tokens = decoder(), random_tokens((2, 6))
    is_chosen = torch.zeros(2, 6, dtype=torch.bool)
    is_chosen[0, [0, 3]] = is_chosen[1, 5] = True
    tag = np.array([[f"{row}{t}" for t in range(6)] for row in range(2)])
    documents = torch.full((2, 6), 8)
    chosen = Positions(is_chosen=is_chosen, tags={"place": tag}, documents=documents, skip_first=0)
    frame = trace(model, tokens, LogitLens(model), chosen, batch_size=1)
    assert frame["place"].to_list() == ["00", "03", "15"]
    assert frame["document"].to_list() == [8, 8, 8]
    assert frame["target"].to_list() == [int(tokens[0, 1]), int(tokens[0, 4]), None]


def test_mass_of_buckets_sums_their_probabilities():
    model, tokens = decoder(), random_tokens((2, 6))
    buckets = by_rank(np.arange(37)[::-1].copy(), (5, 20))
    frame = trace(model, tokens, LogitLens(model), buckets=buckets)
    with torch.no_grad():
        q = model.unembed(model.residuals(tokens)[:, :, 1:]).softmax(-1).flatten(1, 2)
    for name, part in {"top_5": q[..., :5], "top_20": q[..., 5:20], "rest": q[..., 20:]}.items():
        np.testing.assert_allclose(
            frame[f"mass/{name}"].to_numpy(), part.sum(-1).T.numpy(), atol=1e-6
        )


def test_divergence_from_the_truth_is_zero_where_a_state_knows_it():
    generator = torch.Generator().manual_seed(0)
    truth = torch.randn(2, 4, 6, generator=generator).softmax(-1)
    truth[:, :, 0] = 0
    truth /= truth.sum(-1, keepdim=True)
    known = truth.clamp(min=1e-30).log()
    model = PlantedModel(torch.stack([torch.zeros_like(known), known, -known.clamp(min=-5)]))
    frame = trace(model, random_tokens((2, 4), 6), LogitLens(model), truth=truth)
    expected = scipy.stats.entropy(truth[:, 1:].flatten(0, 1).double().numpy(), axis=1)
    np.testing.assert_allclose(frame["true_entropy_nats"], expected, rtol=1e-5)
    divergence = frame["true_kl_nats"].to_numpy()
    np.testing.assert_allclose(divergence[:, 0], np.log(6) - expected, rtol=1e-4)
    np.testing.assert_allclose(divergence[:, 1], 0, atol=1e-5)
    assert (divergence[:, 2] > 0.1).all()


@pytest.mark.parametrize(
    ("positions", "message"),
    [
        (Positions(skip_first=9), "no position is left with skip_first=9"),
        (Positions(lengths=torch.tensor([4])), "lengths has 1 entries for 2 windows"),
        (Positions(tags={"class": np.zeros((2, 3))}), r"class has shape \(2, 3\)"),
    ],
)
def test_positions_that_do_not_fit_are_refused(positions, message):
    model = decoder()
    with pytest.raises(InputError, match=message):
        trace(model, random_tokens((2, 6)), LogitLens(model), positions)


def test_a_model_or_lens_that_cannot_be_traced_is_refused():
    model, tokens = decoder(), random_tokens((2, 6))
    with pytest.raises(InputError, match="the lens has 2 layers, and the model has 3"):
        trace(model, tokens, LogitLens(decoder(n_layers=2)))
    model.longest_window = 5
    with pytest.raises(InputError, match="windows of 6 tokens exceed the model's 5"):
        trace(model, tokens, LogitLens(model))
    model.is_causal = False
    with pytest.raises(InputError, match="give a causal model"):
        trace(model, tokens, LogitLens(model))
    scores = torch.zeros(2, 1, 3, 4)
    scores[0, 0, 2, 1] = torch.nan
    planted = PlantedModel(scores)
    with pytest.raises(InputError, match="state 0 are not finite"):
        trace(planted, torch.zeros(1, 3, dtype=torch.long), LogitLens(planted))
