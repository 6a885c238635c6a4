"""Answers that are kept as they come."""

import json

import pytest

from physlm.errors import InputError
from physlm.models.answering import Answering, KeptAnswering


class Counting(Answering):
    """Answers in reverse order, and breaks off after some."""

    def __init__(self, n_most=100):
        self.asked, self.n_most = [], n_most

    def require_reads(self, prompts, max_tokens):
        raise InputError(f"reads nothing of {len(prompts)} in {max_tokens}")

    def answers_of(self, prompts, *, max_tokens, batch_size):
        for number, prompt in reversed(list(enumerate(prompts))):
            if len(self.asked) == self.n_most:
                raise InputError("down")
            self.asked.append(prompt)
            yield number, None if prompt == "cut" else f"{prompt} {max_tokens}"


def answers(answering, prompts, max_tokens=9):
    return dict(answering.answers_of(prompts, max_tokens=max_tokens, batch_size=2))


PROMPTS = ["a", "b", "cut", "d\né"]
WANTED = {0: "a 9", 1: "b 9", 2: None, 3: "d\né 9"}


def test_no_answer_is_asked_for_twice_however_it_ends(tmp_path):
    path = tmp_path / "answers.jsonl"
    with pytest.raises(InputError, match="down"):
        answers(KeptAnswering(Counting(2), path), PROMPTS)
    with path.open("a") as file:
        file.write('{"key": "cut sho')  # the process was killed here
    rest = Counting()
    assert answers(KeptAnswering(rest, path), PROMPTS) == WANTED
    assert rest.asked == ["b", "a"]
    nothing = Counting(0)
    assert answers(KeptAnswering(nothing, path), PROMPTS[::-1]) == dict(
        enumerate([WANTED[i] for i in (3, 2, 1, 0)])
    )
    prompts = [json.loads(line)["prompt"] for line in path.read_text().splitlines()]
    assert prompts == [*PROMPTS[:1:-1], *rest.asked]


def test_longer_answers_are_others(tmp_path):
    kept = KeptAnswering(Counting(), tmp_path / "answers.jsonl")
    assert answers(kept, ["a"]) == {0: "a 9"}
    assert answers(kept, ["a"], max_tokens=10) == {0: "a 10"}


def test_damaged_answers_are_refused_by_line(tmp_path):
    path = tmp_path / "answers.jsonl"
    path.write_text('{"key": "a", "answer": "x"}\n[]\n')
    with pytest.raises(InputError, match=r"answers\.jsonl line 2 is damaged; delete that line"):
        answers(KeptAnswering(Counting(), path), ["a"])


def test_what_cannot_be_read_is_refused_by_the_model(tmp_path):
    kept = KeptAnswering(Counting(), tmp_path / "answers.jsonl")
    with pytest.raises(InputError, match="reads nothing of 4 in 3"):
        kept.require_reads(PROMPTS, 3)


def test_a_full_disk_is_told(tmp_path, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    path = tmp_path / "answers.jsonl"
    monkeypatch.setattr("pathlib.Path.open", full)
    with pytest.raises(InputError, match="cannot be written: No space left on device; answers so"):
        answers(KeptAnswering(Counting(), path), ["a"])
