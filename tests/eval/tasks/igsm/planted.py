"""Models whose solutions are known, and solutions written by hand."""

from graphlib import TopologicalSorter

import torch
from torch import nn

from physlm.data.tasks.igsm import IgsmConfig, read_problem
from physlm.data.tasks.igsm.language import (
    ANSWER,
    LETTERS,
    MARKS,
    MODULUS,
    SOLUTION,
    WORDS,
    text_of,
    words_of,
    words_of_tokens,
)
from physlm.eval.tasks.igsm.igsm import IgsmScorerConfig
from physlm.measurement import by_text
from physlm.models.language_model import LanguageModel
from tests.eval.oracle import Read

SMALL = IgsmConfig(op_max=3, ip_max=6, seq_len=400)
TOKEN_OF = {word: token for token, word in enumerate((*WORDS, *MARKS))}


class Solver(LanguageModel):
    """Writes what a function makes of a prompt, token by token or under any prefix.

    After the mark of the answer it writes what a second function makes of the prompt.
    """

    def __init__(self, vocabulary, solve, answer=None):
        super().__init__()
        self.vocabulary_size, self.eos = vocabulary.size, vocabulary.eos
        self.solve, self.answer = solve, answer
        self.known = {}
        self.unused = nn.Parameter(torch.zeros(1))

    def forward(self, tokens, segments=None):
        scores = torch.zeros(*tokens.shape, self.vocabulary_size)
        for own, row in zip(scores, tokens.tolist(), strict=True):
            if SOLUTION in row:
                for at in range(row.index(SOLUTION), len(row)):
                    own[at, self._next(row[: at + 1])] = 1
        return scores

    def prefill(self, prompts, lengths, n_positions):
        cache = Read([row[:n].tolist() for row, n in zip(prompts, lengths, strict=True)])
        return self._scores(cache), cache

    def decode(self, tokens, cache):
        for row, token in zip(cache.rows, tokens.tolist(), strict=True):
            row.append(token)
        return self._scores(cache)

    def _scores(self, cache):
        scores = torch.zeros(len(cache.rows), self.vocabulary_size)
        for own, row in zip(scores, cache.rows, strict=True):
            own[self._next(row)] = 50
        return scores

    def _next(self, row):
        at = row.index(SOLUTION) + 1
        prompt = tuple(row[:at])
        if self.answer is not None and row[-1] == ANSWER:
            return self.answer(prompt)
        if prompt not in self.known:
            self.known[prompt] = [*self.solve(prompt), self.eos]
        return (self.known[prompt] + [self.eos] * 999)[len(row) - at]


def problem_of_prompt(prompt):
    return read_problem(text_of(words_of_tokens(prompt)))


def tokens_of(text):
    return [TOKEN_OF[word] for word in words_of(text)]


def sentences(problem, parameters=None):
    """One sentence for each parameter, in an order that lets each be computed; the query last."""
    parameters = problem.necessary if parameters is None else parameters
    graph = {p: sorted({*problem.dependencies[p]} & {*parameters}) for p in sorted(parameters)}
    order = [p for p in TopologicalSorter(graph).static_order() if p != problem.query]
    letters, letter_of, found = iter(LETTERS), {}, []
    for parameter in [*order, problem.query]:
        steps = list(_steps(problem, parameter, letter_of, letters))
        letter_of[parameter] = steps[-1].split()[0]
        body = "; ".join([*steps[:-1], f"so {steps[-1]}"])
        found.append(f"Define {parameter.name} as {letter_of[parameter]}; {body}.")
    return found


def _steps(problem, parameter, letter_of, letters):
    parents, values = problem.dependencies[parameter], problem.values
    terms = [(letter_of[p], values[p]) for p in parents]
    rule = problem.rules.get(parameter)
    if not terms:
        yield f"{next(letters)} = {values[parameter]}"
        return
    if parameter.level > 1:
        products = []
        for left, right in zip(terms[::2], terms[1::2], strict=True):
            step, product = _combined(left, "*", right, letters)
            yield step
            products.append(product)
        terms = products
        if len(terms) == 1:
            return
    sign = "-" if rule is not None and rule.is_difference else "+"
    total, *others = terms
    for term in others:
        step, total = _combined(total, sign, term, letters)
        yield step
    if rule is not None and rule.constant is not None:
        constant = (str(rule.constant), rule.constant)
        yield _combined(constant, "*" if rule.is_product else "+", total, letters)[0]
    elif not others:
        yield f"{next(letters)} = {total[0]} = {total[1]}"


def _combined(left, operator, right, letters):
    (x, a), (y, b) = left, right
    result = {"+": a + b, "-": a - b, "*": a * b}[operator] % MODULUS
    letter = next(letters)
    return f"{letter} = {x} {operator} {y} = {a} {operator} {b} = {result}", (letter, result)


def whole(problem, lines):
    return " ".join([*lines, f"<answer> {problem.answer}"])


def solved(change=None):
    """Solves every problem; the list of its sentences, and their text, may be changed."""

    def solve(prompt):
        problem = problem_of_prompt(prompt)
        lines = sentences(problem)
        text = whole(problem, lines) if change is None else change(problem, lines)
        return tokens_of(text)

    return solve


def measured(solve, answer=None, config=SMALL, **values):
    corpus = config.build(0)
    scorer = IgsmScorerConfig(**({"n_problems": 20, "batch_size": 16} | values))
    model = Solver(corpus.vocabulary, solve, answer)
    scorer.check(model, corpus)
    return scorer.measure(model, corpus)


def values_of(measurement):
    return {text: metric.value for text, metric in by_text(measurement.metrics).items()}


def own_solutions(corpus, sets):
    """Solves problems of some sets as their documents do."""
    known = {
        tuple(q.prompt.tolist()): q.solution.tolist()
        for asked in sets
        for q in asked.questions
        if len(q.solution)
    }
    return lambda prompt: known.get(prompt) or solved()(prompt)


def answers(prompt):
    return problem_of_prompt(prompt).answer
