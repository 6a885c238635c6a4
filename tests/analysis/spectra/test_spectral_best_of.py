"""Picking among continuations: planted effects, chance, the ceiling and bad input."""

import numpy as np
import pytest
import torch

from physlm.analysis.spectra.best_of import chosen_pick, length_scores, picked
from physlm.analysis.spectra.best_of_metrics import candidates
from physlm.analysis.spectra.spectral_best_of import SpectralBestOfConfig
from physlm.analysis.spectra.text_columns import Columns
from physlm.data.brackets.corpus import BracketsConfig
from physlm.data.people.biod import BiodConfig
from physlm.errors import InputError
from physlm.models.architecture import EncoderConfig
from tests.analysis.spectra.planted_worlds import model_of, noise, planted, values_of, world
from tests.data.test_prompted import is_word


def brackets():
    """Words that chance completes often: two brackets of one type."""
    return BracketsConfig(n_brackets=10, n_types=1, held_out_fraction=0.9, seq_len=11).build(0)


def test_a_pick_is_right_if_the_best_score_is_and_ties_go_to_the_first():
    is_right = np.array([[False, True, True], [True, False, False], [False, True, False]])
    scores = np.array([[0.0, 2.0, 1.0], [0.0, 0.0, 0.0], [5.0, 4.0, 3.0]])
    assert picked(scores, is_right).tolist() == [True, True, False]
    lengths = length_scores(np.array([[5, 9, 7], [3, 3, 4], [2, 8, 1]]))
    found = {name: scores.argmax(1).tolist() for name, scores in lengths.items()}
    assert found == {"longest": [1, 2, 1], "shortest": [0, 0, 2], "median_length": [2, 0, 0]}


def test_the_informed_column_is_chosen_with_its_direction_and_others_pick_by_chance():
    is_right, other = noise(400, 8) > 0.6, noise(400, 8, seed=1)
    is_fitting = np.arange(400) % 2 == 0
    values = np.stack([other.ravel(), -(is_right + 0.1 * other).ravel()])
    columns = Columns(((0, 0, "hfer"), (1, 0, "hfer")), values)
    choice = chosen_pick(columns, is_right, is_fitting)
    assert (choice.key, choice.sign) == ((1, 0, "hfer"), -1)
    right = picked(choice.scores.reshape(400, 8), is_right)
    assert np.array_equal(right, is_right.any(axis=1))
    alone = Columns(columns.keys[:1], values[:1])
    by_noise = chosen_pick(alone, is_right, is_fitting)
    share = picked(by_noise.scores.reshape(400, 8), is_right)[~is_fitting].mean()
    assert share == pytest.approx(is_right.mean(), abs=0.1)


def test_a_planted_spectrum_reaches_the_ceiling_and_an_untrained_one_does_not():
    corpus = brackets()
    config = SpectralBestOfConfig(n_prompts=36, n_candidates=16, metrics=["fiedler"])
    values = values_of(config.measure(planted(corpus), corpus).metrics)
    ceiling = values["best_of/right{pick=ceiling}"]
    assert values["best_of/right{pick=spectra}"] == ceiling
    assert values["best_of/right{pick=untrained}"] < ceiling
    gain = values["best_of/gain{metric=fiedler,over=random,pick=spectra}"]
    assert gain == pytest.approx(ceiling - values["best_of/right{pick=random}"])


def test_continuations_that_are_never_right_leave_nothing_to_pick():
    corpus = world(held_out_fraction=0.5)
    with pytest.raises(InputError, match="none of 12 sampled continuations are right"):
        candidates(SpectralBestOfConfig(n_prompts=4, n_candidates=3), model_of(corpus), corpus)


def test_candidates_are_checked_by_the_world_and_scored_by_the_model():
    corpus = brackets()
    model = model_of(corpus)
    config = SpectralBestOfConfig(n_prompts=4, n_candidates=50, metrics=["hfer"])
    found = candidates(config, model, corpus)
    words = np.array([*corpus.words, "EOS"])
    right = [is_word(words[text[1:]]) for text in found.texts.tokens]
    assert found.is_right.ravel().tolist() == right
    assert 0 < sum(right) < 200
    for number in (0, 70, 199):
        text = torch.from_numpy(found.texts.tokens[number]).long()[None]
        log_p = model(text).log_softmax(-1)[0, :-1].gather(-1, text[0, 1:, None])[5:, 0].detach()
        row, column = divmod(number, 50)
        assert found.mean_log_probability[row, column] == pytest.approx(float(log_p.mean()))
        assert found.min_log_probability[row, column] == pytest.approx(float(log_p.min()))


def test_every_pick_is_measured_beside_chance_and_below_the_ceiling():
    corpus, config = (
        brackets(),
        SpectralBestOfConfig(n_prompts=12, n_candidates=8, metrics=["hfer"]),
    )
    model = model_of(corpus)
    config.check(model, corpus)
    found = config.measure(model, corpus)
    values = values_of(found.metrics)
    own = {name: v for name, v in values.items() if name.startswith("best_of/right")}
    assert set(own) == {
        *(
            f"best_of/right{{pick={pick}}}"
            for pick in (
                *("random", "ceiling", "spectra", "untrained"),
                *("mean_log_probability", "min_log_probability"),
            )
        ),
        "best_of/right{metric=hfer,pick=spectra}",
    }
    assert max(own.values()) == own["best_of/right{pick=ceiling}"]
    assert values["best_of/none_right"] == pytest.approx(1 - own["best_of/right{pick=ceiling}"])
    gain = values["best_of/gain{over=random,pick=spectra}"]
    expected = own["best_of/right{pick=spectra}"] - own["best_of/right{pick=random}"]
    assert gain == pytest.approx(expected)
    assert found.tables["best_of_picks"].filter(pick="untrained")["layer"][0] is not None


@pytest.mark.parametrize(
    ("act", "message"),
    [
        (lambda: SpectralBestOfConfig(metrics=["hfr"]), "metric hfr"),
        (lambda: SpectralBestOfConfig(metrics=[]), "give at least one"),
        (lambda: SpectralBestOfConfig(n_candidates=1), "n_candidates=1; must be at least 2"),
        (
            lambda: SpectralBestOfConfig().check(
                model_of(world()), BiodConfig(n_people=8).build(0)
            ),
            "checks no continuations; use data=sums",
        ),
        (
            lambda: SpectralBestOfConfig().check(
                EncoderConfig(d_model=16).build(14, 16, 0), world()
            ),
            "gives texts no likelihood",
        ),
        (
            lambda: SpectralBestOfConfig(n_prompts=100).check(model_of(world()), world()),
            "holds out 7 problems, and 100 are needed",
        ),
    ],
)
def test_bad_input_is_refused_in_one_line(act, message):
    with pytest.raises((ValueError, InputError), match=message) as refused:
        act()
    assert "\n" not in str(refused.value)
