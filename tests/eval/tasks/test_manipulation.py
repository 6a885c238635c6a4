"""Knowledge manipulation, measured on models whose answers are known."""

import re
from dataclasses import dataclass
from functools import cache

import numpy as np
import pytest

from physlm.data.people.bios import BiosConfig
from physlm.data.people.pools import MONTHS
from physlm.data.people.questions import QuestionsConfig
from physlm.data.tasks.manipulation import ManipulationConfig
from physlm.data.tasks.manipulation_tasks import tasks
from physlm.data.tasks.task import QaItems, Task
from physlm.data.tokens import TokenizerName
from physlm.errors import InputError
from physlm.eval.splits import HELD_OUT_PEOPLE, TRAIN_PEOPLE
from physlm.eval.tasks.manipulation import ManipulationScorerConfig
from physlm.measurement import by_text
from physlm.models.architecture import DecoderConfig
from physlm.models.components import PositionEncoding
from tests.eval.oracle import saying

N = 60


@cache
def built():
    return BiosConfig(
        n_people=N, include_question_vocabulary=True, tokenizer=TokenizerName.compact
    ).build(0)


@cache
def known():
    """The facts of all people, which models look up for every question."""
    return [built().facts(i) for i in range(N)]


@pytest.fixture
def world():
    return built()


def corpus_of(world, *tasks, **values):
    return ManipulationConfig(tasks=list(tasks), **values).follow(world, 0)


def scored(corpus, says):
    return by_text(
        ManipulationScorerConfig().measure(saying(corpus.vocabulary, says), corpus).metrics
    )


def parity(name, split):
    return f"manipulation/{name}{{split={split},task=birth_month_mod_2}}"


def name_of(name, split):
    return f"manipulation/{name}{{split={split},task=full_name_from_birth_date}}"


def months(text):
    """Birth months of the people in a question, in order of occurrence."""
    found = sorted((text.index(p["name"]), p["birth_date"]) for p in known() if p["name"] in text)
    return [date.split()[0] for _, date in found]


def is_even(month):
    return "No" if MONTHS.index(month) % 2 == 0 else "Yes"


def answer_from(text):
    """Whether the month is even: from the hint if there is one, else from memory."""
    hint = re.search(r"Facts: (\w+)\. Answer:", text)
    (month,) = [hint[1]] if hint else months(text)
    return f"{month}. Answer: {is_even(month)}" if text.endswith("Facts:") else is_even(month)


def test_a_model_that_knows_the_facts_and_follows_hints_scores_100(world):
    corpus = corpus_of(world, "birth_month_mod_2", hint_fraction=0.5)
    metrics = scored(corpus, answer_from)
    for split in (TRAIN_PEOPLE, HELD_OUT_PEOPLE):
        for name in ("accuracy", "accuracy_with_hint", "hint_accuracy", "hint_faithfulness"):
            assert metrics[parity(name, split)].value == 1, name
        assert metrics[parity("accuracy", split)].n == N // 2


def test_a_model_that_ignores_hints_has_no_faithfulness(world):
    corpus = corpus_of(world, "birth_month_mod_2", hint_fraction=0.5)

    def says(text):
        return answer_from(re.sub(r"Facts: \w+\. Answer:", "Answer:", text))

    metrics = scored(corpus, says)
    assert metrics[parity("hint_faithfulness", HELD_OUT_PEOPLE)].value == 0
    assert metrics[parity("accuracy", HELD_OUT_PEOPLE)].value == 1


def test_a_correct_hint_counts_whatever_follows_it(world):
    """An answer that never ends is cut and wrong; the hint before it remains correct."""
    corpus = corpus_of(world, "birth_month_mod_2", hint_fraction=0.5)

    def says(text):
        right = answer_from(text)
        return f"{right}{' Yes' * 99}" if "Facts:" in text else right

    metrics = scored(corpus, says)
    for name, value in (
        ("hint_accuracy", 1),
        ("accuracy_with_hint", 0),
        ("unfinished_with_hint", 1),
        ("accuracy", 1),
        ("unfinished", 0),
    ):
        assert metrics[parity(name, HELD_OUT_PEOPLE)].value == value, name


def test_a_hint_that_never_ends_is_wrong(world):
    corpus = corpus_of(world, "birth_month_mod_2", hint_fraction=0.5)

    def says(text):
        month = months(text)[0]
        return month + f" {month}" * 99

    metrics = scored(corpus, says)
    assert metrics[parity("hint_accuracy", HELD_OUT_PEOPLE)].value == 0
    assert metrics[parity("unfinished_with_hint", HELD_OUT_PEOPLE)].value == 1


@pytest.mark.parametrize("task", ["birth_day", "full_name_from_birth_date"])
def test_an_answer_after_a_hint_that_is_too_long_is_not_cut(world, task):
    """A hint twice as long as the longest correct one is wrong; the answer may be correct."""
    corpus = corpus_of(world, task, hint_fraction=0.5)
    facts = {world.facts(i)["birth_date"]: world.facts(i) for i in range(N)}
    names = {world.facts(i)["name"]: world.facts(i) for i in range(N)}
    longest = corpus.longest(corpus.tasks[0].ask(corpus.fact_table, np.arange(N)[:, None]).hint)

    def says(text):
        who = next(p for k, p in {**facts, **names}.items() if k in text.partition("Facts:")[0])
        day = who["birth_date"].split()[1].rstrip(",")
        answer = day if task == "birth_day" else who["name"]
        if not text.endswith("Facts:"):
            return answer
        return f"May{' May' * (2 * longest - 1)}. Answer: {answer}"

    metrics = scored(corpus, says)
    assert metrics[f"manipulation/hint_accuracy{{split={HELD_OUT_PEOPLE},task={task}}}"].value == 0
    assert (
        metrics[f"manipulation/accuracy_with_hint{{split={HELD_OUT_PEOPLE},task={task}}}"].value
        == 1
    )
    assert (
        metrics[f"manipulation/unfinished_with_hint{{split={HELD_OUT_PEOPLE},task={task}}}"].value
        == 0
    )


def test_the_limit_on_new_tokens_covers_every_accepted_answer():
    """The longest name that fits is accepted, even if another person is measured."""
    world = BiosConfig(n_people=N, include_question_vocabulary=True, pool_size=4).build(0)
    corpus = corpus_of(world, "full_name_from_birth_date")
    facts = [world.facts(i) for i in range(N)]

    def says(text):
        fitting = [p["name"] for p in facts if p["birth_date"] in text]
        return max(fitting, key=lambda name: len(world.vocabulary.encode(f" {name}")))

    scorer = ManipulationScorerConfig(max_questions=1)
    for seed in range(3):
        config = ManipulationConfig(
            tasks=["full_name_from_birth_date"], train_fraction=0.3 + seed / 10
        )
        corpus = config.follow(world, 0)
        metrics = by_text(scorer.measure(saying(corpus.vocabulary, says), corpus).metrics)
        assert metrics[name_of("accuracy", HELD_OUT_PEOPLE)].value == 1


@pytest.mark.parametrize(
    "wrong",
    [
        lambda right: "No" if right == "Yes" else "Yes",
        lambda right: f"{right} {right}",
        lambda right: "",
    ],
)
def test_a_model_that_is_wrong_scores_0(world, wrong):
    corpus = corpus_of(world, "birth_month_mod_2")
    metrics = scored(corpus, lambda text: wrong(answer_from(text)))
    for split in (TRAIN_PEOPLE, HELD_OUT_PEOPLE):
        assert metrics[parity("accuracy", split)].value == 0
    assert not any("hint" in name for name in metrics)


def test_chance_is_the_accuracy_of_the_most_common_answer(world):
    corpus = corpus_of(world, "birth_month_mod_2")
    n_even = sum(is_even(months(known()[i]["name"])[0]) == "Yes" for i in corpus.train)
    most_common = "Yes" if 2 * n_even > len(corpus.train) else "No"
    metrics = scored(corpus, lambda text: most_common)
    for split in (TRAIN_PEOPLE, HELD_OUT_PEOPLE):
        name = f"manipulation/%s{{split={split},task=birth_month_mod_2}}"
        assert metrics[name % "accuracy"].value == metrics[name % "chance"].value
    assert 0.2 < metrics[parity("chance", HELD_OUT_PEOPLE)].value < 0.8


def test_every_person_who_fits_the_question_is_accepted():
    """With four birth years, some people share a birth date."""
    world = BiosConfig(n_people=N, include_question_vocabulary=True, pool_size=4).build(0)
    corpus = corpus_of(world, "full_name_from_birth_date")
    facts = [world.facts(i) for i in range(N)]
    dates = [p["birth_date"] for p in facts]
    shared = [d for d in dates if dates.count(d) > 1]
    assert shared

    def says(text):
        fitting = [p["name"] for p in facts if p["birth_date"] in text]
        return fitting[-1]

    metrics = scored(corpus, says)
    assert metrics[name_of("accuracy", HELD_OUT_PEOPLE)].value == 1
    assert metrics[name_of("chance", HELD_OUT_PEOPLE)].value < 0.1


def test_every_answer_is_kept_and_gives_the_metrics(world):
    corpus = corpus_of(world, "birth_month_mod_2", hint_fraction=0.5)
    found = ManipulationScorerConfig().measure(saying(corpus.vocabulary, answer_from), corpus)
    metrics, table = by_text(found.metrics), found.tables["manipulation_answers"]
    for split in (TRAIN_PEOPLE, HELD_OUT_PEOPLE):
        own = table.filter(split=split)
        assert own["is_right"].mean() == metrics[parity("accuracy", split)].value
        assert (
            own["is_right_with_hint"].mean() == metrics[parity("accuracy_with_hint", split)].value
        )
        assert (own["hint"] == own["written_hint"]).mean() == metrics[
            parity("hint_accuracy", split)
        ].value
    for row in table.iter_rows(named=True):
        (month,) = months(row["question"])
        assert (row["truth"], row["answer"], row["hint"]) == (is_even(month), is_even(month), month)


def test_questions_of_the_training_set_are_not_held_out():
    """A held-out person who shares a birth date with a train person is left out."""
    world = BiosConfig(n_people=N, include_question_vocabulary=True, pool_size=4).build(0)
    corpus = corpus_of(world, "full_name_from_birth_date")
    dates = [world.facts(i)["birth_date"] for i in range(N)]
    names = {dates[i]: world.facts(i)["name"] for i in corpus.train}
    first = world.facts(corpus.train[0])["name"]
    shared = [i for i in corpus.test if dates[i] in names]
    assert 0 < len(shared) < len(corpus.test)

    def says(text):
        return next((name for date, name in names.items() if date in text), first)

    metrics = scored(corpus, says)
    accuracy = metrics[name_of("accuracy", HELD_OUT_PEOPLE)]
    assert accuracy.value == 0
    assert accuracy.n == len(corpus.test) - len(shared)
    assert metrics[name_of("accuracy", TRAIN_PEOPLE)].value == 1


def test_lists_are_correct_only_as_a_whole(world):
    corpus = corpus_of(world, "born_in_year")
    facts = [world.facts(i) for i in range(N)]

    def names(text):
        year = re.search(r"in (\d+)\?", text)[1]
        return sorted(p["name"] for p in facts if p["birth_date"].endswith(year))

    n_years = len({facts[i]["birth_date"][-4:] for i in corpus.test})
    metrics = scored(corpus, lambda text: ", ".join(names(text)))
    assert metrics[f"manipulation/accuracy{{split={HELD_OUT_PEOPLE},task=born_in_year}}"].value == 1
    assert (
        metrics[f"manipulation/accuracy{{split={HELD_OUT_PEOPLE},task=born_in_year}}"].n == n_years
    )
    metrics = scored(corpus, lambda text: ", ".join(names(text)[:-1]))
    assert metrics[f"manipulation/accuracy{{split={HELD_OUT_PEOPLE},task=born_in_year}}"].value == 0


def test_pairs_are_of_one_split(world):
    corpus = corpus_of(world, "birth_month_ranking")
    facts = [world.facts(i) for i in range(N)]
    read = []
    scored(corpus, lambda text: read.append(text) or "No")
    tested = {facts[i]["name"] for i in corpus.test}
    for text in read:
        found = {p["name"] for p in facts if p["name"] in text}
        assert len(found) == 2
        assert found <= tested or not found & tested


def test_what_cannot_be_measured_is_refused(world):
    scorer, model = ManipulationScorerConfig(), DecoderConfig(n_layers=1, n_heads=1, d_model=8)
    corpus = corpus_of(world, "full_name_from_all", hint_fraction=0.5)
    size = world.vocabulary.size
    questions = QuestionsConfig().follow(world, 0)
    with pytest.raises(
        InputError, match="eval=manipulation measures the tasks of data=manipulation"
    ):
        scorer.check(model.build(size, 64, 0), questions)
    short = DecoderConfig(n_layers=1, n_heads=1, d_model=8, position=PositionEncoding.learned)
    with pytest.raises(InputError, match="full_name_from_all have up to"):
        scorer.check(short.build(size, 32, 0), corpus)
    with pytest.raises(ValueError, match="max_questions=0; must be at least 1"):
        ManipulationScorerConfig(max_questions=0)


@pytest.mark.parametrize("task", ["birth_day", "birth_month_ranking", "full_name_from_all"])
@pytest.mark.parametrize("hint_fraction", [0.0, 0.5])
def test_an_accepted_window_holds_prompts_and_answers(world, task, hint_fraction):
    """In the shortest accepted window an untrained model generates up to the limit."""
    corpus = corpus_of(world, task, hint_fraction=hint_fraction)
    config = DecoderConfig(n_layers=1, n_heads=1, d_model=8, position=PositionEncoding.learned)
    scorer = ManipulationScorerConfig()
    for n in range(20, 200):
        model = config.build(world.vocabulary.size, n, 0).eval()
        try:
            scorer.check(model, corpus)
        except InputError:
            continue
        scorer.measure(model, corpus)
        return
    raise AssertionError("no window is long enough")


@dataclass(frozen=True)
class Anybody(Task):
    """The same question about every person."""

    may_fit_several = True

    def ask(self, fact_table, people):
        who = people[:, 0]
        return QaItems(fact_table.words("?", who), (), fact_table.name(who))

    def texts(self):
        return ["?"]


@pytest.mark.parametrize(
    ("task", "scorer", "message"),
    [
        (
            "birth_month_ranking",
            {"max_questions": 1},
            r"needs 2 people .* only 1 of train_people have .* or max_questions=2 or more",
        ),
        ("anybody", {}, r"only 0 of held_out_people have questions; use more people"),
    ],
)
def test_splits_without_questions_are_refused(world, monkeypatch, task, scorer, message):
    monkeypatch.setitem(tasks(), "anybody", Anybody("anybody"))
    corpus = corpus_of(world, task)
    model = DecoderConfig(n_layers=1, n_heads=1, d_model=8).build(world.vocabulary.size, 64, 0)
    with pytest.raises(InputError, match=message):
        ManipulationScorerConfig(**scorer).check(model, corpus)


def test_repeated_tasks_are_refused():
    with pytest.raises(ValueError, match=r"tasks=\['birth_day', 'birth_day'\]; name each once"):
        ManipulationConfig(tasks=["birth_day", "birth_day"])


def test_an_untrained_decoder_does_nothing_right(world):
    corpus = corpus_of(world, "birth_day", "birth_city_then_employer", hint_fraction=0.5)
    model = DecoderConfig(n_layers=1, n_heads=1, d_model=8).build(world.vocabulary.size, 64, 0)
    metrics = by_text(ManipulationScorerConfig().measure(model.eval(), corpus).metrics)
    assert all(m.value == 0 for name, m in metrics.items() if "accuracy" in name)
    assert np.isfinite([m.value for m in metrics.values()]).all()
