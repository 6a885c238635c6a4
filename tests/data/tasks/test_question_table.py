"""Tables of questions, compared with the facts of the people."""

import sys

import polars as pl
import pytest

from data_gen import questions
from physlm.data.people.bios import BiosConfig
from physlm.data.people.fact_table import major_rank
from physlm.data.people.pools import ATTRIBUTES, MONTHS
from physlm.data.people.questions import N_PARAPHRASES, QuestionsConfig
from physlm.data.tasks.manipulation import ManipulationConfig
from physlm.data.tasks.question_table import question_tables
from physlm.data.tokens import TokenizerName

N = 30


@pytest.fixture(scope="module")
def people():
    return BiosConfig(
        n_people=N, include_question_vocabulary=True, tokenizer=TokenizerName.compact
    ).build(0)


def rows_of(corpus):
    return [row for table in question_tables(corpus) for row in table.to_pylist()]


def test_every_fact_has_a_row_for_every_paraphrase(people):
    corpus = QuestionsConfig(train_fraction=0.4).follow(people, 0)
    rows = rows_of(corpus)
    assert len(rows) == N * len(ATTRIBUTES) * N_PARAPHRASES == len({r["question"] for r in rows})
    known = [people.facts(i) for i in range(N)]
    for row in rows:
        facts = known[row["person"]]
        assert row["answer"] == facts[row["asked"]]
        assert facts["name"] in row["question"]
        assert "Answer" not in row["question"]
        assert (row["split"] == "train") is bool(corpus.is_trained[row["person"]])
        assert row["hint"] is None
    trained = {row["person"] for row in rows if row["split"] == "train"}
    assert trained == set(corpus.is_trained.nonzero()[0])


def test_comparisons_pair_people_of_one_split_and_have_hints(people):
    tasks = ["birth_month_ranking", "major_rank_subtraction", "birth_month_mod_12"]
    corpus = ManipulationConfig(tasks=tasks).follow(people, 0)
    by_name = {people.facts(i)["name"]: i for i in range(N)}
    split = dict.fromkeys(corpus.train.tolist(), "train") | dict.fromkeys(
        corpus.test.tolist(), "test"
    )
    rows = rows_of(corpus)
    assert len(rows) == N * len(tasks)
    for row in rows:
        named = sorted((n for n in by_name if n in row["question"]), key=row["question"].index)
        who = [people.facts(by_name[name]) for name in named]
        assert by_name[named[0]] == row["person"]
        assert {split[by_name[name]] for name in named} == {row["split"]}
        months = [facts["birth_date"].split()[0] for facts in who]
        numbers = [MONTHS.index(month) + 1 for month in months]
        major_ranks = [major_rank()[facts["major"]] for facts in who]
        if row["asked"] == "birth_month_mod_12":
            assert (row["hint"], row["answer"]) == (months[0], str(numbers[0] % 12))
        elif row["asked"] == "birth_month_ranking":
            assert row["hint"] == "; ".join(months)
            assert row["answer"] == ("Yes" if numbers[0] > numbers[1] else "No")
        else:
            assert row["answer"] == str(major_ranks[0] - major_ranks[1]).replace("-", "minus ")


def test_the_command_writes_a_table_and_refuses_to_overwrite_it(tmp_path, monkeypatch, capsys):
    output = tmp_path / "q.parquet"
    words = ["+experiment=extraction", "init_from='+experiment=people data.n_people=12'"]
    monkeypatch.setattr(sys, "argv", ["questions", *words, "--output", str(output)])
    questions.main()
    assert "1,728 questions" in capsys.readouterr().out
    assert len(pl.read_parquet(output)) == 12 * 6 * N_PARAPHRASES
    with pytest.raises(SystemExit):
        questions.main()
    assert "exists; choose another output" in capsys.readouterr().err
    monkeypatch.setattr(sys, "argv", ["questions", "+experiment=people", "--output", "other"])
    with pytest.raises(SystemExit):
        questions.main()
    assert "has no questions" in capsys.readouterr().err
