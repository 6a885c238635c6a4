"""Ablation of heads and their roles: planted effects, closed forms, bad input."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from physlm.analysis.spectra.ablation_metrics import ablations, pairs_of
from physlm.analysis.spectra.head_roles import (
    head_roles,
    repeated_tokens,
    role_correlations,
    role_scores,
)
from physlm.analysis.spectra.spectral_ablation import SpectralAblationConfig
from physlm.data.cfg.corpus import CfgConfig, CfgCorpus
from physlm.errors import InputError
from physlm.models.transformer import without_heads
from tests.analysis.spectra.planted_worlds import (
    PLANTED,
    follows,
    model_of,
    noise,
    planted,
    values_of,
    world,
)
from tests.data.cfg.conftest import small_grammar


def config_of(**changes):
    small = {"n_problems": 24, "metrics": ["fiedler"], "n_ablated": 1, "n_draws": 3}
    return SpectralAblationConfig(**(small | changes))


@pytest.fixture(scope="module")
def corpus():
    return world(held_out_fraction=0.5)


@pytest.fixture(scope="module")
def found(corpus):
    model, config = planted(corpus), config_of()
    config.check(model, corpus)
    return config.measure(model, corpus)


def test_a_planted_effect_goes_with_its_head_and_stays_without_others(found):
    values = values_of(found.metrics)
    ratio = "ablation/ratio{{ablated={},column=same,metric=fiedler}}"
    assert values[ratio.format("induction")] < 0.5
    assert values[ratio.format("random")] == 1
    assert values["ablation/effect{ablated=none,metric=fiedler}"] > 3
    heads = found.tables["ablated_heads"]
    own = heads.filter(ablated="induction").select("layer", "head")
    assert own.rows() == [PLANTED]
    assert PLANTED not in heads.filter(ablated="random").select("layer", "head").rows()
    assert heads.filter(ablated="random")["draw"].n_unique() == 3
    assert len(found.tables["head_roles"]) == 4


def test_the_loss_of_an_ablation_is_that_of_the_model_without_its_heads(corpus, found):
    model, values = planted(corpus), values_of(found.metrics)
    texts = corpus.labelled(24, corpus.corruptions[0], 1)
    tokens = torch.from_numpy(np.stack(texts.tokens[::2])).long()
    losses = [
        torch.nn.functional.cross_entropy(one(tokens[:, :-1]).mT, tokens[:, 1:]).item()
        for one in (model, without_heads(model, [PLANTED]))
    ]
    assert values["ablation/loss_nats"] == pytest.approx(losses[0], rel=1e-5)
    rise = values["ablation/loss_rise{ablated=induction}"]
    assert rise == pytest.approx(losses[1] - losses[0], rel=1e-3)


def test_random_sets_differ_and_leave_the_strongest_induction_heads():
    roles = {name: noise(4, 4, seed=i) for i, name in enumerate(("induction", "previous_token"))}
    found = ablations(roles, 3, 6)
    for role, scores in roles.items():
        strongest = {divmod(int(i), 4) for i in np.argsort(scores.ravel())[-3:]}
        assert [set(heads) for heads in found[role]] == [strongest]
    assert len({tuple(heads) for heads in found["random"]}) > 1
    for heads in found["random"]:
        assert len(set(heads)) == 3
        assert not set(heads) & set(found["induction"][0])


def test_roles_of_ideal_heads_are_theirs_alone():
    tokens = torch.cat([torch.zeros(1), torch.arange(1, 8), torch.arange(1, 8)])[None].long()
    n = tokens.shape[1]
    ideal = {
        "induction": follows(n, 7),
        "previous_token": torch.eye(n).roll(-1, 1).tril() + torch.eye(n)[0] * torch.eye(n)[:, :1],
        "sink": torch.eye(n)[0].expand(n, n),
        "self": torch.eye(n),
    }
    found = role_scores(torch.stack(list(ideal.values()))[None], tokens)
    for i, expected in enumerate(np.eye(4)):
        np.testing.assert_allclose([found[role][i] for role in ideal], expected)
    uniform = torch.ones(n, n).tril() / torch.arange(1, n + 1)[:, None]
    second = np.arange(8, n)
    by_chance = role_scores(uniform[None, None], tokens)["induction"][0]
    assert by_chance == pytest.approx((1 / (second + 1)).mean())


def test_repeated_tokens_are_random_and_repeat_once():
    rows = repeated_tokens(6, 4, 5)
    assert (rows[:, 0] == 4).all()
    assert np.array_equal(rows[:, 1:6], rows[:, 6:])
    assert set(np.unique(rows[:, 1:])) == {0, 1, 2, 3, 5}


def test_a_metric_that_restates_a_role_has_its_rank_correlation():
    role = noise(3, 4)
    metrics = {"hfer": np.exp(role), "fiedler": -role, "smoothness": np.ones((3, 4))}
    found = values_of(role_correlations({"sink": role}, metrics))
    assert found == pytest.approx(
        {"roles/spearman{metric=hfer,role=sink}": 1, "roles/spearman{metric=fiedler,role=sink}": -1}
    )


@pytest.mark.slow
def test_heads_of_grammars_have_boundary_peaks():
    corpus = CfgCorpus(CfgConfig(), small_grammar(2), 0)
    found = head_roles(model_of(corpus), corpus, 9)
    assert found["boundary_peak"].shape == (2, 2)
    assert np.isfinite(found["boundary_peak"]).all()


def test_texts_that_are_no_pairs_are_refused(corpus):
    texts = corpus.labelled(6, corpus.corruptions[0], 1)
    pairs = pairs_of(texts)
    assert np.array_equal(texts.problem[pairs.valid], texts.problem[pairs.invalid])
    assert texts.is_valid[pairs.valid].all()
    assert not texts.is_valid[pairs.invalid].any()
    with pytest.raises(InputError, match="each problem needs one right text"):
        pairs_of(replace(texts, problem=texts.problem // 2))


@pytest.mark.parametrize(
    ("act", "message"),
    [
        (lambda: config_of(n_problems=4), "n_problems=4; must be at least 8"),
        (lambda: config_of(n_draws=1), "n_draws=1; must be at least 2"),
        (lambda: config_of(n_ablated=3).check(model_of(world()), world()), "of 4 heads leaves too"),
        (lambda: config_of(corruption="none").check(model_of(world()), world()), "one of interm"),
        (
            lambda: config_of().check(model_of(world()), world()),
            "holds out 7 problems, and 24 are needed",
        ),
    ],
)
def test_bad_input_is_refused_in_one_line(act, message):
    with pytest.raises((ValueError, InputError), match=message) as refused:
        act()
    assert "\n" not in str(refused.value)
