"""Wrong solutions that are as long as right ones."""

from enum import Enum

import numpy as np

from physlm.data.tasks.igsm.language import (
    MINUS,
    MODULUS,
    PLUS,
    PRODUCT,
    text_of,
    tokens_of_words,
    words_of,
    words_of_tokens,
)
from physlm.data.tasks.igsm.parameter import Parameter
from physlm.data.tasks.igsm.places import (
    Document,
    DocumentPlaces,
    OperationPlaces,
    SentencePlaces,
    places_of,
)
from physlm.data.tasks.igsm.problem import Problem
from physlm.data.tasks.igsm.problem_reading import problem_of


class Violation(str, Enum):
    """How a solution is made wrong without a change of its length.

    ``calculation``: the result of a calculation is another number, and everything after it is
    computed from that, the answer included. ``calculation_not_carried``: the same, but everything
    after it is as in the right solution. ``parameter``: a sentence names a parameter that the
    question does not need, in as many tokens, instead of the one that it computes. ``order``: two
    sentences change places, the second of which uses the letter of the first. ``answer``: the
    number after the answer mark is another one.
    """

    calculation = "calculation"
    calculation_not_carried = "calculation_not_carried"
    parameter = "parameter"
    order = "order"
    answer = "answer"


VIOLATIONS = tuple(violation.value for violation in Violation)


def corrupted(
    tokens: Document, violation: Violation, n_errors: int, rng: np.random.Generator
) -> Document | None:
    """A document whose solution is wrong; None if it does not allow ``n_errors`` errors.

    Args:
        tokens: A document with a right solution.
        violation: What is wrong.
        n_errors: Number of errors, in different calculations or sentences; 1 for the answer.
        rng: Draws the places and what is written there.
    """
    places = places_of(tokens.tolist())
    if violation is Violation.answer:
        return _with_another_answer(tokens, places, rng) if n_errors == 1 else None
    if violation is Violation.order:
        return _with_swapped_sentences(tokens, places, n_errors, rng)
    if violation is Violation.parameter:
        return _with_other_parameters(tokens, places, n_errors, rng)
    is_carried = violation is Violation.calculation
    return _with_wrong_results(tokens, places, n_errors, rng, is_carried=is_carried)


def _with_another_answer(
    tokens: Document, places: DocumentPlaces, rng: np.random.Generator
) -> Document:
    found = tokens.copy()
    found[places.answer] = _another(int(tokens[places.answer]), rng)
    return found


def _with_wrong_results(
    tokens: Document,
    places: DocumentPlaces,
    n_errors: int,
    rng: np.random.Generator,
    *,
    is_carried: bool,
) -> Document | None:
    """Wrong results of calculations; numbers that are only copied stay right."""
    calculations = [own for own in places.operations if own.numbers]
    if len(calculations) < n_errors:
        return None
    drawn = rng.permutation(len(calculations))[:n_errors]
    wrong_places = {calculations[i].result for i in drawn.tolist()}
    found = tokens.copy()
    value_of: dict[int, int] = {}
    for operation in places.operations:
        if is_carried:
            _recompute(found, operation, value_of)
        if operation.result in wrong_places:
            found[operation.result] = _another(int(found[operation.result]), rng)
        value_of[int(found[operation.letter])] = int(found[operation.result])
    if is_carried:
        found[places.answer] = found[places.operations[-1].result]
    return found


def _recompute(found: Document, operation: OperationPlaces, value_of: dict[int, int]) -> None:
    """Write the numbers and the result of an operation from the values of letters so far."""
    values = [value_of.get(int(found[term]), int(found[term])) for term in operation.terms]
    if operation.numbers:
        left, right = values
        found[list(operation.numbers)] = values
        sign = int(found[operation.operator])
        results = {PLUS: left + right, MINUS: left - right, PRODUCT: left * right}
        found[operation.result] = results[sign] % MODULUS
    elif operation.terms:
        found[operation.result] = values[0]


def _with_other_parameters(
    tokens: Document, places: DocumentPlaces, n_errors: int, rng: np.random.Generator
) -> Document | None:
    """Names of unnecessary parameters that have other parents than those of the sentences."""
    problem = problem_of(words_of_tokens(tokens.tolist()))
    named = {parameter.name: parameter for parameter in problem.dependencies}
    others = [own for own in problem.dependencies if own not in problem.necessary]
    others = [others[i] for i in rng.permutation(len(others)).tolist()]
    defining = [sentence for sentence in places.sentences if sentence.operations]
    found, n_replaced = tokens.copy(), 0
    for i in rng.permutation(len(defining)).tolist():
        place = slice(defining[i].name.start, defining[i].name.stop)
        own = named[text_of(words_of_tokens(tokens[place].tolist()))]
        fitting = [other for other in others if _may_replace(problem, other, own)]
        if not fitting:
            continue
        others.remove(fitting[0])
        found[place] = tokens_of_words(words_of(fitting[0].name))
        n_replaced += 1
        if n_replaced == n_errors:
            return found
    return None


def _may_replace(problem: Problem, other: Parameter, own: Parameter) -> bool:
    """Whether a name is as long as another, and wrong in its place: its parents are others."""
    is_as_long = len(words_of(other.name)) == len(words_of(own.name))
    return is_as_long and set(problem.dependencies[other]) != set(problem.dependencies[own])


def _with_swapped_sentences(
    tokens: Document, places: DocumentPlaces, n_errors: int, rng: np.random.Generator
) -> Document | None:
    """Pairs of sentences swapped; the last sentence stays last if there are enough other pairs.

    It computes what the question asks for, so moving it would be a further error. Letters are
    exchanged so that they are defined in the same order as in the right solution: where this is the
    alphabet's, the order alone would give the error away.
    """
    pairs = _dependent_pairs(tokens, places)
    last = len(places.sentences) - 1
    inner = [pair for pair in pairs if last not in pair]
    for choice in (inner, pairs):
        swaps = _disjoint([choice[i] for i in rng.permutation(len(choice)).tolist()])
        if len(swaps) >= n_errors:
            return _swapped(tokens, places, swaps[:n_errors])
    return None


def _dependent_pairs(tokens: Document, places: DocumentPlaces) -> list[tuple[int, int]]:
    """Sentences and the later ones that use their letters."""
    found: list[tuple[int, int]] = []
    sentence_of: dict[int, int] = {}
    for later, sentence in enumerate(places.sentences):
        terms = [tokens[term] for operation in sentence.operations for term in operation.terms]
        used = {sentence_of[int(term)] for term in terms if int(term) in sentence_of}
        found += [(earlier, later) for earlier in sorted(used)]
        if sentence.operations:
            sentence_of[int(tokens[sentence.letter])] = later
    return found


def _disjoint(pairs: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """The pairs that share nothing with those before them."""
    found: list[tuple[int, int]] = []
    for pair in pairs:
        if not any(set(pair) & set(other) for other in found):
            found.append(pair)
    return found


def _swapped(tokens: Document, places: DocumentPlaces, swaps: list[tuple[int, int]]) -> Document:
    order = list(range(len(places.sentences)))
    for earlier, later in swaps:
        order[earlier], order[later] = later, earlier
    own = [tokens[sentence.whole.start : sentence.whole.stop] for sentence in places.sentences]
    first, end = places.sentences[0].whole.start, places.sentences[-1].whole.stop
    defined = [_letters_defined(tokens, sentence) for sentence in places.sentences]
    moved = [letter for i in order for letter in defined[i]]
    new_name = dict(zip(moved, (letter for own in defined for letter in own), strict=True))
    swapped = np.concatenate([own[i] for i in order])
    renamed = [new_name.get(token, token) for token in swapped.tolist()]
    return np.concatenate([tokens[:first], np.array(renamed, tokens.dtype), tokens[end:]])


def _letters_defined(tokens: Document, sentence: SentencePlaces) -> list[int]:
    """The letters that a sentence defines, in their order; none if it is taken back."""
    if not sentence.operations:
        return []
    letters = [int(tokens[sentence.letter]), *(int(tokens[o.letter]) for o in sentence.operations)]
    return list(dict.fromkeys(letters))


def _another(number: int, rng: np.random.Generator) -> int:
    """Another number, uniform."""
    return int((number + rng.integers(1, MODULUS)) % MODULUS)
