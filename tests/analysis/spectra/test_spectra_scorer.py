"""The scorers of right and wrong texts: rows against single texts, controls, alarms, refusals."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from physlm.analysis.spectra import lap_eigvals, spectral_metrics
from physlm.analysis.spectra.comparison_metrics import dims_of
from physlm.analysis.spectra.head_sample import sample_heads
from physlm.analysis.spectra.monitor_metrics import CalibratedMonitor
from physlm.analysis.spectra.planted import PlantedBlocks
from physlm.analysis.spectra.spectra import SpectraConfig
from physlm.analysis.spectra.spectra_comparisons import row_options
from physlm.analysis.spectra.spectral_monitor import SpectralMonitorConfig
from physlm.analysis.spectra.text_covariates import text_covariates
from physlm.analysis.spectra.text_rows import MEAN_GRAPH, text_rows
from physlm.data.people.bios import BiosConfig
from physlm.data.people.questions import QuestionsConfig
from physlm.data.sums.corpus import SumsConfig
from physlm.errors import InputError
from physlm.measurement import by_text
from physlm.models.architecture import DecoderConfig
from physlm.models.components import PositionEncoding
from tests.plugin.running_mean import RunningMeanConfig

WORLD = SumsConfig(modulus=5, n_steps=3, seq_len=34, n_texts=10).build(0)
SMALL = {"metrics": ["fiedler", "hfer"], "n_problems": 20, "corruptions": ["intermediate"]}


def model(corpus=WORLD, **changes):
    config = DecoderConfig(n_layers=2, n_heads=2, d_model=16, init_std=0.4, **changes)
    return config.build(corpus.vocabulary.size, 64, 0).eval()


@pytest.fixture(scope="module")
def texts():
    return WORLD.labelled(6, "intermediate", 1)


@torch.no_grad()
def test_rows_are_the_metrics_of_single_texts(texts):
    own, config = model(), SpectraConfig(**SMALL)
    rows = text_rows(own, texts, row_options(config, own, texts))
    number, layer = 3, 1
    tokens = torch.from_numpy(texts.tokens[number])[None].long()
    maps = dict(own.attention_patterns(tokens))[layer]
    state = own.residuals(tokens, [layer + 1])[0]
    given = rows.filter(text=number, layer=layer)
    for drop_first, suffix in ((0, ""), (1, "/drop_first_1")):
        found = spectral_metrics(
            maps, state[:, None], metrics=["fiedler", "hfer"], drop_first=drop_first
        )
        for name, values in found.items():
            measured = given.filter(metric=name + suffix).sort("head")["value"].to_numpy()
            np.testing.assert_allclose(measured, values[0], rtol=1e-4, atol=1e-5)
    mean = spectral_metrics(maps.mean(1), state, metrics=["fiedler"])["fiedler"]
    measured = given.filter(metric="fiedler/graph_mean", head=MEAN_GRAPH)["value"]
    assert measured.to_list() == pytest.approx(mean.tolist(), rel=1e-4)


@pytest.mark.parametrize(
    ("given", "names"),
    [
        ({"laplacian": "directed"}, {"fiedler", "connectivity_ratio", "eigenvalue_variance"}),
        ({"laplacian": "adjacency"}, {"adjacency_radius", "adjacency_variance"}),
        ({"laplacian": "comb"}, {"fiedler", "smoothness", "spectral_entropy_normalised"}),
        ({"laplacian": "comb", "hfer_cut": "half_max"}, {"hfer"}),
        ({"laplacian": "rw"}, set(SpectraConfig().metrics)),
    ],
)
def test_every_operator_has_metrics_by_default(given, names, texts):
    own, config = model(), SpectraConfig(**given, drop_first=[0])
    some = replace(row_options(config, own, texts), sample=sample_heads(2, 2, layers=[0]))
    assert names <= set(text_rows(own, texts, some)["metric"])


@torch.no_grad()
def test_cut_and_span_are_those_of_single_texts(texts):
    own = model()
    config = SpectraConfig(metrics=["hfer"], hfer_cut="0.1", span=[3, 20], drop_first=[0])
    found = text_rows(own, texts, row_options(config, own, texts)).filter(text=2, metric="hfer")
    tokens = torch.from_numpy(texts.tokens[2])[None].long()
    maps = torch.stack([maps for _, maps in own.attention_patterns(tokens)])
    states = own.residuals(tokens, [1, 2])[:, :, None]
    alone = spectral_metrics(maps, states, metrics=["hfer"], hfer_cut=0.1, span=(3, 20))
    index = spectral_metrics(maps, states, metrics=["hfer_index_0.1"], span=(3, 20))
    values = found.sort("layer", "head").filter(head=1)["value"]
    assert values.to_list() == pytest.approx(alone["hfer"][:, 0, 1].tolist(), rel=1e-4)
    torch.testing.assert_close(alone["hfer"], index["hfer_index_0.1"])


@torch.no_grad()
def test_lap_eigvals_are_those_of_single_texts_whatever_is_sampled(texts):
    own = model()
    config = SpectraConfig(metrics=["fiedler"], n_lap_eigvals=3, drop_first=[0], layers=[0])
    found = text_rows(own, texts, row_options(config, own, texts)).filter(text=3)
    maps = torch.cat([m for _, m in own.attention_patterns(tokens_of(texts, 3))])
    expected = lap_eigvals(maps, top_k=3).view(2, 2, 3)[0]
    for head in range(2):
        for rank in (1, 2, 3):
            value = found.filter(layer=0, head=head, metric=f"lap_eigvals/rank_{rank}")["value"]
            assert value.to_list() == pytest.approx([float(expected[head, rank - 1])], rel=1e-5)
    assert dims_of("lap_eigvals/rank_3") == {"metric": "lap_eigvals", "rank": 3}


def tokens_of(texts, number):
    return torch.from_numpy(texts.tokens[number])[None].long()


@pytest.mark.parametrize("n_given", [1, 4])
def test_covariates_are_those_of_the_model_and_of_the_tokens_after_those_given(texts, n_given):
    own = model()
    given = np.where(np.arange(len(texts)) == 5, n_given, 1)
    frame = text_covariates(own, replace(texts, n_given=given), 4)
    tokens = torch.from_numpy(texts.tokens[5])[None].long()
    log_p = own(tokens).log_softmax(-1)[0, n_given - 1 : -1]
    each = log_p.gather(-1, tokens[0, n_given:, None])
    row = frame.row(5, named=True)
    assert row["mean_log_probability"] == pytest.approx(each.mean().item(), rel=1e-5)
    assert row["min_log_probability"] == pytest.approx(each.min().item(), rel=1e-5)
    entropy = -(log_p.exp() * log_p).sum(-1).mean().item()
    assert row["mean_entropy"] == pytest.approx(entropy, rel=1e-5)
    assert row["repeated_fraction"] == 1 - len(set(tokens[0].tolist())) / tokens.shape[1]


def test_planted_maps_are_attention_and_right_texts_are_left_alone(texts):
    maps = torch.rand(4, 2, 8, 8).tril()
    maps /= maps.sum(-1, keepdim=True)
    planted = PlantedBlocks(texts.is_valid, 0.5)(maps, np.arange(4))
    assert torch.equal(planted[::2], maps[::2])
    assert not torch.allclose(planted[1::2], maps[1::2])
    torch.testing.assert_close(planted.sum(-1), torch.ones(4, 2, 8))
    assert torch.equal(planted, planted.tril())


@pytest.mark.slow
def test_a_comparison_has_all_its_controls():
    own = model()
    config = SpectraConfig(**SMALL, n_errors=[1, 2], drop_first=[0], reference_compat=True)
    config.check(own, WORLD)
    measurement = config.measure(own, WORLD)
    found = by_text(measurement.metrics)
    dims = "corruption=intermediate,{}metric=any,n_errors=2"
    for arm in ("", "arm=untrained,", "arm=shuffled,"):
        text = f"spectra/effect{{{arm}{dims.format('')}}}"
        assert found[text].value >= 0
    accuracy = "spectra/accuracy{{corruption=intermediate,model={},n_errors=1}}"
    for name in ("length", "controls", "spectra", "both"):
        assert 0 <= found[accuracy.format(name)].value <= 1
    planted = "{corruption=intermediate,metric=any,n_errors=1}"
    assert found[f"spectra/planted_power{planted}"].value > 0.2
    assert found[f"spectra/planted_power_pairs{planted}"].value > 0.9
    assert -1 <= found["spectra/dose_correlation{corruption=intermediate}"].value <= 1
    whole = "{corruption=intermediate,n_errors=1}"
    assert 0 <= found[f"spectra/probe_auc{whole}"].value <= 1  # of the chosen state
    chosen = measurement.tables["spectra_selected"].filter(
        arm="untrained", metric="any", chosen_for="spectra", n_errors=1
    )
    assert found[f"spectra/untrained_d_length{whole}"].value == abs(chosen["d_length"][0])
    nested = measurement.tables["spectra_nested"].filter(arm="model", metric="any", n_errors=1)
    margins = (nested["accuracy_spectra"][0] - 0.85, nested["nested_gain"][0] - 0.02)
    assert found[f"spectra/accuracy_and_gain{planted}"].value == min(margins)
    is_beyond = [metric.value for text, metric in found.items() if "is_beyond" in text]
    assert sum(is_beyond) <= 1  # an untrained model knows no sums
    assert set(measurement.tables["spectra"]["arm"]) == {
        "model",
        "untrained",
        "planted",
        "shuffled",
    }
    assert set(measurement.tables) == set(SpectraConfig.table_names)
    assert set(measurement.tables["spectra_published"]["n_errors"]) == {1, 2}
    assert any(text.startswith("spectra/reference_compat_accuracy") for text in found)


def test_names_have_their_dimensions():
    assert dims_of("heat_trace/beta_1.0/drop_first_1") == {
        "metric": "heat_trace",
        "beta": 1,
        "drop_first": 1,
    }
    assert dims_of("hfer/graph_mean") == {"metric": "hfer", "graph": "mean"}


def test_a_monitor_of_a_planted_change_finds_it_and_is_chosen():
    rng, lengths = np.random.default_rng(0), 31
    world = WORLD.labelled(200, "intermediate", 1)
    quiet, loud = rng.normal(size=(2, len(world), lengths))
    for text in np.flatnonzero(~world.is_valid):
        loud[text, world.error_position[text] - 3 + 2 :] += 20.0  # two tokens after the error
    config = SpectralMonitorConfig(n_problems=200, n_prompt=4, n_outside=2)
    half = world.problem % 2 == 0
    found = CalibratedMonitor.of(config, {"quiet": quiet, "loud": loud}, world, half)
    assert found.value == "loud"
    metrics = {metric.name: metric.value for metric in found.metrics("spectra")}
    in_time = world.error_position[~world.is_valid & ~half] + 3 < world.n_tokens[0]
    assert metrics["monitor/detected"] + metrics["monitor/too_early"] >= in_time.mean()
    assert metrics["monitor/false_alarms"] < 0.15
    assert metrics["monitor/delay"] == pytest.approx(3, abs=0.5)  # two, and one more token outside
    alone = CalibratedMonitor.of(config, {"quiet": quiet}, world, half)
    assert alone.detected().mean() < 0.15


@pytest.mark.slow
def test_monitors_are_measured_and_drawn():
    own = model()
    config = SpectralMonitorConfig(n_problems=80, metrics=["energy", "smoothness"])
    config.check(own, WORLD)
    measurement = config.measure(own, WORLD)
    found = by_text(measurement.metrics)
    for monitor in ("spectra", "log_probability", "untrained"):
        assert 0 <= found[f"monitor/detected{{monitor={monitor}}}"].value <= 1
    assert found["monitor/time_ratio{metric=smoothness}"].value > 1
    assert set(config.figures(measurement)) == set(config.figure_names)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"metrics": ["hfr"]}, "metric hfr with laplacian=sym"),
        ({"n_problems": 1}, "n_problems=1"),
        ({"drop_first": []}, r"drop_first=\[\]"),
        ({"drop_first": [0, 0]}, r"drop_first=\[0, 0\]; must be distinct"),
        ({"metrics": []}, r"metrics=\[\]; name one or more"),
        ({"layers": []}, r"layers=\[\]; give at least one value"),
        ({"n_heads": 0}, "n_heads=0"),
        ({"n_lap_eigvals": -1}, "n_lap_eigvals=-1"),
        ({"span": [3]}, r"span=\[3\]; must be \[first, last \+ 1\]"),
        ({"span": [4, 4]}, r"span=\[4, 4\]"),
        ({"span": [4, 9]}, r"drop_first=\[0, 1\] with span=\[4, 9\]"),
        ({"hfer_cut": "middle"}, "hfer_cut=middle; must be above_one, half_max, or a fraction"),
        ({"hfer_cut": "1.0"}, "hfer_cut=1.0"),
        ({"laplacian": "comb", "metrics": ["hfer"]}, "metric hfer with laplacian=comb"),
        ({"n_errors": [0]}, r"n_errors=\[0\]"),
        ({"planted_share": 1.0}, "planted_share=1.0"),
    ],
)
def test_settings_without_meaning_are_refused(given, message):
    with pytest.raises(ValueError, match=message):
        SpectraConfig(**given)


@pytest.mark.parametrize("config", [SpectraConfig, SpectralMonitorConfig])
def test_worlds_and_models_that_cannot_be_compared_are_refused(config):
    with pytest.raises(InputError, match="no right and wrong texts"):
        config().check(
            model(),
            QuestionsConfig().follow(
                BiosConfig(n_people=4, include_question_vocabulary=True).build(0), 0
            ),
        )
    name = "corruption" if config is SpectralMonitorConfig else "corruptions"
    value = "spelling" if config is SpectralMonitorConfig else ["spelling"]
    with pytest.raises(InputError, match=f"{name}=spelling; use one of intermediate"):
        config(**{name: value}).check(model(), WORLD)


def test_a_model_without_attention_is_refused_before_it_is_trained():
    recurrent = model(position=PositionEncoding.none, mixer=RunningMeanConfig())
    with pytest.raises(InputError, match="RunningMean has no attention weights"):
        SpectraConfig().check(recurrent, WORLD)


@torch.no_grad()
def test_sampled_heads_keep_their_numbers(texts):
    own = model()
    every = row_options(SpectraConfig(**SMALL), own, texts)
    some = row_options(SpectraConfig(**SMALL, n_heads=1), own, texts)
    whole, part = text_rows(own, texts, every), text_rows(own, texts, some)
    is_head = part["head"] != MEAN_GRAPH
    key = ["text", "layer", "head", "metric"]
    both = part.filter(is_head).join(whole, on=key)
    assert len(both) == is_head.sum()
    np.testing.assert_allclose(both["value"], both["value_right"], rtol=1e-4, atol=1e-5)
    assert set(part.filter(is_head)["head"]) <= {heads[0] for heads in some.sample.heads}
