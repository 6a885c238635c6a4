"""The quiz in a real browser, and its questions."""

import pytest

from physlm.data.public.figures import figures
from physlm.data.public.questions import TASKS
from physlm.report.exploration.source import Source
from physlm.report.quiz.document import document
from physlm.report.quiz.quiz import Quiz, QuizItem, quiz_of
from tests.models.checkpoints import checkpoint
from tests.report.page.chromium import browser, needs_chromium, opened

EVIL = "</script><img src=x onerror=alert(1)>"
QUIZ = Quiz(
    EVIL,
    ("Ann Cole was born in Zürich in May.",),
    (
        QuizItem(
            "place", "Where was Ann Cole born?", ("Zürich", "Turicum"), {"m": ("Bern", False)}
        ),
        QuizItem("even_month", "In an even month?", ("No",), {"m": ("No", True)}),
        QuizItem("even_month", f"And {EVIL}?", ("Yes",), {"m": ("Yes", True)}),
    ),
)


@needs_chromium
def test_a_reader_studies_answers_and_is_compared(tmp_path):
    path = tmp_path / "quiz.html"
    path.write_text(document(QUIZ))
    with browser() as started, opened(started, path, "") as view:
        assert "born in Zürich" in view.locator("main").inner_text()
        view.locator("#begin").click()
        assert "born in Zürich" not in view.locator("main").inner_text()  # texts are gone
        view.keyboard.type(" zurich.")
        view.keyboard.press("Enter")
        rows = view.locator("tr").all_inner_texts()
        assert [row.split() for row in rows] == [
            ["you", "zurich.", "right"],
            ["m", "Bern", "wrong"],
        ]
        view.keyboard.press("Enter")  # the button to the next question has the focus
        view.get_by_text("Yes", exact=True).click()
        view.locator("#next").click()
        assert EVIL in view.locator(".question").inner_text()
        view.get_by_text("Yes", exact=True).click()
        view.locator("#next").click()
        rows = [row.split("\t") for row in view.locator("#scores tr").all_inner_texts()]
        assert rows == [
            ["right answers", "you", "m"],
            ["place", "1 of 1", "0 of 1"],
            ["even month", "1 of 2", "2 of 2"],
            ["all", "2 of 3", "2 of 3"],
        ]


def test_a_checkpoint_is_asked_about_public_figures(tmp_path):
    checkpoint(tmp_path, "llama")
    quiz = quiz_of(Source(tmp_path, is_run=False), 2)
    assert len(quiz.items) == 2 * len(TASKS)
    assert not quiz.texts
    places = [item.accepted for item in quiz.items if item.task == "birthplace"]
    by_place = {figure.birthplace: figure for figure in figures()}
    for accepted in places:
        assert set(by_place[accepted[0]].other_places) <= set(accepted)
    assert all(not right for item in quiz.items for _, right in item.answers.values())


@pytest.mark.parametrize("task", ["birth_date", "full_name_from_birth_date"])
def test_every_usual_form_of_an_answer_is_accepted(tmp_path, task):
    checkpoint(tmp_path, "llama")
    items = [i for i in quiz_of(Source(tmp_path, is_run=False), 2).items if i.task == task]
    by_name = {figure.name: figure for figure in figures()}
    for item in items:
        if task == "birth_date":
            (name,) = (name for name in by_name if item.question == f"When was {name} born?")
            assert by_name[name].birth_date.isoformat() in item.accepted
        else:
            assert set(by_name[item.accepted[0]].other_names) < set(item.accepted)
