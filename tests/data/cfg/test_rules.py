"""Bad grammars are refused by name."""

import pytest

from physlm.data.cfg.formats import from_text
from physlm.data.cfg.rules import Rules

GOOD = "root 9\nterminals 1 2\n9 -> 8 7 | 7 8\n8 -> 1 2 | 2\n7 -> 2 1\n"


def test_levels_are_counted_from_the_root():
    rules = from_text(GOOD)
    assert rules.levels == ((9,), (7, 8), (1, 2))
    assert next(iter(rules)) == (9, (8, 7))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("9 -> 8 7 |", "9 -> 8 7 | 8 5 |"), "rule 9 -> 8 5: unknown symbol 5; give it a rule"),
        (("7 -> 2 1", "7 -> 2 1 |"), "rule 7 -> has an empty right-hand side"),
        (("7 -> 2 1", "7 -> 2 1 | 2 1"), "rule 7 -> 2 1 appears twice"),
        (("7 -> 2 1", "7 -> 2 1\n6 -> 1"), "symbol 6 cannot be reached from the root 9"),
        (("terminals 1 2", "terminals 1 2 3"), "symbol 3 cannot be reached"),
        (("7 -> 2 1", "7 -> 2 8"), "rule 7 -> 2 8 skips a level: 7 is on level 2, 8 on level 2"),
        (("8 7 | 7 8", "8 7 | 7 1"), "skips a level"),
        (("7 -> 2 1", "7 -> 2 9"), "cycle 9 -> .*-> 9; remove one rule"),
        (("7 -> 2 1", "1 -> 2\n7 -> 2 1"), "terminal 1 has a rule"),
        (("root 9", "root 4"), "root 4 has no rule"),
        (("root 9\n", ""), "needs a line 'root X'"),
        (("terminals 1 2", "terminals 1 2 2"), "one is named twice"),
        (("7 -> 2 1", "7 - 2 1"), "line '7 - 2 1'; write"),
    ],
)
def test_a_bad_rule_is_named(change, message):
    with pytest.raises(ValueError, match=message):
        from_text(GOOD.replace(*change))


def test_an_unproductive_symbol_is_named():
    with pytest.raises(ValueError, match="symbol 7 has no rule; give it one"):
        Rules(9, (1,), {9: ((8, 7),), 8: ((1,),), 7: ()})


def test_terminals_are_all_on_the_last_level():
    with pytest.raises(ValueError, match="terminal 1 is on level 2, others on level 3"):
        Rules(9, (1, 2), {9: ((8, 1),), 8: ((2,),)})


def test_a_subgrammar_keeps_the_symbols_that_its_root_derives():
    rules = from_text(GOOD).reachable_from(7)
    assert (rules.root, rules.terminals, rules.levels) == (7, (1, 2), ((7,), (1, 2)))
    assert from_text(GOOD.replace("8 -> 1 2 | 2", "8 -> 1")).reachable_from(8).terminals == (1,)
    with pytest.raises(ValueError, match="root=2 is not a nonterminal; use one of 9, 8, 7"):
        from_text(GOOD).reachable_from(2)
