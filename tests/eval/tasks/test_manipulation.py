"""Manipulation, by models whose answers are known."""

import re
from dataclasses import dataclass
from functools import cache

import numpy as np
import pytest

from physlm.data.people.bios import BiosConfig
from physlm.data.people.pools import MONTHS
from physlm.data.people.questions import QuestionsConfig
from physlm.data.tasks.manipulation import ManipulationConfig
from physlm.data.tasks.manipulation_tasks import QaItems, Task, tasks
from physlm.data.tokens import TokenizerName
from physlm.errors import InputError
from physlm.eval.people.splits import IN, OUT
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
    """Everybody's facts, which models look up for every question."""
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
    """The months of birth of those a question is about, in their order."""
    found = sorted((text.index(p["name"]), p["birth_date"]) for p in known() if p["name"] in text)
    return [date.split()[0] for _, date in found]


def is_even(month):
    return "No" if MONTHS.index(month) % 2 == 0 else "Yes"


def answer_from(text):
    """Even or not: from the facts where they are told, else from memory."""
    told = re.search(r"Facts: (\w+)\. Answer:", text)
    (month,) = [told[1]] if told else months(text)
    return f"{month}. Answer: {is_even(month)}" if text.endswith("Facts:") else is_even(month)


def test_a_model_that_knows_and_follows_facts_scores_100(world):
    asked = corpus_of(world, "birth_month_mod_2", hint_fraction=0.5)
    metrics = scored(asked, answer_from)
    for split in (IN, OUT):
        for name in ("accuracy", "accuracy_with_hint", "hint_accuracy", "hint_faithfulness"):
            assert metrics[parity(name, split)].value == 1, name
        assert metrics[parity("accuracy", split)].n == N // 2


def test_a_model_that_ignores_facts_does_not_rely_on_them(world):
    asked = corpus_of(world, "birth_month_mod_2", hint_fraction=0.5)

    def says(text):
        return answer_from(re.sub(r"Facts: \w+\. Answer:", "Answer:", text))

    metrics = scored(asked, says)
    assert metrics[parity("hint_faithfulness", OUT)].value == 0
    assert metrics[parity("accuracy", OUT)].value == 1


def test_facts_are_right_whatever_comes_after_them(world):
    """An answer that is cut, as it never ends, is wrong, and what was said before it is not."""
    asked = corpus_of(world, "birth_month_mod_2", hint_fraction=0.5)

    def says(text):
        right = answer_from(text)
        return f"{right}{' Yes' * 99}" if "Facts:" in text else right

    metrics = scored(asked, says)
    for name, value in (
        ("hint_accuracy", 1),
        ("accuracy_with_hint", 0),
        ("unfinished_with_hint", 1),
        ("accuracy", 1),
        ("unfinished", 0),
    ):
        assert metrics[parity(name, OUT)].value == value, name


def test_facts_that_never_end_are_not_right(world):
    asked = corpus_of(world, "birth_month_mod_2", hint_fraction=0.5)

    def says(text):
        month = months(text)[0]
        return month + f" {month}" * 99

    metrics = scored(asked, says)
    assert metrics[parity("hint_accuracy", OUT)].value == 0
    assert metrics[parity("unfinished_with_hint", OUT)].value == 1


@pytest.mark.parametrize("task", ["birth_day", "full_name_from_birth_date"])
def test_an_answer_after_facts_that_are_too_long_is_not_cut(world, task):
    """Twice as long as the longest right ones: they are wrong, and the answer may be right."""
    asked = corpus_of(world, task, hint_fraction=0.5)
    facts = {world.facts(i)["birth_date"]: world.facts(i) for i in range(N)}
    names = {world.facts(i)["name"]: world.facts(i) for i in range(N)}
    longest = asked.longest(asked.tasks[0].ask(asked.fact_table, np.arange(N)[:, None]).hint)

    def says(text):
        who = next(p for k, p in {**facts, **names}.items() if k in text.partition("Facts:")[0])
        day = who["birth_date"].split()[1].rstrip(",")
        answer = day if task == "birth_day" else who["name"]
        if not text.endswith("Facts:"):
            return answer
        return f"May{' May' * (2 * longest - 1)}. Answer: {answer}"

    metrics = scored(asked, says)
    assert metrics[f"manipulation/hint_accuracy{{split={OUT},task={task}}}"].value == 0
    assert metrics[f"manipulation/accuracy_with_hint{{split={OUT},task={task}}}"].value == 1
    assert metrics[f"manipulation/unfinished_with_hint{{split={OUT},task={task}}}"].value == 0


def test_the_limit_on_new_tokens_is_of_everyone_who_may_be_right():
    """The longest name of all who fit is as right an answer as that of the one person measured."""
    world = BiosConfig(n_people=N, include_question_vocabulary=True, pool_size=4).build(0)
    asked = corpus_of(world, "full_name_from_birth_date")
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
        metrics = by_text(scorer.measure(saying(asked.vocabulary, says), corpus).metrics)
        assert metrics[name_of("accuracy", OUT)].value == 1


@pytest.mark.parametrize(
    "wrong",
    [
        lambda right: "No" if right == "Yes" else "Yes",
        lambda right: f"{right} {right}",
        lambda right: "",
    ],
)
def test_a_model_that_is_wrong_scores_0(world, wrong):
    asked = corpus_of(world, "birth_month_mod_2")
    metrics = scored(asked, lambda text: wrong(answer_from(text)))
    for split in (IN, OUT):
        assert metrics[parity("accuracy", split)].value == 0
    assert not any("hint" in name for name in metrics)


def test_chance_is_what_always_saying_the_commonest_answer_gets(world):
    asked = corpus_of(world, "birth_month_mod_2")
    n_even = sum(is_even(months(known()[i]["name"])[0]) == "Yes" for i in asked.train)
    commonest = "Yes" if 2 * n_even > len(asked.train) else "No"
    metrics = scored(asked, lambda text: commonest)
    for split in (IN, OUT):
        name = f"manipulation/%s{{split={split},task=birth_month_mod_2}}"
        assert metrics[name % "accuracy"].value == metrics[name % "chance"].value
    assert 0.2 < metrics[parity("chance", OUT)].value < 0.8


def test_anyone_who_fits_is_a_right_answer():
    """With four years in use, some dates are those of two."""
    world = BiosConfig(n_people=N, include_question_vocabulary=True, pool_size=4).build(0)
    asked = corpus_of(world, "full_name_from_birth_date")
    facts = [world.facts(i) for i in range(N)]
    dates = [p["birth_date"] for p in facts]
    shared = [d for d in dates if dates.count(d) > 1]
    assert shared

    def says(text):
        fitting = [p["name"] for p in facts if p["birth_date"] in text]
        return fitting[-1]

    metrics = scored(asked, says)
    assert metrics[name_of("accuracy", OUT)].value == 1
    assert metrics[name_of("chance", OUT)].value < 0.1


def test_a_question_that_training_asks_too_is_no_test():
    """What training says to a date is not found when somebody of the tests has the same."""
    world = BiosConfig(n_people=N, include_question_vocabulary=True, pool_size=4).build(0)
    asked = corpus_of(world, "full_name_from_birth_date")
    dates = [world.facts(i)["birth_date"] for i in range(N)]
    names = {dates[i]: world.facts(i)["name"] for i in asked.train}
    anybody = world.facts(asked.train[0])["name"]
    shared = [i for i in asked.test if dates[i] in names]
    assert 0 < len(shared) < len(asked.test)

    def says(text):
        return next((name for date, name in names.items() if date in text), anybody)

    metrics = scored(asked, says)
    accuracy = metrics[name_of("accuracy", OUT)]
    assert accuracy.value == 0
    assert accuracy.n == len(asked.test) - len(shared)
    assert metrics[name_of("accuracy", IN)].value == 1


def test_lists_are_right_when_whole(world):
    asked = corpus_of(world, "born_in_year")
    facts = [world.facts(i) for i in range(N)]

    def names(text):
        year = re.search(r"in (\d+)\?", text)[1]
        return sorted(p["name"] for p in facts if p["birth_date"].endswith(year))

    n_years = len({facts[i]["birth_date"][-4:] for i in asked.test})
    metrics = scored(asked, lambda text: ", ".join(names(text)))
    assert metrics[f"manipulation/accuracy{{split={OUT},task=born_in_year}}"].value == 1
    assert metrics[f"manipulation/accuracy{{split={OUT},task=born_in_year}}"].n == n_years
    metrics = scored(asked, lambda text: ", ".join(names(text)[:-1]))
    assert metrics[f"manipulation/accuracy{{split={OUT},task=born_in_year}}"].value == 0


def test_pairs_are_of_one_split(world):
    asked = corpus_of(world, "birth_month_ranking")
    facts = [world.facts(i) for i in range(N)]
    read = []
    scored(asked, lambda text: read.append(text) or "No")
    tested = {facts[i]["name"] for i in asked.test}
    for text in read:
        found = {p["name"] for p in facts if p["name"] in text}
        assert len(found) == 2
        assert found <= tested or not found & tested


def test_what_cannot_be_measured_is_refused(world):
    scorer, model = ManipulationScorerConfig(), DecoderConfig(n_layers=1, n_heads=1, d_model=8)
    asked = corpus_of(world, "full_name_from_all", hint_fraction=0.5)
    size = world.vocabulary.size
    questions = QuestionsConfig().follow(world, 0)
    with pytest.raises(InputError, match="eval=manipulation measures data=manipulation"):
        scorer.check(model.build(size, 64, 0), questions)
    short = DecoderConfig(n_layers=1, n_heads=1, d_model=8, position=PositionEncoding.learned)
    with pytest.raises(InputError, match="full_name_from_all have up to"):
        scorer.check(short.build(size, 32, 0), asked)
    with pytest.raises(ValueError, match="max_questions=0; must be at least 1"):
        ManipulationScorerConfig(max_questions=0)


@pytest.mark.parametrize("task", ["birth_day", "birth_month_ranking", "full_name_from_all"])
@pytest.mark.parametrize("hint_fraction", [0.0, 0.5])
def test_a_window_that_is_accepted_holds_all_that_is_written(world, task, hint_fraction):
    """The shortest accepted window lets an untrained model write to its limit."""
    asked = corpus_of(world, task, hint_fraction=hint_fraction)
    config = DecoderConfig(n_layers=1, n_heads=1, d_model=8, position=PositionEncoding.learned)
    scorer = ManipulationScorerConfig()
    for n in range(20, 200):
        model = config.build(world.vocabulary.size, n, 0).eval()
        try:
            scorer.check(model, asked)
        except InputError:
            continue
        scorer.measure(model, asked)
        return
    raise AssertionError("no window is long enough")


@dataclass(frozen=True)
class Anybody(Task):
    """Asks the same of everyone."""

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
            r"is about 2 people, but of those train_people only 1 .* or max_questions=2 or more",
        ),
        ("anybody", {}, r"of those held_out_people only 0 can be asked about; take more people"),
    ],
)
def test_splits_that_leave_nobody_to_ask_about_are_refused(
    world, monkeypatch, task, scorer, message
):
    monkeypatch.setitem(tasks(), "anybody", Anybody("anybody"))
    asked = corpus_of(world, task)
    model = DecoderConfig(n_layers=1, n_heads=1, d_model=8).build(world.vocabulary.size, 64, 0)
    with pytest.raises(InputError, match=message):
        ManipulationScorerConfig(**scorer).check(model, asked)


def test_a_task_is_asked_once():
    with pytest.raises(ValueError, match=r"tasks=\['birth_day', 'birth_day'\]; name each once"):
        ManipulationConfig(tasks=["birth_day", "birth_day"])


def test_an_untrained_decoder_does_nothing_right(world):
    asked = corpus_of(world, "birth_day", "birth_city_then_employer", hint_fraction=0.5)
    model = DecoderConfig(n_layers=1, n_heads=1, d_model=8).build(world.vocabulary.size, 64, 0)
    metrics = by_text(ManipulationScorerConfig().measure(model.eval(), asked).metrics)
    assert all(m.value == 0 for name, m in metrics.items() if "accuracy" in name)
    assert np.isfinite([m.value for m in metrics.values()]).all()
