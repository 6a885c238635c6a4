"""Question answering, by models whose answers are known."""

from collections import Counter

import numpy as np
import pytest

from physlm.data.people.bios import BiosConfig
from physlm.data.people.pools import ATTRIBUTES
from physlm.data.people.questions import QuestionsConfig
from physlm.data.tokens import TokenizerName
from physlm.errors import InputError
from physlm.eval.people.qa import QaConfig
from physlm.eval.splits import HELD_OUT_PEOPLE, TRAIN_PEOPLE
from physlm.measurement import by_text
from physlm.models.architecture import DecoderConfig
from physlm.models.components import PositionEncoding
from tests.eval.oracle import Scripted


@pytest.fixture(scope="module")
def corpus():
    world = BiosConfig(
        n_people=30, include_question_vocabulary=True, tokenizer=TokenizerName.compact
    ).build(0)
    return QuestionsConfig(n_paraphrases=2).follow(world, 0)


def planted(corpus, changed):
    """A model that answers each question with what ``changed`` makes of the correct answer."""
    known, n = {}, corpus.world.n_people
    for attribute in range(len(ATTRIBUTES)):
        for paraphrase in range(24):
            rows = np.arange(n), np.full(n, attribute), np.full(n, paraphrase)
            documents = corpus.documents(*rows)
            for person, prompt in enumerate(corpus.prompts(*rows)):
                row = documents.tokens[documents.starts[person] : documents.starts[person + 1]]
                answer = [*row[len(prompt) :].tolist(), corpus.vocabulary.eos]
                known[tuple(prompt.tolist())] = changed(answer, person, attribute, paraphrase)
    return Scripted(corpus.vocabulary.size, known.__getitem__)


def scored(corpus, changed, **values):
    return by_text(QaConfig(**values).measure(planted(corpus, changed), corpus).metrics)


def test_a_model_that_knows_every_answer_scores_100(corpus):
    metrics = scored(corpus, lambda answer, *_: answer)
    for split in (TRAIN_PEOPLE, HELD_OUT_PEOPLE):
        for name in ("exact_match", "held_out_paraphrases"):
            assert metrics[f"qa/{name}{{split={split}}}"].value == 1
        for a in ATTRIBUTES:
            assert metrics[f"qa/exact_match{{attribute={a},split={split}}}"].value == 1
        assert metrics[f"qa/exact_match{{split={split}}}"].n == 15 * 6


@pytest.mark.parametrize(
    "changed",
    [
        lambda answer, *_: [answer[0] + 1, *answer[1:]],  # another first word
        lambda answer, *_: answer[:-2] + answer[-1:],  # the last word missing
        lambda answer, *_: answer[:-1] + answer[-2:-1] + answer[-1:],  # the last word twice
        lambda answer, *_: answer[:-1] + [0] * 20,  # correct, but longer
    ],
)
def test_a_model_that_is_almost_right_scores_0(corpus, changed):
    metrics = scored(corpus, changed)
    scores = {metric.value for name, metric in metrics.items() if "chance" not in name}
    assert scores == {0}


def test_chance_is_the_accuracy_of_the_most_common_answers(corpus):
    facts = [corpus.world.facts(i) for i in range(corpus.world.n_people)]
    most_common = {}
    for name in ATTRIBUTES:
        counts = Counter(facts[i][name] for i in np.flatnonzero(corpus.is_trained))
        most_common[name] = counts.most_common(1)[0][0]
    metrics = scored(corpus, lambda answer, *_: answer)
    for split, is_in in ((TRAIN_PEOPLE, True), (HELD_OUT_PEOPLE, False)):
        people = np.flatnonzero(corpus.is_trained == is_in)
        means = [np.mean([facts[i][n] == most_common[n] for i in people]) for n in ATTRIBUTES]
        assert metrics[f"qa/chance{{split={split}}}"].value == pytest.approx(np.mean(means))
        assert metrics[f"qa/chance{{attribute=major,split={split}}}"].value == pytest.approx(
            means[3]
        )


def test_splits_attributes_and_paraphrases_are_measured_separately(corpus):
    def only_some(answer, person, attribute, paraphrase):
        is_known = corpus.is_trained[person] and attribute != 2 and paraphrase < 2
        return answer if is_known else [corpus.vocabulary.eos]

    metrics = scored(corpus, only_some)
    assert metrics[f"qa/exact_match{{split={TRAIN_PEOPLE}}}"].value == pytest.approx(5 / 6)
    assert metrics[f"qa/exact_match{{split={HELD_OUT_PEOPLE}}}"].value == 0
    assert metrics[f"qa/exact_match{{attribute={ATTRIBUTES[2]},split={TRAIN_PEOPLE}}}"].value == 0
    assert metrics[f"qa/exact_match{{attribute={ATTRIBUTES[3]},split={TRAIN_PEOPLE}}}"].value == 1
    assert metrics[f"qa/held_out_paraphrases{{split={TRAIN_PEOPLE}}}"].value == 0


def test_every_answer_is_kept_and_gives_the_metrics(corpus):
    def some(answer, person, attribute, paraphrase):
        return answer if (person + attribute + paraphrase) % 3 else [corpus.vocabulary.eos]

    found = QaConfig().measure(planted(corpus, some), corpus)
    metrics, table = by_text(found.metrics), found.tables["qa_answers"]
    for split in (TRAIN_PEOPLE, HELD_OUT_PEOPLE):
        own = table.filter(split=split)
        for name, is_held_out in (("exact_match", False), ("held_out_paraphrases", True)):
            right = own.filter(is_held_out_paraphrase=is_held_out)["is_right"]
            assert right.mean() == pytest.approx(metrics[f"qa/{name}{{split={split}}}"].value)
    assert (table["is_right"] == (table["answer"] == table["truth"])).all()
    facts = {corpus.world.facts(i)["name"]: corpus.world.facts(i) for i in range(30)}
    for row in table.iter_rows(named=True):
        assert facts[row["person"]][row["attribute"]] == row["truth"]
        assert row["person"].split()[0] in row["question"]


def test_at_most_max_people_of_each_split_are_measured(corpus):
    metrics = scored(corpus, lambda answer, *_: answer, max_people=4)
    assert metrics[f"qa/exact_match{{split={HELD_OUT_PEOPLE}}}"].n == 24


def test_corpora_and_models_without_answers_are_refused(corpus, biod):
    with pytest.raises(InputError, match="eval=qa needs a corpus of questions; use data=questions"):
        QaConfig().check(planted(corpus, lambda answer, *_: answer), biod)
    config = DecoderConfig(d_model=16, n_layers=1, position=PositionEncoding.learned)
    with pytest.raises(InputError, match="learned positions end at data.seq_len=12"):
        QaConfig().check(config.build(corpus.vocabulary.size, 12, 0), corpus)


def test_the_longest_paraphrase_must_fit_the_window(corpus):
    config = DecoderConfig(d_model=16, n_layers=1, position=PositionEncoding.learned)
    n = corpus.world.n_people
    questions = [(np.arange(n), np.full(n, a), np.full(n, p)) for a in range(6) for p in range(24)]
    longest = max(len(prompt) for rows in questions for prompt in corpus.prompts(*rows))
    assert corpus.longest_question >= longest
    enough = corpus.longest_question + corpus.longest_answer
    model = config.build(corpus.vocabulary.size, enough, 0).eval()
    QaConfig().check(model, corpus)
    QaConfig().measure(model, corpus)
    with pytest.raises(InputError, match="questions and answers have up to"):
        QaConfig().check(config.build(corpus.vocabulary.size, enough - 1, 0), corpus)


def test_an_untrained_decoder_answers_nothing(corpus):
    model = DecoderConfig(d_model=16, n_layers=1).build(corpus.vocabulary.size, 64, 0).eval()
    QaConfig().check(model, corpus)
    assert (
        by_text(QaConfig().measure(model, corpus).metrics)[
            f"qa/exact_match{{split={HELD_OUT_PEOPLE}}}"
        ].value
        == 0
    )
