"""Prompts of every form: a task judges answers to its own, and refuses others in one line."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from physlm.data.tasks import Brevo, Copy, Depo, Mano
from tests.data.tasks.documents import ids, judged

TASKS = {
    "depo": Depo(n_max=5, k_max=2, longest_name=1, n_symbols=5),
    "depo2": Depo(n_max=4, k_max=2, shortest_name=1, longest_name=2, n_symbols=2, has_eos=True),
    "brevo": Brevo(n_max=5),
    "brevo without eos": Brevo(n_max=5, has_own_eos=False, longest_name=2, n_symbols=3),
    "mano": Mano(n_max=2, modulus=3, has_synonyms=False),
    "mano with synonyms": Mano(n_max=2, modulus=3),
    "copy": Copy(n_copied=4, fewest_copied=1, n_symbols=3),
}


def drawn_prompts(task):
    """Prompts of three documents, each up to its first answer."""
    documents = task.sample(np.random.default_rng(0), 3)
    marks = [task.mark(mark) for mark in task.answer_marks]
    found = np.split(documents.tokens, documents.starts[1:-1])
    return [own[: int(np.isin(own, marks).argmax()) + 1] for own in found]


PROMPTS = {name: drawn_prompts(task) for name, task in TASKS.items()}


@pytest.mark.parametrize("name", TASKS)
@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_a_prompt_is_judged_or_refused_in_one_line(name, data):
    task = TASKS[name]
    tokens = st.integers(-1, task.bos + 1)
    inside = data.draw(st.lists(tokens, max_size=12))
    if data.draw(st.booleans()):  # a right prompt with a few changes
        whole = data.draw(st.sampled_from(PROMPTS[name])).tolist()
        first, last = sorted(data.draw(st.tuples(*[st.integers(0, len(whole))] * 2)))
        prompt = [*whole[:first], *inside[:2], *whole[last:]]
    else:
        ans = data.draw(st.sampled_from([task.mark(mark) for mark in task.answer_marks]))
        prompt = [task.bos, *inside, ans]
    answer = data.draw(st.lists(st.integers(0, task.bos), max_size=3))
    judgement, refusal = judged(task, prompt, answer)
    if refusal is None:
        assert isinstance(judgement, bool)
    else:
        assert type(refusal) is ValueError
        assert "\n" not in str(refusal)
        assert len(str(refusal)) > 30


@pytest.mark.parametrize("name", TASKS)
def test_right_prompts_are_judged(name):
    task = TASKS[name]
    for prompt in PROMPTS[name]:
        assert not task.check(prompt, np.array([], dtype=np.int64))
        assert not task.check(prompt, np.array([task.bos, task.bos]))


PAIRS = "pairs of names before its first query"
TWICE = "every name twice in its edges"
QUERIED = "one name of the edges between query and <ans>"
MANO = "<len_l>, an expression of l operators, <ans_l>, with l from 1 to 2"
SYMBOLS = "symbols alone, one or more, before <copy>"


@pytest.mark.parametrize(
    ("name", "prompt", "refusal"),
    [
        ("depo", "bos e1 e2 e2 e1 e3 <query_1> e1 <ans>", PAIRS),
        ("depo", "bos e1 e2 <ans> e1 <query_1> e1 <ans>", PAIRS),
        ("depo2", "bos e1 e2 e2 b1 <query_1> e1 <ans>", PAIRS),
        ("depo", "bos e1 e2 e2 e3 e3 e4 <query_1> e1 <ans>", TWICE),
        ("depo", "bos e1 e2 e1 e2 e2 e1 <query_1> e1 <ans>", TWICE),
        ("depo", "bos e1 e2 e2 e1 <query_1> e3 <ans>", QUERIED),
        ("depo", "bos e1 e2 e2 e1 <query_1> e1 e2 <ans>", QUERIED),
        ("depo", "bos e1 e2 e2 e1 <query_1> <ans>", QUERIED),
        ("depo", "bos e1 e2 e2 e1 <query_1> e1 <ans> e2 <ans>", QUERIED),
        ("depo", "bos <query_1> e1 <ans>", QUERIED),
        (
            "brevo",
            "bos e1 e2 e2 e1 <query> e1 <ans>",
            "the edges of a prompt of Brevo have a cycle",
        ),
        ("brevo", "bos e1 e1 <query> e1 <ans>", "the edges of a prompt of Brevo have a cycle"),
        ("mano", "bos <ans_1>", MANO),
        ("mano", "bos <len_1> <ans_1>", MANO),
        ("mano", "bos <len_1> + 1 <ans_1>", MANO),
        ("mano", "bos <len_1> + 1 2 2 <ans_1>", MANO),
        ("mano", "bos <len_1> <len_1> 1 2 <ans_1>", MANO),
        ("mano", "bos <len_2> + 1 2 <ans_1>", MANO),
        ("mano", "bos <len_1> + 1 2 <ans_2>", MANO),
        ("mano", "bos <len_1> 1 <ans_1>", MANO),
        ("mano", "bos <len_2> + + + 1 1 1 1 <ans_2>", MANO),
        ("mano", "bos + 1 2 <ans_1>", MANO),
        ("mano with synonyms", "bos <len_1_b> plus 1 <ans_1>", MANO),
        ("copy", "bos <copy>", SYMBOLS),
        ("copy", "bos s1 <copy> s1 <copy>", SYMBOLS),
    ],
)
def test_what_is_wrong_is_said(name, prompt, refusal):
    task = TASKS[name]
    with pytest.raises(ValueError, match=refusal):
        task.check(ids(task, prompt), np.array([0]))


def test_tokens_of_no_task_are_refused():
    for name, task in TASKS.items():
        for unknown in (-1, task.bos + 1):
            prompt = np.append(unknown, PROMPTS[name][0])
            with pytest.raises(
                ValueError, match=f"^token {unknown} of a prompt; .* from 0 to {task.bos},"
            ):
                task.check(prompt, np.array([0]))


def test_right_prompts_of_either_synonym_are_read():
    task = TASKS["mano with synonyms"]
    prompt = ids(task, "bos <len_2_b> plus 1 times 2 2 <ans_2>")
    assert [task.check(prompt, np.array([v])) for v in range(3)] == [False, False, True]
