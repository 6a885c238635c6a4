"""Prompts of worlds, and the check of whole texts."""

import numpy as np
import pytest

from physlm.data.brackets.corpus import BracketsConfig
from physlm.data.cfg.corpus import CfgConfig, CfgCorpus
from physlm.data.prompted import Prompted
from physlm.data.sums.corpus import SumsConfig
from tests.data.cfg.conftest import language, small_grammar

PAIRS = {"(": ")", "[": "]"}
DO = {"+": lambda a, b: a + b, "-": lambda a, b: a - b, "*": lambda a, b: a * b}
FIXED = {
    "sums": SumsConfig(modulus=7, n_steps=2, seq_len=30).build(0),
    "brackets": BracketsConfig(n_brackets=12, seq_len=13).build(0),
}


def is_word(text):
    """A parser with a stack."""
    stack = []
    for bracket in text:
        if bracket in PAIRS:
            stack.append(PAIRS[bracket])
        elif not stack or stack.pop() != bracket:
            return False
    return not stack


def is_worked_out(text):
    """Python's own arithmetic on the text."""
    problem, _, work = text.partition(" : ")
    start, *rest = problem.split()
    value, steps = int(start), []
    for operator, operand in zip(rest[::2], rest[1::2], strict=True):
        result = DO[operator](value, int(operand)) % 7
        steps.append(f"{value} {operator} {operand} = {result} ;")
        value = result
    return work == " ".join([*steps, f"answer {value}"])


ORACLES = {"sums": is_worked_out, "brackets": lambda text: is_word(text.split())}


@pytest.mark.parametrize("name", FIXED)
def test_texts_with_one_changed_token_are_right_where_another_parser_says_so(name):
    corpus, rng = FIXED[name], np.random.default_rng(0)
    prompts = corpus.prompts(10)
    texts = corpus.held_out(0, 10, "prompts")
    changed = np.repeat(texts, 30, axis=0)
    n_prompt = len(prompts.tokens[0])
    places = rng.integers(n_prompt, corpus.n_tokens, len(changed))
    changed[np.arange(len(changed)), places] = rng.integers(len(corpus.words), size=len(changed))
    words = np.array([*corpus.words, "EOS"])
    expected = [ORACLES[name](" ".join(words[text[1:]])) for text in changed]
    assert 0 < sum(expected) < len(changed) / 2
    assert corpus.are_right(list(changed)).tolist() == expected
    assert all(len(p) + prompts.max_new_tokens == corpus.n_tokens for p in prompts.tokens)
    assert np.array_equal(np.stack(prompts.tokens), texts[:, :n_prompt])
    assert prompts.eos is None


@pytest.mark.parametrize("number", [0, 3])
def test_a_grammars_prompts_begin_strings_and_members_alone_are_right(number):
    grammar, words = small_grammar(number), language(number)
    corpus = CfgCorpus(CfgConfig(), grammar, 0)
    assert isinstance(corpus, Prompted)
    prompts, eos = corpus.prompts(20), corpus.vocabulary.eos
    for prompt in prompts.tokens:
        assert prompt[0] == eos == prompts.eos
        half = tuple(corpus.string(prompt[1:]).tolist())
        rest = [word for word in words if word[: len(half)] == half]
        assert any(len(word) // 2 == len(half) for word in rest)
        assert max(len(word) for word in rest) < len(half) + prompts.max_new_tokens
        texts = [np.insert(corpus.ids(np.array(word, dtype=np.int32)), 0, eos) for word in rest]
        assert corpus.are_right(texts).all()
        cut = [text[:-1] for text in texts if len(text) > 2]
        expected = [tuple(corpus.string(text[1:]).tolist()) in words for text in cut]
        assert corpus.are_right(cut).tolist() == expected
