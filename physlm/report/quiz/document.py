"""The page of a quiz: one HTML file that asks, judges, and compares."""

from pathlib import Path

from physlm.report.page.html_file import html_file
from physlm.report.quiz.quiz import Quiz

_HERE = Path(__file__).parent


def document(quiz: Quiz) -> str:
    """The HTML of a quiz."""
    return html_file(
        {
            "title": "Quiz",
            "name": quiz.name,
            "texts": list(quiz.texts),
            "columns": list(quiz.items[0].answers) if quiz.items else [],
            "items": [
                {
                    "task": item.task.replace("_", " "),
                    "question": item.question,
                    "accepted": list(item.accepted),
                    "answers": [list(answer) for answer in item.answers.values()],
                }
                for item in quiz.items
            ],
        },
        styles=[_HERE / "quiz.css"],
        scripts=[_HERE / "quiz.js"],
    )
