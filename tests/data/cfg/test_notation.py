"""Grammar files can hold any symbol; they are read as they look, or refused by line."""

import json
from itertools import pairwise

import nltk
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from physlm.data.cfg import Grammar, load_grammar
from physlm.data.cfg.formats import from_json, from_nltk, from_text, to_nltk, to_text
from physlm.data.cfg.rules import Rules

GOOD = "root 9\nterminals 1 2\n9 -> 8 7 | 7 8\n8 -> 1 2 | 2\n7 -> 2 1\n"
AWKWARD = [
    "New York",
    "|",
    "#",
    "->",
    "a#b",
    "#a",
    '"',
    "'",
    '"x"',
    "",
    " ",
    "a,b",
    "\\",
    "\t",
    "é",
    "e\u0301",
    "\ufeff",
    "\u2028",
    "\u200b",
    "01",
    "1",
    "\u0661",
    "root",
    "terminals",
    "x->y",
    "3000000000",
    "a|b",
    "\u00a0",
]


@st.composite
def grammars(draw, names) -> Rules:
    """Three levels of two symbols each below the root, with arbitrary distinct names."""
    called = draw(st.lists(names, min_size=7, max_size=7, unique=True))
    levels = [(7,), (5, 6), (3, 4), (1, 2)]
    expansions = {}
    for level, below in pairwise(levels):
        rows = st.lists(st.sampled_from(below), min_size=1, max_size=3).map(tuple)
        for symbol in level:
            more = draw(st.lists(rows, max_size=2, unique=True))
            expansions[symbol] = tuple(
                dict.fromkeys([below if symbol == level[0] else below[::-1], *more])
            )
    return Rules(7, (1, 2), expansions, dict(enumerate(called, start=1)))


def as_named(rules: Rules) -> tuple:
    """The content of rules, in names."""
    name = rules.name
    return (
        name(rules.root),
        [*map(name, rules.terminals)],
        {name(s): [[*map(name, row)] for row in rows] for s, rows in rules.expansions.items()},
        [{*map(name, level)} for level in rules.levels],
    )


@settings(max_examples=50)
@given(grammars(st.one_of(st.sampled_from(AWKWARD), st.text(max_size=4))))
def test_text_gives_back_the_rules_of_any_symbols(rules):
    back = from_text(to_text(rules))
    if back.names:  # numbers are kept where the names are no numbers themselves
        assert back == rules
    assert as_named(back)[2:] == as_named(rules)[2:]
    assert to_text(from_text(to_text(back))) == to_text(back)


@settings(max_examples=20)
@given(grammars(st.integers(0, 2**31 - 1).map(str)))
def test_text_gives_back_numbers(rules):
    back = from_text(to_text(rules))
    assert not back.names
    assert sorted(as_named(back)[1]) == sorted(as_named(rules)[1])
    assert as_named(back)[2:] == as_named(rules)[2:]
    assert from_text(to_text(back)) == back


def test_nltk_derives_the_same_strings_from_text_that_was_read_back():
    rules = from_text(
        'root S\nterminals "New York" "|" "#"\nS -> A B\nA -> "New York" | "|"\n'
        'B -> "#" "|" | "#"\n'
    )
    parser = nltk.ChartParser(to_nltk(from_text(to_text(rules))))
    for string in (["New York", "#"], ["|", "#", "|"]):
        assert len(list(parser.parse(string))) == 1
    assert not list(parser.parse(["New York", "|"]))
    assert as_named(from_nltk(to_nltk(rules)))[2] == as_named(rules)[2]


@pytest.mark.parametrize(
    "text",
    [
        "# all\n  # of it\n" + GOOD,
        GOOD.replace("8 7 | 7 8", "8 7 | 7 8 # both orders"),
        GOOD.replace("terminals 1 2", "terminals 1 2 #the two letters"),
        GOOD.replace("\n", "\r\n"),
        "\ufeff" + GOOD,
        GOOD.replace(" ", "\t"),
        GOOD.replace("8 7 | 7 8", '"8" 7|7 8'),
        GOOD.replace("9 -> 8 7 | 7 8", "9->8 7|7 8"),
    ],
)
def test_comments_blanks_and_line_ends_change_no_rule(text):
    assert from_text(text) == from_text(GOOD)


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (("terminals 1 2", "terminals 1 2 #"), 2),
        (("terminals 1 2", "terminals # 1 2"), 2),
        (("terminals 1 2", "terminals 1 # 2"), 2),
        (("7 -> 2 1", '7 -> 2 "#" 1 # 2'), 5),  # of a file that has the symbol
        (("7 -> 2 1", "# -> 1\n7 -> 2 1 # 1"), 6),
        (("7 -> 2 1", "#a -> 1\n7 -> 2 1 #a"), 6),
    ],
)
def test_a_comment_that_may_be_symbols_is_refused_by_line(change, line):
    message = rf'write "#" in quotation marks where it is a symbol.*\(line {line}\)'
    with pytest.raises(ValueError, match=message):
        from_text(GOOD.replace(*change))


def test_a_string_is_read_as_it_is_written():
    text = r'terminals "New York" "#" "\"a"'
    grammar = Grammar(from_text(f"root S\n{text}\n" + r'S -> "New York" "#" | "\"a"'))
    for tokens in ([1, 2], [3]):
        assert grammar.read(grammar.written(tokens)).tolist() == tokens
    assert grammar.written([1, 2]) == '"New York" "#"'
    with pytest.raises(ValueError, match=r'"#" in quotation marks where it is a symbol'):
        grammar.read('"New York" #')


def test_a_mark_inside_a_word_is_part_of_the_word():
    rules = from_text(GOOD.replace("1", "a#b").replace("2", 'c"d'))
    assert [rules.name(t) for t in rules.terminals] == ["a#b", 'c"d']


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("root 9", "root 9\nroot 8"), r"a second line 'root'; remove one of them \(line 2\)"),
        (("7 -> 2 1", "7 -> 2 1\nterminals 1"), r"a second line 'terminals'.*\(line 6\)"),
        (("terminals 1 2", 'terminals 1 2 "3'), r"close the quotation mark.*\(line 2\)"),
        (
            ("terminals 1 2", 'terminals 1 2 "\\x"'),
            r"is not a JSON string; between quotation marks.*\(line 2\)",
        ),
        (("terminals 1 2", "terminals 1 2 ->"), r"in quotation marks \(line 2\)"),
        (("terminals 1 2", "terminals 1 2 |"), r"in quotation marks \(line 2\)"),
        (("2 1", "2 1\u200b"), r"contains an invisible character; .*\(line 5\)"),
        (("terminals 1 2", "terminals 01 2"), "rule 8 -> 1 2: unknown symbol 1"),
        (("8 -> 1 2 | 2", "8 -> 1 2 | \u0661"), "rule 8 -> \u0661: unknown symbol \u0661"),
        (("9", "3000000000"), "symbol 3000000000; must be a whole number from 0 to 2147483647"),
        (
            ("9", "9" * 5000),
            "symbol 99999999999999999999... exceeds 2147483647, the largest number",
        ),
        (("7", "1"), "terminal 1 has a rule"),
    ],
)
def test_malformed_lines_are_refused_by_line(change, message):
    with pytest.raises(ValueError, match=message):
        from_text(GOOD.replace(*change))


def test_numbers_spelt_in_two_ways_are_two_names():
    rules = from_text("root 9\nterminals 01 1\n9 -> 8 8\n8 -> 01 1 | 1 1\n")
    assert [rules.name(t) for t in rules.terminals] == ["01", "1"]


def test_letters_that_look_the_same_are_the_same():
    rules = from_text("root S\nterminals caf\u00e9 the\nS -> A A\nA -> cafe\u0301 the\n")
    assert rules.written(*list(rules)[1]) == "A -> caf\u00e9 the"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_file_is_read_as_its_editor_saved_it(tmp_path, encoding):
    text = GOOD.replace("1", "caf\u00e9")
    path = tmp_path / "me@lab"
    path.write_text(text, encoding=encoding)
    assert load_grammar(str(path)).rules == from_text(text)


def test_an_unknown_encoding_is_refused_by_line(tmp_path):
    path = tmp_path / "mine.txt"
    path.write_text(GOOD.replace("2 1", "2 \u00e9"), encoding="latin-1")
    with pytest.raises(ValueError, match=r"mine.txt: line 5 is not in UTF-8 \(byte 0xe9\); save"):
        load_grammar(path)


RELEASED = {
    "idx": [[20], [10], [1, 2]],
    "all": [[{"id": 20, "children": [[0, 0]]}], [{"children": [[0, 1], [1]]}]],
}


@pytest.mark.parametrize("name", ["g.json", "G.JSON", "me@lab=1 2.Json"])
def test_a_released_file_is_recognised_by_its_suffix_in_any_case(tmp_path, name):
    (tmp_path / name).write_text(json.dumps(RELEASED), encoding="utf-8-sig")
    assert load_grammar(tmp_path / name).rules.expansions[10] == ((1, 2), (2,))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"idx": [[20], [10], [1, 2.0]]}, r"idx\[2\] contains 2.0, which is not a whole number"),
        ({"idx": [[20], [True], [1, 2]]}, r"idx\[1\] contains True"),
        ({"idx": [[20], [10], [1, 10]]}, r"symbol 10 is in idx\[1\] and in idx\[2\]"),
        ({"idx": [[20], [10], 5]}, r"idx\[2\] is not a list"),
        ({"idx": [[20]]}, "idx has 1 levels"),
        ({"idx": None}, "idx is not a list"),
        ({"all": [[]]}, "all has 1 levels, and idx 3"),
        ({"all": [[], [{}]]}, r"all\[0\] has 0 symbols, and idx\[0\] 1"),
        ({"all": [[{"id": 19, "children": [[0]]}], [{}]]}, "symbol 20 of idx has the id 19 in all"),
        ({"all": [[{"children": [[0.0]]}], [{}]]}, "the children of symbol 20 contains 0.0"),
        ({"all": [[{"children": None}], [{}]]}, "the children of symbol 20 is not a list"),
        ({"all": [[7], [{}]]}, "no mapping with the children of symbol 20"),
        ({"idx": [[20], [10], [1, 2**31]]}, "symbol 2147483648; must be a whole number from 0 to"),
        ({"multi_vocab": "disjoint"}, "content_map is not a list"),
        ({"multi_vocab": 1, "content_map": []}, "multi_vocab=1 is not a string"),
        ({"multi_vocab": "x", "content_map": [[4]]}, "content_map has 1 bags for 2 terminals"),
        ({"multi_vocab": "x", "content_map": [[4], ["5"]]}, "the bag of terminal 2 contains '5'"),
    ],
)
def test_a_released_file_of_another_form_is_refused_by_key(changes, message):
    with pytest.raises(ValueError, match=message):
        from_json(json.dumps(RELEASED | changes))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"idx": [[1]], "idx": 2}', "key 'idx' appears twice"),
        ('{"idx": NaN}', "NaN is not a number"),
        ("[" * 100_000, "too deeply nested"),
        ("{", "not valid JSON"),
        ("3", "the file is not a mapping"),
    ],
)
def test_ambiguous_json_is_refused(text, message):
    with pytest.raises(ValueError, match=message):
        from_json(text)


def test_weights_of_a_repeated_token_in_a_bag_add_up():
    _, bags = from_json(
        json.dumps(RELEASED | {"multi_vocab": "disjoint", "content_map": [[5, 4, 5], [6]]})
    )
    assert bags == {1: {5: 2.0, 4: 1.0}, 2: {6: 1.0}}


def test_symbols_of_one_name_are_refused():
    with pytest.raises(ValueError, match="symbols 1 and 2 are both called 2"):
        Rules(9, (1, 2), {9: ((1, 2),)}, {1: "2"})
