"""Reading problems: from the text of a document to its graphs."""

from collections.abc import Sequence

from physlm.data.tasks.igsm.language import END_OF_TEXT, text_of, words_of
from physlm.data.tasks.igsm.parameter import Parameter, Rule
from physlm.data.tasks.igsm.problem import Problem
from physlm.data.tasks.igsm.world import WORLD, World

_SENTENCE = ["The", "number", "of"]


def read_problem(text: str, world: World = WORLD) -> Problem:
    """The problem of a text: its sentences and its question, with or without marks and a solution.

    Args:
        text: Text of a document, or of a part of one that ends with the question.
        world: What the items and categories are.

    Raises:
        ValueError: If a sentence does not parse, or a parameter has no or two sentences.
    """
    return problem_of(words_of(text), world)


def problem_of(words: Sequence[str], world: World = WORLD) -> Problem:
    """The problem of the words of a document; see `read_problem`."""
    at = words.index("<solution>") if "<solution>" in words else len(words)
    own = [word for word in words[:at] if word not in ("<problem>", END_OF_TEXT)]
    sentences, questions = _sentences(own)
    if not questions or not sentences or len(questions) > 1:
        raise ValueError(
            f"a problem has sentences and one question, not {len(sentences)} and {len(questions)}"
        )
    rules: dict[Parameter, Rule] = {}
    for sentence in sentences:
        parameter, rule = _statement(sentence, world)
        if parameter in rules:
            raise ValueError(f"two sentences give {parameter.name}; keep one")
        rules[parameter] = rule
    return Problem(
        text=text_of(word for sentence in sentences for word in (*sentence, ".")),
        question=text_of([*questions[0], "?"]),
        is_question_first=own[: len(questions[0])] == questions[0],
        solution=text_of(words[at + 1 :]),
        rules=rules,
        query=_query(questions[0], world),
        world=world,
    )


def _sentences(words: Sequence[str]) -> tuple[list[list[str]], list[list[str]]]:
    """Sentences and questions, without their last mark."""
    found: dict[str, list[list[str]]] = {".": [], "?": []}
    own: list[str] = []
    for word in words:
        if word in found:
            found[word].append(own)
            own = []
        else:
            own.append(word)
    if own:
        raise ValueError(f"the problem ends within a sentence: {text_of(own)!r}")
    return found["."], found["?"]


def _statement(words: list[str], world: World) -> tuple[Parameter, Rule]:
    """The parameter that a sentence gives, and how."""
    if words[:3] != _SENTENCE or words.count("equals") != 1:
        raise _unreadable(words)
    at = words.index("equals")
    parameter = _reference(words[3:at], words, world)
    if parameter.is_abstract:
        raise ValueError(
            f"{text_of(words)!r} gives an abstract parameter, which follows from others; remove it"
        )
    return parameter, _rule(words[at + 1 :], words, world)


def _rule(right: list[str], words: list[str], world: World) -> Rule:
    constant, is_product = None, False
    if right and right[0].isdecimal():
        constant = int(right[0])
        if len(right) == 1:
            return Rule((), constant)
        is_product = right[1] == "times"
        if not is_product and right[1:3] != ["more", "than"]:
            raise _unreadable(words)
        right = right[2:] if is_product else right[3:]
    is_combined = right[:1] == ["the"] and right[2:3] == ["of"]
    is_difference = is_combined and right[1] == "difference"
    if is_combined and right[1] not in ("sum", "difference"):
        raise _unreadable(words)
    references = _split(right[3:] if is_combined else right)
    if is_combined != (len(references) > 1) or (is_difference and len(references) != 2):
        raise _unreadable(words)
    parents = tuple(_reference(own, words, world) for own in references)
    return Rule(parents, constant, is_product, is_difference)


def _split(words: list[str]) -> list[list[str]]:
    """Words between ``and``."""
    found: list[list[str]] = [[]]
    for word in words:
        if word == "and":
            found.append([])
        else:
            found[-1].append(word)
    return found


def _reference(own: list[str], words: list[str], world: World) -> Parameter:
    """The parameter that is referred to as each ITEM's ITEM, or each ITEM's CATEGORY."""
    if own[:1] != ["each"] or own.count("'s") != 1:
        raise _unreadable(words)
    at = own.index("'s")
    owned = own[at + 1 :]
    # The second each, if it is written, adds nothing.
    return _parameter(own[1:at], owned[1:] if owned[:1] == ["each"] else owned, world)


def _query(words: list[str], world: World) -> Parameter:
    if words[:2] != ["How", "many"] or words.count("has") != 1:
        raise _unreadable(words)
    at = words.index("has")
    return _parameter(words[at + 1 :], words[2:at], world)


def _parameter(owner_words: list[str], owned_words: list[str], world: World) -> Parameter:
    owner, owned = text_of(owner_words), text_of(owned_words)
    if owner not in world.items:
        raise ValueError(f"{owner!r} is not an item of the world")
    place = world.items.get(owned, world.categories.get(owned))
    if place is None:
        raise ValueError(f"{owned!r} is neither an item nor a category of the world")
    hierarchy, layer = world.items[owner]
    level = place.layer - layer
    if place.hierarchy != hierarchy or level < 1 or (owned in world.items and level > 1):
        raise ValueError(f"{owner!r} cannot hold {owned!r}: its layer is not below")
    return Parameter(owner, owned, 0 if owned in world.items else level)


def _unreadable(words: list[str]) -> ValueError:
    return ValueError(f"not a sentence of a problem: {text_of(words)!r}")
