"""What scorers measure during training is what they measure after it, on fewer people."""

import pytest

from physlm.data.people.bios import BiosConfig
from physlm.data.people.questions import QuestionsConfig
from physlm.data.tasks.manipulation import ManipulationConfig
from physlm.data.tokens import TokenizerName
from physlm.eval.people.capacity import CapacityConfig
from physlm.eval.people.qa import QaConfig
from physlm.eval.people.recall import RecallConfig
from physlm.eval.tasks.manipulation import ManipulationScorerConfig
from physlm.measurement import by_text
from physlm.models.architecture import DecoderConfig

N = 40


@pytest.fixture(scope="module")
def world():
    return BiosConfig(
        n_people=N, include_question_vocabulary=True, tokenizer=TokenizerName.compact
    ).build(0)


@pytest.fixture(scope="module")
def corpora(world):
    tasks = ManipulationConfig(tasks=["birth_month_mod_2", "birth_month_ranking"])
    return {
        "people": world,
        "questions": QuestionsConfig().follow(world, 0),
        "tasks": tasks.follow(world, 0),
    }


SCORERS = [
    ("people", CapacityConfig, "n_curve_people", ["capacity/bits_per_parameter{split=train}"]),
    ("people", RecallConfig, "n_curve_people", ["recall/accuracy{split=train}"]),
    (
        "questions",
        QaConfig,
        "n_curve_people",
        ["qa/exact_match{split=train_people}", "qa/exact_match{split=held_out_people}"],
    ),
    (
        "tasks",
        ManipulationScorerConfig,
        "n_curve_questions",
        [
            f"manipulation/accuracy{{split={split},task={task}}}"
            for task in ("birth_month_mod_2", "birth_month_ranking")
            for split in ("train_people", "held_out_people")
        ],
    ),
]


@pytest.mark.parametrize(("corpus", "scorer", "size", "expected"), SCORERS)
def test_a_curve_has_the_headline_metrics_of_the_scorer(corpora, corpus, scorer, size, expected):
    corpus = corpora[corpus]
    model = DecoderConfig(d_model=16, n_layers=1).build(corpus.vocabulary.size, 256, 0).eval()
    once = {"n_renderings": 1} if scorer is CapacityConfig else {}
    measured = by_text(scorer(**once).measure(model, corpus).metrics)
    whole = scorer(**{size: 10_000}).curve(model, corpus)
    assert [metric.text for metric in whole] == expected
    assert whole == [measured[text] for text in expected]
    for metric in scorer(**{size: 7}).curve(model, corpus):
        assert metric.n < measured[metric.text].n


@pytest.mark.parametrize(("corpus", "scorer", "size", "expected"), SCORERS)
def test_curves_of_nobody_are_refused(corpus, scorer, size, expected):
    with pytest.raises(ValueError, match=f"{size}=0"):
        scorer(**{size: 0})
