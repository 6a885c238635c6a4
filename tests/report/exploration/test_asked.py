"""Questions on the command line, answered by the hybrid system of a small run."""

import re

import pytest

from physlm.config import composed, register
from physlm.explore import main
from physlm.pipeline import execute
from physlm.preparation import corpus_of
from physlm.run_directory import RunDirectory
from tests.report.page.embedded import content

register()
SMALL = ("model.n_layers=1", "model.d_model=16", "model.n_heads=1", "optim.warmup_steps=1")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Too short a training to know anything; the database knows all the same."""
    folder = tmp_path_factory.mktemp("runs")
    common = ("trainer.batch_size=2", f"runs_dir={folder}", "~eval", "data.exposures=1")
    words = ("data=bios", "data.n_people=20", "data.tokenizer=compact", "data.seq_len=256")
    people = composed((*words, "data.include_question_vocabulary=true", *SMALL, *common))
    execute(people, RunDirectory(people.run_dir))
    tasks = "data.tasks=[birth_month_mod_2,full_name_from_all]"
    start = ("data=manipulation", "model=inherited", f"init_from={people.run_dir}")
    own = (*start, tasks, "data.hint_fraction=0.5", "data.seq_len=256", "optim.warmup_steps=1")
    config = composed((*own, *common))
    execute(config, RunDirectory(config.run_dir))
    return config


def test_names_are_found_and_cited(run, capsys):
    world = corpus_of(run).world
    facts = world.facts(3)
    asked = (
        f"What is the full name of the person born on {facts['birth_date']} in "
        f"{facts['birth_city']} who studied at {facts['university']}?"
    )
    assert main([str(run.run_dir), "--ask", asked]) == 0
    told = capsys.readouterr().out
    assert f"answer: {facts['name']}\n" in told
    assert "method: database (kind of question: full_name_from_all)" in told
    (document,) = re.findall(r"^  \[\d+\] (.*)$", told, re.M)
    assert facts["employer"] in document


def test_a_text_beside_a_question_is_refused(run, capsys):
    assert main([str(run.run_dir), "a text", "--ask", "Who?"]) == 2
    assert "--ask with a text; give one of the two" in capsys.readouterr().err


def test_runs_without_questions_are_refused(run, capsys):
    assert main([str(run.parent.directory), "--ask", "Who?"]) == 2
    assert "eval=hybrid measures the tasks of data=manipulation" in capsys.readouterr().err


def test_a_quiz_has_the_answers_of_all_methods_and_the_texts_to_study(run, tmp_path, capsys):
    assert main([str(run.run_dir), "--quiz", "2", "--output", str(tmp_path)]) == 0
    assert f"quiz: {tmp_path / 'quiz.html'}" in capsys.readouterr().out
    quiz = content(tmp_path / "quiz.html")
    assert len(quiz["items"]) == 4
    assert len(quiz["columns"]) == 5
    inverse = [item for item in quiz["items"] if item["task"] == "full name from all"]
    for item in inverse:
        (name,) = item["accepted"]
        assert any(name in text for text in quiz["texts"])
        assert [name, True] in item["answers"]
    assert main([str(run.run_dir), "--quiz", "0"]) == 2
    assert "give at least 1 question" in capsys.readouterr().err
