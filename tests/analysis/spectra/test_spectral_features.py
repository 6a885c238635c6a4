"""Classifiers of spectral features: planted effects, chance, no leak from held-out texts."""

import json

import numpy as np
import polars as pl
import pytest
from scipy.stats import mannwhitneyu

from physlm.analysis.spectra.feature_metrics import (
    CONTROLS,
    SETS,
    TOGETHER,
    nested,
    principal_components,
)
from physlm.analysis.spectra.spectral_features import SpectralFeaturesConfig
from physlm.data.brackets.corpus import BracketsConfig
from physlm.data.files.labelled_texts import LabelledTextsConfig
from physlm.data.tasks.mano import ManoConfig
from physlm.errors import InputError
from tests.analysis.spectra.comparison.frames import groups_of, texts_of
from tests.analysis.spectra.planted_worlds import model_of, planted, values_of, world


def labelled_world():
    return world(held_out_fraction=0.9)


def config_of(**changes):
    own = {"corruptions": ["intermediate"], "n_problems": 50, "n_components": 8}
    return SpectralFeaturesConfig(**(own | changes))


def area(scores, is_valid):
    n_right = int(is_valid.sum())
    rank_sum = mannwhitneyu(scores[is_valid], scores[~is_valid]).statistic
    return rank_sum / (n_right * (len(scores) - n_right))


def checked(**changes):
    corpus = labelled_world()
    config_of(**changes).check(model_of(corpus), corpus)


def within_folds(rows):
    """The mean area of the folds, which have equally many pairs here."""
    folds = rows.partition_by("fold")
    return np.mean([area(own["logit"].to_numpy(), own["is_valid"].to_numpy()) for own in folds])


@pytest.fixture(name="measured", scope="module")
def of_planted():
    corpus = labelled_world()
    model = planted(corpus)
    config = config_of()
    config.check(model, corpus)
    return config.measure(model, corpus)


def test_a_planted_spectrum_is_found_by_every_set_and_not_in_the_controls(measured):
    values = values_of(measured.metrics)
    end = "corruption=intermediate"
    for name in SETS:
        assert values[f"features/auc{{{end},features={name},n_errors=1}}"] > 0.99
        assert values[f"features/auc_gain{{{end},features={name},n_errors=1,over=controls}}"] > 0.2
        for arm in ("untrained", "shuffled"):
            own = f"features/auc{{arm={arm},{end},features={name},n_errors=1}}"
            assert values[own] < 0.75  # an untrained model knows which tokens a text has
    assert values[f"features/unsupervised_auc{{{end},n_errors=1}}"] >= 0.5


def test_areas_are_those_of_the_table_and_gains_their_differences(measured):
    values = values_of(measured.metrics)
    table = measured.tables["features_logits"].filter(arm="model")
    found = {str(name): within_folds(rows) for (name,), rows in table.group_by("features")}
    assert set(found) == {*SETS, CONTROLS, *(name + TOGETHER for name in SETS)}
    end = "corruption=intermediate"
    for name, value in found.items():
        text = f"features/auc{{{end},features={name},n_errors=1}}"
        assert values[text] == pytest.approx(value)
    gain = f"features/auc_gain{{{end},features=free_energy,n_errors=1,over=lap_eigvals}}"
    assert values[gain] == pytest.approx(found["free_energy"] - found["lap_eigvals"])


def test_an_effect_planted_into_the_maps_of_a_random_model_is_found():
    corpus = labelled_world()
    config = config_of(planted_share=0.5)
    values = values_of(config.measure(model_of(corpus), corpus).metrics)
    for name in SETS:
        text = f"features/auc{{arm=planted,corruption=intermediate,features={name},n_errors=1}}"
        assert values[text] > 0.9


def test_components_are_eigenvectors_of_the_correlations_of_training_texts_alone():
    rng = np.random.default_rng(0)
    values = rng.standard_normal((40, 6)) @ rng.standard_normal((6, 6))
    values[:, 5] = 2.0  # constant
    is_training = np.arange(40) < 30
    found = principal_components(values, is_training, 3)
    training = values[is_training]
    z = (values - training.mean(0)) / np.where(np.arange(6) < 5, training.std(0), np.inf)
    _, vectors = np.linalg.eigh(np.cov(z[is_training].T, bias=True))
    np.testing.assert_allclose(np.abs(found), np.abs(z @ vectors[:, :-4:-1]), atol=1e-9)
    changed = values.copy()
    changed[~is_training] *= 9
    again = principal_components(changed, is_training, 3)
    np.testing.assert_allclose(again[is_training], found[is_training])


def test_many_features_of_noise_are_at_chance_and_one_with_the_label_is_found():
    rng = np.random.default_rng(0)
    areas = []
    for _ in range(16):
        texts = groups_of(texts_of(rng, 40))
        features = {"noise": rng.standard_normal((80, 200))}
        features["label"] = features["noise"][:, :20] + 3 * texts.is_valid[:, None] * (
            np.arange(20) == 3
        )
        found = nested(features, texts, 16, with_controls=True)
        is_right = texts.is_valid
        assert found.placed("label")[is_right].mean() > 0.75
        areas += [found.placed(name)[is_right].mean() for name in ("noise", "noise" + TOGETHER)]
    assert abs(np.mean(areas) - 0.5) < 2.5 * np.std(areas) / np.sqrt(16)


def test_uneven_labels_and_unlike_folds_are_no_bias():
    """Pooled over folds, noise would seem to predict the opposite of the rare label."""
    rng = np.random.default_rng(0)
    areas = []
    for _ in range(12):
        n = 60
        frame = texts_of(rng, n // 2).with_columns(
            problem=pl.Series(range(n)), is_valid=pl.Series(range(n)) >= 10
        )
        texts = groups_of(frame)
        found = nested({"noise": rng.standard_normal((n, 20))}, texts, 8)
        areas.append(found.placed("noise")[texts.is_valid].mean())
    assert abs(np.mean(areas) - 0.5) < 2.5 * np.std(areas) / np.sqrt(len(areas))


def test_a_file_of_few_texts_is_refused(tmp_path):
    path = tmp_path / "few.jsonl"
    lines = [{"text": "( [ ] )", "label": i % 2 == 0, "problem": i // 2} for i in range(12)]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    brackets = BracketsConfig(n_brackets=8, n_texts=50, seq_len=9).build(0)
    corpus = LabelledTextsConfig(source=str(path), seq_len=16).follow(brackets, 0)
    with pytest.raises(InputError, match="6 right and 6 wrong texts; at least 10 of each"):
        config_of(corruptions=None, n_lap_eigvals=2).check(model_of(corpus), corpus)


@pytest.mark.parametrize(
    ("act", "message"),
    [
        (lambda: config_of(n_errors=[0]), r"n_errors=\[0\]; must be distinct positive numbers"),
        (lambda: config_of(n_problems=9), "n_problems=9; must be at least 10"),
        (lambda: config_of(betas=[-1.0]), r"betas=\[-1.0\]; must be distinct positive numbers"),
        (lambda: config_of(betas=[1.0, 1.0]), "betas=.*; must be distinct positive numbers"),
        (lambda: config_of(corruptions=["swap", "swap"]), "name each once"),
        (lambda: config_of(corruptions=[]), "corruptions="),
        (
            lambda: config_of().check(model_of(world(), n_layers=1), world()),
            "LapEigvals need two or more layers, and the model has one",
        ),
        (
            lambda: config_of().check(model_of(world()), ManoConfig(n_max=2, seq_len=40).build(0)),
            "has no right and wrong texts; use data=cfg",
        ),
        (
            lambda: config_of(corruptions=["swap"]).check(
                model_of(labelled_world()), labelled_world()
            ),
            "corruptions=swap; use one of intermediate",
        ),
        (lambda: checked(n_lap_eigvals=40), "its graph needs at least 40"),
    ],
)
def test_bad_input_is_refused_in_one_line(act, message):
    with pytest.raises((ValueError, InputError), match=message) as refused:
        act()
    assert "\n" not in str(refused.value)


def test_the_figure_has_a_panel_for_each_comparison_and_all_arms(measured):
    figure = config_of().figures(measured)["spectral_features"]
    (axes,) = figure.axes
    assert axes.get_title() == "intermediate, errors: 1"
    assert len(axes.containers) == 4
    assert len(axes.get_yticks()) == 7
