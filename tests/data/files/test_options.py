"""Questions with options in the formats of published benchmarks, and their controls."""

import json

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from physlm.data.files.option_formats import OptionFormat
from physlm.data.files.option_question import OptionQuestion
from physlm.data.files.options import Control, OptionsConfig
from physlm.errors import InputError

MMLU = [
    {
        "question": f"What is {i} plus {i}?",
        "subject": "sums" if i < 5 else "more_sums",
        "choices": [str(2 * i), str(2 * i + 1), str(2 * i + 2), str(2 * i + 3)],
        "answer": 0,
    }
    for i in range(10)
]
# By hand, as lm-eval writes it.
WRITTEN = "What is 1 plus 1?\nA. 2\nB. 3\nC. 4\nD. 5\nAnswer:"


def built(folder, rows, name="rows.jsonl", **values):
    path = folder / name
    path.write_text("\n".join(map(json.dumps, rows)))
    return OptionsConfig(source=str(path), **values).build(0)


def asked(corpus, control=Control.none):
    return [prompt for prompt in corpus.prompts if prompt.control is control]


def test_a_question_of_mmlu_lists_its_options_with_letters(tmp_path):
    corpus = built(tmp_path, MMLU)
    prompt = asked(corpus)[1]
    assert prompt.text == WRITTEN
    assert (prompt.options, prompt.answer) == ((" A", " B", " C", " D"), 0)
    assert (prompt.question, prompt.subject) == (1, "sums")
    assert corpus.entropy_bits == 20


def test_shots_are_solved_questions_of_the_same_subject_and_never_the_question(tmp_path):
    corpus = built(tmp_path, MMLU, n_shots=4)
    for prompt in corpus.prompts:
        *shots, question = prompt.text.split("\n\n")
        same = [p for p in asked(built(tmp_path, MMLU)) if p.subject == prompt.subject]
        solved = {f"{p.text}{p.options[p.answer]}" for p in same if p.question != prompt.question}
        assert set(shots) == solved
        assert question.endswith("Answer:")
    orders = [prompt.text.split("\n\n")[:4] for prompt in asked(corpus)]
    assert len({str(sorted(order)) != str(order) for order in orders}) == 2  # drawn, not sorted
    with pytest.raises(InputError, match=r"data.n_shots=5, but .* has 5 questions about sums"):
        built(tmp_path, MMLU, n_shots=5)


def test_controls_have_the_options_under_other_letters_or_no_content(tmp_path):
    corpus = built(tmp_path, MMLU, n_shots=1)
    assert [len(asked(corpus, control)) for control in Control] == [10, 10, 10]
    for plain, moved, empty in zip(*(asked(corpus, control) for control in Control), strict=True):
        shot, question = plain.text.split("\n\n")
        first, *lines, last = question.split("\n")
        other = moved.text.removeprefix(f"{shot}\n\n").split("\n")
        assert (other[0], other[-1]) == (first, last)
        pairs = [(line[:2], line[3:]) for line in lines]
        others = [(line[:2], line[3:]) for line in other[1:-1]]
        assert sorted(value for _, value in pairs) == sorted(value for _, value in others)
        assert not set(pairs) & set(others)
        assert others[moved.answer][1] == pairs[plain.answer][1]
        assert empty.text == f"{shot}\n\n\nA. \nB. \nC. \nD. \nAnswer:"
        assert empty.options == moved.options == plain.options


@settings(max_examples=30)
@given(st.integers(2, 26), st.integers(0, 9), st.data())
def test_a_shift_moves_every_option_and_keeps_the_answer(n, seed, data):
    options = tuple(f"option {i}" for i in range(n))
    question = OptionQuestion("{options}", {}, options, data.draw(st.integers(0, n - 1)), "", True)
    moved = question.shifted(np.random.default_rng(seed))
    assert sorted(moved.options) == sorted(options)
    assert moved.options[moved.answer] == options[question.answer]
    assert all(new != old for new, old in zip(moved.options, options, strict=True))


def pair(label, **names):
    return {"sentence1": "He left.", "sentence2": "He went.", "label": label} | names


LABELLED = [
    ("sst2", [{"sentence": "Dull.", "label": 0}], "Review: Dull.\nSentiment:", " negative"),
    ("sst2", [{"sentence": "Fun.", "label": "positive"}], "Review: Fun.\nSentiment:", " positive"),
    ("mrpc", [pair(1)], "First: He left.\nSecond: He went.\nDo both mean the same?", " Yes"),
    ("mrpc", [pair("not_equivalent")], "Do both mean the same?\nAnswer:", " No"),
    ("rte", [pair(1)], "Does the second follow?\nAnswer:", " No"),
    ("nli", [pair("neutral")], "Does the second follow?\nAnswer:", " Maybe"),
    ("nli", [pair(2)], "First: He left.\nSecond: He went.\nDoes the second follow?", " No"),
    ("generic", [{"prompt": "One,", "options": ["two", "six"], "answer": 0}], "One,", " two"),
    ("generic", [{"prompt": "One,", "options": ["2", "1"], "answer": "1"}], "One,", " 1"),
]


@pytest.mark.parametrize(("kind", "rows", "text", "answer"), LABELLED)
def test_every_format_is_written_with_the_option_that_its_label_names(
    tmp_path, kind, rows, text, answer
):
    (prompt,) = asked(built(tmp_path, rows, format=OptionFormat(kind)))
    assert text in prompt.text
    assert prompt.options[prompt.answer] == answer
    assert not asked(built(tmp_path, rows, format=OptionFormat(kind)), Control.permuted)


AUTOMATIC = [(MMLU[0], 4), ({"sentence": "a", "label": 1}, 2), (pair("equivalent"), 2)]
AUTOMATIC += [(pair("not_entailment"), 2), (pair("contradiction"), 3), (pair(2), 3)]
AUTOMATIC += [({"premise": "a", "hypothesis": "b", "label": "neutral"}, 3)]
AUTOMATIC += [({"prompt": "a", "options": ["b", "c", "d"], "answer": 2}, 3)]


@pytest.mark.parametrize(("row", "n_options"), AUTOMATIC)
def test_a_format_is_found_by_columns_and_labels(tmp_path, row, n_options):
    assert len(asked(built(tmp_path, [row]))[0].options) == n_options


def test_a_prompt_that_would_have_no_text_has_no_empty_control(tmp_path):
    rows = [{"prompt": f"{i},", "options": ["a", "b"], "answer": 0} for i in range(3)]
    assert not asked(built(tmp_path, rows, n_shots=2), Control.empty)
    assert len(asked(built(tmp_path, [{"sentence": "a", "label": 1}]), Control.empty)) == 1


def test_tables_are_read_as_well(tmp_path):
    expected = built(tmp_path, MMLU).questions
    table = pl.DataFrame(MMLU)
    table.write_parquet(tmp_path / "rows.parquet")
    lists = table.with_columns(
        pl.Series("choices", [json.dumps(row["choices"]) for row in MMLU]),
        pl.Series("answer", ["A"] * len(MMLU)),
    )
    lists.write_csv(tmp_path / "rows.csv")
    for name in ("rows.parquet", "rows.csv"):
        assert OptionsConfig(source=str(tmp_path / name)).build(0).questions == expected


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (pair(1), "its labels do not determine its format; set data.format=mrpc, rte or nli"),
        (pair("unknown"), "its labels do not determine its format"),
        ({"text": "a"}, "has columns text; name them as one of data.format=mmlu, sst2"),
        ({"sentence": "a", "label": -1}, "label of row 0 is -1; must be a number from 0 to 1"),
        ({"sentence": "a", "label": True}, "label of row 0 is True; must be a number"),
        ({"sentence": " ", "label": 1}, "sentence of row 0 is ' '; must be text"),
        (MMLU[0] | {"answer": 4}, "answer of row 0 is 4; must be a number from 0 to 3, or one"),
        (MMLU[0] | {"choices": ["a"]}, "must be 2 to 26 texts, none empty"),
        (MMLU[0] | {"choices": ["a", "a "]}, "choices of row 0 is .*; must be distinct"),
        (MMLU[0] | {"choices": [1, 2]}, "must be a list of texts"),
        (MMLU[0] | {"choices": "a"}, "must be a list of texts"),
        ({"prompt": "a", "options": ["b", "c"]}, "row 0 has no answer"),
    ],
)
def test_a_row_that_is_no_question_is_refused_in_one_line(tmp_path, row, message):
    with pytest.raises(InputError, match=message) as caught:
        built(tmp_path, [row])
    assert "\n" not in str(caught.value)
