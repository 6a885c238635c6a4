"""Buckets of token frequency, top-1 fractions beside masses, and flips beside expected flips."""

import itertools
import json

import numpy as np
import polars as pl
import pytest
import torch

from physlm.analysis.depth import Positions, trace
from physlm.analysis.depth.bucket_fractions import bucket_fractions
from physlm.analysis.depth.buckets import by_mass, by_rank, count_tokens, read_fractions
from physlm.analysis.depth.flips import flips
from physlm.analysis.lenses import LogitLens
from physlm.errors import InputError
from tests.analysis.depth.frames import rows_of
from tests.analysis.depth.planted import PlantedModel

EQUAL = by_rank(np.array([4, 3, 2, 1]), (1, 2))


def test_buckets_by_rank_are_those_of_a_sort():
    counts = np.array([5, 9, 5, 0, 7, 5])
    buckets = by_rank(counts, (2, 4))
    order = sorted(range(6), key=lambda v: (-counts[v], v))
    assert order == [1, 4, 0, 2, 5, 3]
    assert [buckets.names[b] for b in buckets.of_token[order]] == [
        "top_2", "top_2", "top_4", "top_4", "rest", "rest"
    ]  # fmt: skip
    np.testing.assert_allclose(buckets.corpus_fraction, [16 / 31, 10 / 31, 5 / 31])


def test_tokens_of_equal_count_are_ranked_by_id():
    counts = np.random.default_rng(0).integers(0, 3, 500)
    order = sorted(range(500), key=lambda v: (-counts[v], v))
    assert by_rank(counts, (250,)).of_token[order].tolist() == [0] * 250 + [1] * 250


def test_buckets_by_mass_hold_the_corpus_in_equal_parts():
    buckets = by_mass(np.ones(100), (0.25, 0.5, 0.75))
    assert np.bincount(buckets.of_token).tolist() == [25, 25, 25, 25]
    # Tokens begin at 0, 50, 80 and 90%.
    assert by_mass(np.array([30, 50, 10, 10]), (0.5,)).of_token.tolist() == [1, 0, 1, 1]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: by_rank(np.ones(10)),
            r"buckets=\[10, 100, 1000\]; must be ascending ranks below the 10 tokens",
        ),
        (lambda: by_rank(np.ones(10), (5, 2)), "must be ascending"),
        (lambda: by_mass(np.ones(10), (0.5, 1.0)), "must ascend between 0 and 1"),
        (lambda: by_rank(np.zeros(10), (1,)), "not all 0"),
        (
            lambda: EQUAL.of(pl.Series([4])),
            "token 4 is in no bucket, since the buckets have 4 tokens",
        ),
    ],
)
def test_buckets_that_cannot_be_made_are_refused(make, message):
    with pytest.raises(InputError, match=message):
        make()


def test_published_count_files_are_read(tmp_path):
    path = tmp_path / "counts.json"
    path.write_text(json.dumps({"2": {"ratio": 0.75, "token": "a"}, "0": {"ratio": 0.25}}))
    assert read_fractions(path, 4).tolist() == [0.25, 0, 0.75, 0]
    assert count_tokens(np.array([2, 0, 2]), 4).tolist() == [1, 0, 2, 0]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"9": {"ratio": 0.5}}, "counts token 9 and the model has 4 tokens"),
        ({"the": {"ratio": 0.5}}, "not a count file"),
        ({"1": 0.5}, "not a count file"),
        ([1], "not a count file"),
        ({}, "the model has 4 tokens"),
        ({"1": {"ratio": 17}}, "ratios sum to 17"),
        ({"1": {"ratio": float("nan")}}, "ratios sum to nan"),
    ],
)
def test_other_count_files_are_refused_in_one_line(tmp_path, content, message):
    path = tmp_path / "counts.json"
    path.write_text(json.dumps(content))
    with pytest.raises(InputError, match=message) as refused:
        read_fractions(path, 4)
    assert "\n" not in str(refused.value)


def test_a_calibrated_lens_without_context_has_the_top_token_alone_but_the_mass_of_the_corpus():
    corpus = np.array([40, 30, 20, 10])
    rng = np.random.default_rng(0)
    tokens = torch.from_numpy(rng.choice(4, (50, 21), p=corpus / 100))
    marginal = torch.from_numpy(corpus / 100).log().float().expand(50, 21, 4)
    final = torch.full((50, 21, 4), -20.0)
    final[:, :-1].scatter_(2, tokens[:, 1:, None], 0.0)  # a perfect model
    model = PlantedModel(torch.stack([marginal, final]))
    rows = trace(
        model, tokens, LogitLens(model), Positions(lengths=torch.full((50,), 20)), buckets=EQUAL
    )
    found = bucket_fractions(rows, EQUAL)

    def at(state, bucket, quantity):
        return found.row(
            by_predicate=(pl.col("state") == state)
            & (pl.col("bucket") == bucket)
            & (pl.col("quantity") == quantity),
            named=True,
        )

    for bucket, fraction in zip(EQUAL.names, (0.4, 0.3, 0.3), strict=True):
        early, late = at(0, bucket, "mass"), at(1, bucket, "mass")
        assert early["value"] == pytest.approx(fraction, abs=1e-6)
        assert early["corpus_fraction"] == pytest.approx(fraction)
        assert late["value"] == pytest.approx(fraction, abs=4 * late["stderr"])
        assert at(0, bucket, "top1_fraction")["value"] == (bucket == "top_1")
        assert at(1, bucket, "top1_fraction")["value"] == pytest.approx(late["value"], abs=1e-6)


def test_fractions_are_refused_for_rows_of_other_buckets():
    with pytest.raises(InputError, match="no column mass/top_1"):
        bucket_fractions(rows_of([[0, 1]]), EQUAL)


def test_independent_tokens_flip_as_expected():
    # Each document has all pairs of an early and a final token, with weights 3 : 1 of the early.
    pairs = list(itertools.product([0, 0, 0, 1], [0, 1, 2, 2]))
    rows = rows_of(pairs * 3, document=np.repeat([0, 1, 2], 16))
    found = flips(rows, EQUAL)
    early = found.filter(state=0)
    assert early["excess_agreement"].to_list() == pytest.approx([0] * 3, abs=1e-12)
    assert sorted(early["bucket"]) == ["all", "top_1", "top_2"]
    assert early["value"].to_list() == pytest.approx([0.75] * 3)
    assert early["expected"].to_list() == pytest.approx([0.75] * 3)
    late = found.filter(state=1)
    assert (late["value"] == 0).all()
    assert (late["excess_agreement"] == 1).all()


def test_flips_are_those_of_loops():
    rng = np.random.default_rng(1)
    top1, document = rng.integers(0, 4, (80, 3)), rng.integers(0, 5, 80)
    tag = np.array(["x", "y"])[rng.integers(0, 2, 80)]
    found = flips(rows_of(top1, document=document, tag=tag), EQUAL, ["tag"])
    names = ["top_1", "top_2", "rest", "rest"]

    def weights(is_in):
        n = {d: np.sum(is_in & (document == d)) for d in set(document[is_in])}
        return {i: 1 / n[document[i]] / len(n) for i in np.flatnonzero(is_in)}

    assert len(found) == 2 * 3 * 4
    for row in found.iter_rows(named=True):
        early, final, of_tag = top1[:, row["state"]], top1[:, -1], tag == row["tag"]
        in_bucket = np.array([row["bucket"] in {"all", names[v]} for v in early])
        w, every = weights(of_tag & in_bucket), weights(of_tag)
        rate = sum(w[i] for i in w if early[i] != final[i])
        chance = sum(
            sum(w[i] for i in w if early[i] == v) * sum(every[i] for i in every if final[i] == v)
            for v in range(4)
        )
        assert row["value"] == pytest.approx(rate)
        assert row["expected"] == pytest.approx(1 - chance)
        assert row["excess_agreement"] == pytest.approx(1 - rate / (1 - chance))


def test_a_constant_final_token_expects_no_flips():
    found = flips(rows_of([[1, 1], [1, 1]]), EQUAL)
    assert found["expected"].to_list() == pytest.approx([0] * len(found))
    assert found["excess_agreement"].null_count() == len(found)
