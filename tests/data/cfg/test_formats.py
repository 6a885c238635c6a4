"""Grammars are read back from every format that they are written in."""

import json

import nltk
import pytest

from physlm.data.cfg import load_grammar
from physlm.data.cfg.formats import from_json, from_nltk, from_text, to_nltk, to_text
from physlm.data.cfg.library import grammar_names


@pytest.mark.parametrize("name", grammar_names())
def test_text_and_nltk_give_the_rules_back(name):
    rules = load_grammar(name).rules
    written = {rules.written(*rule) for rule in rules}
    for back in (from_text(to_text(rules)), from_nltk(to_nltk(rules))):
        assert {back.written(*rule) for rule in back} == written
        assert back.name(back.root) == rules.name(rules.root)
        assert {*map(back.name, back.terminals)} == {*map(rules.name, rules.terminals)}


def test_nltk_reads_the_same_language_from_its_own_notation():
    text = nltk.CFG.fromstring("S -> A B | B A\nA -> 'a' 'b'\nB -> 'b'")
    rules = from_nltk(text)
    assert [rules.name(t) for t in rules.terminals] == ["a", "b"]
    assert rules.written(*next(iter(rules))) == "S -> A B"


def released(**changes):
    content = {
        "depth": 2,
        "idx": [[20], [10, 11, 12], [1, 2]],
        "all": [
            [{"id": 20, "children": [[0, 1], [1, 1]]}],
            [
                {"id": 10, "children": [[0], [1, 0]]},
                {"id": 11, "children": [[1, 1]]},
                {"id": 12, "children": [[0, 0]]},
            ],
            [{"id": 1, "children": None}, {"id": 2, "children": None}],
        ],
    }
    return json.dumps(content | changes)


def test_children_of_the_released_form_are_indices_and_unused_symbols_are_removed():
    rules, bags = from_json(released())
    assert rules.expansions == {20: ((10, 11), (11, 11)), 10: ((1,), (2, 1)), 11: ((2, 2),)}
    assert bags == {}


@pytest.mark.parametrize(
    ("kind", "weights"), [("disjoint", {5: 1.0, 4: 1.0}), ("disjoint_NU1", {5: 1.0, 4: 2.0})]
)
def test_bags_of_the_released_form(kind, weights):
    _, bags = from_json(released(multi_vocab=kind, content_map=[[5, 4], [6]]))
    assert bags[1] == weights


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"idx": [[20, 21], [10, 11, 12], [1, 2]]}, r"the first level has the symbols \[20, 21\]"),
        (
            {"all": [[{"children": [[-1, 0]]}], [{"children": [[0]]}] * 3, []]},
            "symbol 20: child -1 is not an index into the next level, which has 3 symbols",
        ),
    ],
)
def test_an_index_out_of_range_is_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        from_json(released(**changes))


@pytest.mark.parametrize("text", ["{}", "[1]", '{"idx": [[1], [2]], "all": []}'])
def test_other_json_is_refused(text):
    with pytest.raises(ValueError, match="not a grammar in the released JSON form"):
        from_json(text)


def test_grammars_are_found_by_name_family_and_file(tmp_path):
    path = tmp_path / "mine.txt"
    path.write_text(load_grammar("cfg3b").to_text())
    assert load_grammar(path).rules.expansions == load_grammar("cfg3b").rules.expansions
    (tmp_path / "mine.json").write_text(released())
    assert load_grammar(tmp_path / "mine.json").tokens == (1, 2)
    assert load_grammar("cfg3f:3").rules == load_grammar("cfg3f:3").rules
    assert load_grammar("cfg3f:3").rules != load_grammar("cfg3f:4").rules
    with pytest.raises(ValueError, match="grammar=cfg3z: no such grammar or file; use one of"):
        load_grammar("cfg3z")
    (tmp_path / "bad.txt").write_text("root 2")
    with pytest.raises(ValueError, match="bad.txt: a grammar needs"):
        load_grammar(tmp_path / "bad.txt")
