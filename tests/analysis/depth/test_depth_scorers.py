"""Scorers of depth: what they read, and planted depths that they must find."""

from collections import Counter

import numpy as np
import polars as pl
import pytest
import torch

from physlm.analysis.depth.depth import DepthConfig
from physlm.analysis.depth.depth_classes import DepthClassesConfig
from physlm.analysis.depth.depth_facts import DepthFactsConfig
from physlm.analysis.depth.depth_options import DepthOptionsConfig
from physlm.analysis.depth.early_exit_scorer import EarlyExitConfig
from physlm.analysis.depth.lens_scorer import LensKind, LensScorerConfig
from physlm.analysis.depth.option_prompts import option_prompts
from physlm.analysis.depth.positions import Positions
from physlm.analysis.lenses import TunedLens
from physlm.data.cfg.corpus import CfgConfig
from physlm.data.people.bios import BiosConfig
from physlm.data.people.questions import QuestionsConfig
from physlm.data.public.corpus import PublicFiguresConfig
from physlm.data.tasks.manipulation import ManipulationConfig
from physlm.errors import InputError
from physlm.models.architecture import DecoderConfig
from physlm.models.encoder import EncoderConfig
from tests.analysis.depth.planted import PlantedModel

N_LAYERS = 4


class ReadingConfig(LensScorerConfig):
    """The settings that all these scorers share."""

    def measure(self, model, corpus):
        raise NotImplementedError


@pytest.fixture(scope="module")
def people():
    config = BiosConfig(
        n_people=40, pool_size=20, tokenizer="compact", include_question_vocabulary=True
    )
    return config.build(0)


@pytest.fixture(scope="module")
def strings():
    return CfgConfig(grammar="cfg3b", root=19, n_strings=100).build(0)


def small(corpus, **changes):
    config = DecoderConfig(n_layers=2, d_model=8, n_heads=2, init_std=0.5, **changes)
    return config.build(corpus.vocabulary.size, 128, 0).eval()


def sampled(corpus, **changes):
    values = {"n_lens_tokens": 1000, "n_predictions": 1000} | changes
    return ReadingConfig(**values).sample(small(corpus), corpus)


def by_metric(measurement):
    return {metric.text: metric.value for metric in measurement.metrics}


def planted(tokens, onset, vocabulary_size):
    """States whose top-1 token is the next token from the given state on, and another before."""
    following = torch.roll(tokens, -1, dims=1)
    states = torch.zeros(N_LAYERS + 1, *tokens.shape, vocabulary_size)
    for k in range(N_LAYERS + 1):
        guess = torch.where(onset <= k, following, (following + 1) % vocabulary_size)
        states[k] = torch.nn.functional.one_hot(guess, vocabulary_size) * 5.0
    return PlantedModel(states)


def test_no_person_is_both_fitted_and_analysed(people):
    sample = sampled(people)
    rows = sample.positions.table(sample.tokens)
    spelt = {people.facts(p)["name"]: p for p in range(people.n_people)}
    fitted = {people.vocabulary.decode(row[1:4].numpy()).strip() for row in sample.fitted.tokens}
    analysed = set(rows["document"].to_list())
    assert analysed
    assert fitted
    assert fitted <= set(spelt)
    assert not analysed & {spelt[name] for name in fitted}


def test_a_tag_is_that_of_the_token_which_is_predicted(people):
    sample = sampled(people)
    rows = sample.positions.table(sample.tokens).filter(pl.col("target") >= 0)
    for row in rows.filter(pl.col("attribute") == "major").head(20).iter_rows(named=True):
        word = people.vocabulary.decode(np.array([row["target"]])).strip()
        major = people.facts(row["document"])["major"].replace(",", " ,").split()
        assert word == major[row["value_position"] - 1]


def test_the_truth_is_that_of_the_token_which_is_predicted(strings):
    sample = sampled(strings)
    rows = sample.positions.table(sample.tokens).filter(pl.col("target") >= 0)
    truth = sample.truth[rows["window"].to_list(), rows["offset"].to_list()].numpy()
    assert (truth[np.arange(len(rows)), rows["target"]] > 0).all()
    np.testing.assert_allclose(truth.sum(axis=1), 1, atol=1e-6)


def test_long_documents_are_cut_into_windows(people):
    whole, cut = sampled(people), sampled(people, window=20)
    assert cut.tokens.shape[1] == 20 < whole.tokens.shape[1]
    lengths = [int(sample.positions.lengths.sum()) for sample in (whole, cut)]
    assert lengths[0] == lengths[1]


def test_classes_have_the_depths_that_were_planted(strings):
    config = DepthClassesConfig(
        lens="logit",
        n_lens_tokens=500,
        n_predictions=2500,
        batch_size=999,
        pairs=["inside:level_2"],
    )
    sample = config.sample(small(strings), strings)
    classes = np.array(sample.positions.tags["class"])
    onset = torch.from_numpy(np.select([classes == "inside", classes == "level_2"], [1, 4], 2))
    model = planted(sample.tokens, onset, strings.vocabulary.size)
    found = by_metric(config.measure(model, strings))
    assert found["depth/class/onset{class=inside}"] == 1
    assert found["depth/class/settled{class=level_2}"] == 4
    assert found["depth/class/accuracy{class=inside}"] == 1
    dims = "{depth=onset,first=inside,matched=nothing,second=level_2}"
    assert found[f"depth/class/difference{dims}"] == pytest.approx(-3)
    assert found[f"depth/class/imbalance{dims}"] == 0
    assert abs(found[f"depth/class/permuted_difference{dims}"]) < 0.2


def test_facts_have_the_depths_that_were_planted(people):
    config = DepthFactsConfig(lens="logit", n_lens_tokens=800, n_predictions=2000, batch_size=999)
    sample = config.sample(small(people), people)
    position = torch.from_numpy(np.array(sample.positions.tags["value_position"]))
    model = planted(sample.tokens, torch.where(position == 1, 3, 1), people.vocabulary.size)
    found = by_metric(config.measure(model, people))
    assert found["depth/facts/onset{length=3,position=1}"] == 3
    assert found["depth/facts/onset{length=3,position=2}"] == 1
    assert found["depth/facts/onset{length=3,position=3,predictions=right}"] == 1
    dims = "{depth=onset,first=first,matched=true_entropy_nats,second=later}"
    assert found[f"depth/facts/difference{dims}"] == pytest.approx(2)
    assert "depth/facts/onset{length=3,position=1,predictions=wrong}" not in found


@pytest.fixture(scope="module")
def tasks(people):
    names = ["birth_month_mod_2", "birth_month_mod_6"]
    return ManipulationConfig(tasks=names, hint_fraction=0.5).follow(people, 0)


def test_prompts_end_before_the_answer_and_their_options_are_all_answers(people, tasks):
    _, kinds = option_prompts(small(people), tasks, 100)
    forms = {(kind.task, kind.split, kind.form) for kind in kinds}
    assert len(forms) == len(kinds) == 2 * 2 * 2
    for kind in kinds:
        last = kind.tokens[torch.arange(len(kind.tokens)), kind.positions.lengths - 1]
        assert people.vocabulary.decode(last[:1].numpy()).endswith(":")
        options = [people.vocabulary.decode(np.array([t])).strip() for t in kind.options[0]]
        is_parity = kind.task == "birth_month_mod_2"
        assert options == (["No", "Yes"] if is_parity else ["0", "1", "2", "3", "4", "5"])
        remainders = [people.facts(int(p))["birth_date"] for p in kind.positions.documents[:, 0]]
        months = "January February March April May June July August September October November"
        number = {name: i for i, name in enumerate([*months.split(), "December"], 1)}
        found = [number[date.split()[0]] % len(options) for date in remainders]
        # An even month is the answer Yes, and its remainder is 0.
        assert kind.answers.tolist() == ([1 - n for n in found] if is_parity else found)


def test_no_person_of_the_analysed_questions_is_one_of_the_lens(people, tasks):
    windows, kinds = option_prompts(small(people), tasks, 100)
    fitted = {people.vocabulary.decode(row.numpy()) for row in windows.tokens}
    for kind in kinds:
        read = {people.vocabulary.decode(row.numpy()) for row in kind.tokens}
        assert not fitted & read


def test_the_order_of_options_settles_where_it_was_planted(people, tasks):
    config = DepthOptionsConfig(lens="logit", batch_size=999)
    _, kinds = option_prompts(small(people), tasks, config.n_predictions)
    width = max(kind.tokens.shape[1] for kind in kinds)
    n = max(len(kind.tokens) for kind in kinds)
    states = torch.zeros(N_LAYERS + 1, n, width, people.vocabulary.size)
    options = max((kind.options[0].tolist() for kind in kinds), key=len)
    for rank, token in enumerate(options):
        states[:, :, :, token] = 10.0 - rank
        states[:3, :, :, token] = 1.0 + rank  # the reverse order up to state 2
    states[:2, :, :, :] *= 0.01
    states[:2, :, :, people.vocabulary.eos] = 1.0
    found = by_metric(config.measure(PlantedModel(states), tasks))
    dims = "form=plain,split=train_people,task=birth_month_mod_6"
    assert found[f"depth/options/order_settled{{{dims}}}"] == 3
    assert found[f"depth/options/settled{{{dims}}}"] == 3
    at_state = dims.replace("task=", "state={},task=")
    assert found[f"depth/options/all_in_top_k{{{at_state.format(2)}}}"] == 1
    assert found[f"depth/options/all_in_top_k{{{at_state.format(1)}}}"] == 0
    assert found[f"depth/options/half_minus_final{{{dims}}}"] == pytest.approx(0.2)


def test_the_depth_of_a_model_is_held_against_lenses_that_know_less(people):
    model = small(people)
    config = DepthConfig(
        n_lens_tokens=1000, n_predictions=800, lens_steps=3, frequent_weight=1e-3, bucket_mass=[0.5]
    )
    config.check(model, people)
    measurement = config.measure(model, people)
    found = by_metric(measurement)
    for lens in ("own", "logit", "shifted", "shuffled", "weighted", "untrained"):
        assert found[f"lens/kl_nats{{lens={lens},state=2}}"] == 0
        assert found[f"lens/skill{{lens={lens},state=2}}"] == 1
    assert found["lens/largest_kl_excess{lens=logit}"] < 0
    assert found["lens/largest_skill{lens=shuffled}"] < 0.05
    sample = config.sample(model, people)
    counts = Counter(sample.tokens[sample.analysed.counted(1)].tolist())
    n_once = sum(n == 1 for n in counts.values())
    assert n_once
    assert found["lens/token_singleton_fraction"] == pytest.approx(n_once / counts.total())
    rows = measurement.tables["predictions"]
    is_frequent = measurement.arrays["bucket_of_token"] == 0
    early, final = (is_frequent[rows["top1"].to_numpy()[:, k]] for k in (1, 2))
    per_person = rows.select("document").with_columns(
        d=pl.lit(early.astype(int) - final.astype(int))
    )
    expected = per_person.group_by("document").mean()["d"].mean()
    name = "depth/frequency/early_excess{bucket=mass_50,lens=own}"
    assert found[name] == pytest.approx(expected)
    assert sorted(config.figures(measurement)) == sorted(config.figure_names)


@pytest.fixture
def published(people, tmp_path):
    """A Jacobian lens in a published file, without state 0: unit matrices, hence the logit lens."""
    width = small(people).output_weight.shape[1]
    torch.save({"J": {0: torch.eye(width).half()}}, tmp_path / "lens.pt")
    return str(tmp_path / "lens.pt")


def test_a_published_lens_is_measured_at_the_states_that_it_reads(people, published):
    model = small(people)
    sizes = {"n_lens_tokens": 600, "n_predictions": 200}
    config = DepthConfig(lens="jacobian", lens_path=published, **sizes)
    config.check(model, people)
    measurement = config.measure(model, people)
    found = by_metric(measurement)
    for name in ("lens/kl_nats", "lens/bias_nats", "depth/agreement"):
        states = {k for k in range(3) if f"{name}{{lens=own,state={k}}}" in found}
        assert states == {1, 2}
    of_state = "lens/kl_nats{{lens={},state=1}}".format
    assert found[of_state("own")] == pytest.approx(found[of_state("logit")])
    assert found["lens/largest_kl_excess{lens=logit}"] == pytest.approx(0, abs=1e-6)
    assert measurement.tables["predictions"]["state"][0].to_list() == [1, 2]
    assert sorted(config.figures(measurement)) == sorted(config.figure_names)


def test_a_lens_that_lacks_other_states_is_refused_before_anything_is_computed(people, published):
    config = DecoderConfig(n_layers=3, d_model=8, n_heads=2)
    deeper = config.build(people.vocabulary.size, 64, 0)
    with pytest.raises(InputError, match=r"reads no state 2; of the states 0 to 3 of the"):
        DepthConfig(lens="jacobian", lens_path=published).check(deeper, people)
    exits = EarlyExitConfig(lens="jacobian", lens_path=published, decoding_states=[0, 1])
    with pytest.raises(InputError, match=r"decoding_states=\[0, 1\], and .* reads no state 0"):
        exits.check(small(people), people)


def test_a_grammar_is_measured_against_its_truth(strings):
    config = DepthConfig(lens="ridge", n_lens_tokens=600, n_predictions=600)
    found = by_metric(config.measure(small(strings), strings))
    assert found["lens/true_kl_nats{lens=own,state=2}"] > 0
    assert "depth/frequency/mass{bucket=rest,lens=own,state=0}" not in found  # 4 tokens


def test_every_analysed_prediction_is_of_a_known_token(people):
    sample = sampled(people)
    rows = sample.positions.table(sample.tokens)
    assert (rows["target"] >= 0).all()
    assert len(rows) == int(sample.analysed.counted(1).sum())


def test_questions_about_one_person_are_on_one_side(people, tasks):
    questions = QuestionsConfig().follow(people, 0)
    for corpus in (questions, tasks):
        sample = sampled(corpus, n_lens_tokens=800, n_predictions=800)
        rows = sample.positions.table(sample.tokens)
        read = {people.vocabulary.decode(row.numpy()) for row in sample.tokens}
        fitted = [people.vocabulary.decode(row.numpy()) for row in sample.fitted.tokens]
        for person in rows["document"].unique():
            name = people.facts(person)["name"]
            assert any(name in text for text in read)
            if corpus is questions:
                assert not any(name in text for text in fitted)


@pytest.mark.slow
def test_the_lens_that_is_kept_is_the_one_that_was_used(people, tmp_path):
    model = small(people)
    config = DepthConfig(n_lens_tokens=1000, n_predictions=500, lens="ridge")
    measurement = config.measure(model, people)
    measurement.files["lens"](tmp_path / "lens")
    again = DepthConfig(
        n_lens_tokens=1000, n_predictions=500, lens="tuned", lens_path=str(tmp_path / "lens")
    )
    assert isinstance(again.fitted(model, again.sample(model, people)), TunedLens)
    name = "lens/kl_nats{lens=own,state=1}"
    assert by_metric(again.measure(model, people))[name] == pytest.approx(
        by_metric(measurement)[name], rel=1e-5
    )


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"window": 1}, "window=1"),
        ({"n_predictions": 0}, "n_predictions=0"),
        ({"lens": LensKind.logit, "lens_path": "/x"}, "lens_path=/x with lens=logit"),
    ],
)
def test_values_that_cannot_be_meant_are_refused(values, message):
    with pytest.raises(ValueError, match=message):
        ReadingConfig(**values)


def test_what_cannot_be_measured_is_refused_in_one_line(people, strings, tmp_path):
    encoder = EncoderConfig(n_layers=2, d_model=8, n_heads=2)
    with pytest.raises(InputError, match="predicts no next token"):
        DepthConfig().check(encoder.build(people.vocabulary.size, 32, 0), people)
    few = small(strings)
    with pytest.raises(
        InputError, match=r"frequent_weight=0.1; a vocabulary of 4 tokens, fewer than 50"
    ):
        DepthConfig(frequent_weight=0.1).check(few, strings)
    (tmp_path / "counts.json").write_text('{"0": {"ratio": 1.0}}')
    path = str(tmp_path / "counts.json")
    with pytest.raises(
        InputError, match=r"counts_path=.*counts.json.*; a vocabulary of 4 tokens, fewer"
    ):
        DepthConfig(counts_path=path).check(few, strings)
    DepthConfig(frequent_weight=0.1, counts_path=path, bucket_mass=[0.5]).check(few, strings)
    with pytest.raises(InputError, match="no lens|has no config.json"):
        DepthConfig(lens_path=str(tmp_path)).check(small(people), people)
    with pytest.raises(InputError, match="tag=colour; this world's tokens have"):
        DepthClassesConfig(
            tag="colour", lens="logit", n_lens_tokens=500, n_predictions=500
        ).measure(small(people), people)
    with pytest.raises(
        InputError, match="pairs: outside is not a class; use one of inside, level_2"
    ):
        DepthClassesConfig(
            pairs=["outside:inside"], lens="logit", n_lens_tokens=300, n_predictions=300
        ).measure(small(strings), strings)
    with pytest.raises(InputError, match="measures tokens of facts"):
        DepthFactsConfig(lens="logit", n_lens_tokens=500, n_predictions=500).measure(
            small(strings), strings
        )
    with pytest.raises(InputError, match="measures data=manipulation"):
        DepthOptionsConfig().check(small(strings), strings)
    with pytest.raises(ValueError, match="must be two classes, FIRST:SECOND"):
        DepthClassesConfig(pairs=["inside"])
    with pytest.raises(ValueError, match="must be two classes, FIRST:SECOND"):
        DepthOptionsConfig(pairs=["a:b:c"])
    one = PublicFiguresConfig().build(0)
    assert isinstance(sampled(one, n_lens_tokens=200, n_predictions=200).positions, Positions)
