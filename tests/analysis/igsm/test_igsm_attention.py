"""Attention and ablation of heads in models of iGSM: planted heads, loops, bad input."""

import contextlib
import io

import numpy as np
import polars as pl
import pytest
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg

from physlm.analysis.igsm.attention_masses import attention_masses
from physlm.analysis.igsm.attention_roles import ORIGINS, ROLES, SOURCES
from physlm.analysis.igsm.head_ablations import head_ablations
from physlm.analysis.igsm.igsm_attention import IgsmAttentionConfig
from physlm.data.tasks.igsm import IgsmConfig
from physlm.data.tasks.mano import ManoConfig
from physlm.errors import InputError
from physlm.models.mixers.linear_config import GlaConfig
from tests.analysis.igsm.attention_oracle import PLANTED, UNIFORM, model_of, planted, predictions

N = 12


@pytest.fixture(scope="module")
def corpus():
    return IgsmConfig(op_max=4, ip_max=12, seq_len=384).build(0)


@pytest.fixture(scope="module")
def told():
    return io.StringIO()


@pytest.fixture(scope="module")
def found(corpus, told):
    model, config = planted(corpus), IgsmAttentionConfig(n_problems=N, batch_size=5)
    config.check(model, corpus)
    with contextlib.redirect_stderr(told):
        return config.measure(model, corpus)


def values_of(found):
    return {metric.text: metric.value for metric in found.metrics}


def test_planted_heads_look_at_nothing_but_their_source(found):
    values = values_of(found)
    for (layer, head), (origin, role) in PLANTED.items():
        dims = f"from={origin}"
        mass = values[f"igsm_attention/mass{{{dims},head={head},layer={layer},to={role}}}"]
        assert mass == pytest.approx(1)
        pair = f"{{{dims},to={role}}}"
        assert values[f"igsm_attention/best_mass{pair}"] == pytest.approx(1)
        rows = found.tables["igsm_attention"].filter(
            pl.col("is_best"), pl.col("from") == origin, pl.col("to") == role
        )
        assert rows.select("layer", "head").rows() == [(layer, head)]
        # Of the others, those that look at themselves have none of it.
        for other in set(PLANTED) - {(layer, head)}:
            own = f"{{{dims},head={other[1]},layer={other[0]},to={role}}}"
            assert values[f"igsm_attention/mass{own}"] == 0


def test_one_line_for_each_origin_says_what_its_top_head_does(found, told):
    lines = told.getvalue().splitlines()
    assert [line.split(":")[0] for line in lines] == list(SOURCES)
    values = values_of(found)
    rise = values["igsm_attention/loss_rise{ablated=top,from=result}"]
    assert lines[0].startswith(
        "result: layer 0, head 0 attends to numbers with mass 1.00 (untrained"
    )
    assert f"without it the loss rises by {rise:.3f} nats, without a random" in lines[0]


def test_a_uniform_head_has_the_mass_of_uniform_attention(found):
    rows = found.tables["igsm_attention"]
    own = rows.filter(layer=UNIFORM[0], head=UNIFORM[1])
    assert set(own["from"]) == set(ORIGINS)
    np.testing.assert_allclose(own["mass"], own["uniform_mass"], rtol=1e-5)
    assert (own["uniform_mass"] < 1).all()
    best = rows.filter("is_best").select("from", "to")
    assert best.n_unique() == len(best) == rows.select("from", "to").n_unique()


def test_masses_are_those_of_loops_over_predictions(corpus):
    model, documents = model_of(corpus), corpus.test_documents(0, 3)
    masses = attention_masses(model, documents)
    for p, document in enumerate(documents):
        with torch.no_grad():
            tokens = torch.from_numpy(document).long()[None]
            maps = np.stack([own[0].numpy() for _, own in model.attention_patterns(tokens)])
        for o, origin in enumerate(ORIGINS):
            for r, role in enumerate(ROLES[1:], start=1):
                sums, uniform = [], []
                for kind, at, roles in predictions(document):
                    places = sorted(roles.get(role, ()))
                    if kind == origin and places:
                        sums.append(maps[:, :, at, places].sum(-1))
                        uniform.append(len(places) / (at + 1))
                if not sums:
                    assert np.isnan(masses.of_heads[p, o, r]).all()
                    continue
                np.testing.assert_allclose(
                    masses.of_heads[p, o, r], np.mean(sums, axis=0), rtol=1e-4, atol=1e-7
                )
                assert masses.uniform[p, o, r] == pytest.approx(np.mean(uniform))


def test_ablations_are_those_of_a_model_whose_head_writes_nothing(corpus):
    model, documents = model_of(corpus), corpus.test_documents(0, 4)
    found = head_ablations(model, documents, 3)
    assert list(found.without) == [(0, 0), (0, 1), (1, 0), (1, 1)]
    width = 8
    for layer, head in ((0, 1), (1, 0)):
        weight = model.blocks[layer].attention.out.weight
        kept = weight.detach().clone()
        with torch.no_grad():
            weight[:, head * width : (head + 1) * width] = 0
        expected = brute_force(model, documents)
        with torch.no_grad():
            weight.copy_(kept)
        own = found.without[layer, head]
        np.testing.assert_allclose(own.losses, expected[0], rtol=1e-4)
        np.testing.assert_allclose(own.accuracies, expected[1])
    np.testing.assert_allclose(found.whole.losses, brute_force(model, documents)[0], rtol=1e-4)


@torch.no_grad()
def brute_force(model, documents):
    """Loss and accuracy of each document and origin, token by token."""
    losses, accuracies = np.full((2, len(documents), len(ORIGINS)), np.nan)
    for p, document in enumerate(documents):
        tokens = torch.from_numpy(document).long()
        log_p = model(tokens[None])[0].log_softmax(-1)
        for o, origin in enumerate(ORIGINS):
            places = [at for kind, at, _ in predictions(document) if kind == origin]
            if places:
                losses[p, o] = np.mean([-log_p[at, tokens[at + 1]].item() for at in places])
                is_right = [log_p[at].argmax() == tokens[at + 1] for at in places]
                accuracies[p, o] = np.mean(is_right)
    return losses, accuracies


def test_only_the_one_head_that_writes_is_missed(corpus):
    model = planted(corpus)
    with torch.no_grad():
        for layer, block in enumerate(model.blocks):
            for head in (0, 1):
                if (layer, head) != (0, 0):
                    block.attention.out.weight[:, head * 8 : (head + 1) * 8] = 0
    found = IgsmAttentionConfig(n_problems=N).measure(model, corpus)
    rows = found.tables["igsm_ablation"]
    is_silent = (rows["layer"] > 0) | (rows["head"] > 0)
    assert (rows.filter(is_silent)["loss_rise"] == 0).all()
    assert (rows.filter(~is_silent)["loss_rise"] != 0).all()
    assert rows.filter("is_top").filter(layer=0, head=0)["from"].to_list() == ["result"]
    values = values_of(found)
    name = "igsm_attention/{}{{ablated={},from=result}}"
    loss = {kind: values[name.format("loss_nats", kind)] for kind in ("none", "top", "random")}
    rise = values[name.format("loss_rise", "top")]
    assert rise == pytest.approx(loss["top"] - loss["none"], abs=1e-9)
    assert rise != 0
    assert values[name.format("loss_rise", "random")] == 0
    # Of the letters the head that writes is one of three others.
    name = name.replace("result", "hint")
    (own,) = rows.filter(layer=0, head=0).filter(pl.col("from") == "hint")["loss_rise"]
    assert values[name.format("loss_rise", "random")] == pytest.approx(own / 3)
    drops = values[name.format("accuracy_drop", "random")]
    accuracy = [values[name.format("accuracy", kind)] for kind in ("none", "random")]
    assert drops == pytest.approx(accuracy[0] - accuracy[1])


def test_figures_draw_all_that_was_measured(found):
    figures = IgsmAttentionConfig().figures(found)
    assert set(figures) == set(IgsmAttentionConfig.figure_names)
    for figure in figures.values():
        FigureCanvasAgg(figure).draw()
    masses = [axes.get_title() for axes in figures["igsm_attention"].axes]
    assert len(masses) == len(ORIGINS)
    words = found.arrays["text_words"].tolist()
    panels = figures["igsm_attention_text"].axes
    assert panels[0].get_title(loc="left").startswith("before the result of a calculation: layer 0")
    for axes, at, weights in zip(
        panels, found.arrays["text_at"], found.arrays["text_attention"], strict=True
    ):
        assert [text.get_text() for text in axes.texts] == words
        grey = [text.get_color() == "0.65" for text in axes.texts]
        assert grey == [number > at + 1 for number in range(len(words))]
        assert weights[at + 1 :].sum() == 0
        assert weights.sum() == pytest.approx(1, abs=1e-5)
    (bars,) = {len(axes.patches) for axes in figures["igsm_ablation"].axes}
    assert bars == 4


def test_the_text_shows_the_planted_heads(found):
    origins = found.arrays["text_from"].tolist()
    document_words = found.arrays["text_words"].tolist()
    for (layer, head), (origin, role) in PLANTED.items():
        i = origins.index(origin)
        assert (found.arrays["text_layer"][i], found.arrays["text_head"][i]) == (layer, head)
        assert role == SOURCES[origin]
    i, at = origins.index("result"), found.arrays["text_at"][origins.index("result")]
    looked = np.flatnonzero(found.arrays["text_attention"][i])
    assert [document_words[n] for n in looked] == [document_words[at - 3], document_words[at - 1]]


@pytest.mark.parametrize(
    ("act", "message"),
    [
        (lambda _: IgsmAttentionConfig(n_problems=1), "n_problems=1; must be at least 2"),
        (
            lambda _: IgsmAttentionConfig().check(None, ManoConfig(n_max=2, seq_len=40).build(0)),
            "eval=igsm_attention: this world has no solutions of iGSM; use data=igsm",
        ),
        (
            lambda corpus: IgsmAttentionConfig(n_problems=4).check(
                model_of(corpus),
                IgsmConfig(op_max=4, ip_max=12, seq_len=384, n_hidden_sentences=2).build(0),
            ),
            "n_hidden_sentences=2 withhold sentences",
        ),
        (
            lambda corpus: IgsmAttentionConfig(n_problems=4).check(
                model_of(corpus, mixer=GlaConfig(), position="none"), corpus
            ),
            "has no attention weights",
        ),
        (
            lambda corpus: IgsmAttentionConfig(n_problems=4).check(
                model_of(corpus, n_layers=1, n_heads=1), corpus
            ),
            "compares heads, and the model has one",
        ),
    ],
)
def test_bad_input_is_refused_in_one_line(corpus, act, message):
    with pytest.raises((ValueError, InputError), match=message) as refused:
        act(corpus)
    assert "\n" not in str(refused.value)
