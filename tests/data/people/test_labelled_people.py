"""Biographies that are false, and of nobody."""

from functools import cache

import numpy as np
import pytest

from physlm.data.people.augmentation import AugmentationConfig, Subject
from physlm.data.people.bior import BiorConfig
from physlm.data.people.bios import BiosConfig
from physlm.data.people.pools import ATTRIBUTES
from physlm.data.tokens import TokenizerName
from physlm.errors import InputError
from tests.conftest import tiny_biod_config

COMPACT = {"n_people": 30, "pool_size": 20, "tokenizer": TokenizerName.compact}
WORLDS = {
    "pronouns": BiosConfig(**COMPACT),
    "full names": BiosConfig(**COMPACT, augmentation=AugmentationConfig(subject=Subject.full_name)),
    "name later": BiosConfig(**COMPACT, augmentation=AugmentationConfig(name_position=3)),
    "two languages": BiosConfig(**COMPACT, augmentation=AugmentationConfig(second_language=True)),
    "symbols": tiny_biod_config(n_people=30),
    "rewritten": BiorConfig(**COMPACT, n_texts=2),
}


@cache
def world_of(kind):
    return WORLDS[kind].build(2)


@cache
def facts_of(kind):
    world = world_of(kind)
    return [world.facts(i) for i in range(world.n_people)]


def said(kind, tokens):
    """The text, with the names that it mentions and the facts of everyone."""
    text, facts = world_of(kind).vocabulary.decode(tokens[1:]), facts_of(kind)
    names = {own["name"] for own in facts if own["name"] in text}
    return text, names, facts


@pytest.mark.parametrize("n_errors", [1, 3])
@pytest.mark.parametrize("kind", ["pronouns", "full names", "rewritten"])
def test_swapped_values_are_false_of_the_person_and_true_of_a_partner(kind, n_errors):
    world = world_of(kind)
    found = world.labelled(10, "swapped", n_errors)
    wrong = []
    for right, false in zip(found.tokens[::2], found.tokens[1::2], strict=True):
        _, (name,), facts = said(kind, right)
        number = next(i for i, own in enumerate(facts) if own["name"] == name)
        assert name in world.vocabulary.decode(false[1:])
        document = world.rendering(0, np.array([number]))
        assert np.array_equal(document.tokens, right)
        spans = dict(zip(ATTRIBUTES, document.value_spans[0].tolist(), strict=False))
        values = {a: world.vocabulary.decode(false[slice(*spans[a])]).strip() for a in ATTRIBUTES}
        changed = {a: value for a, value in values.items() if value != facts[number][a]}
        assert len(changed) == n_errors
        wrong.append((facts[number], changed))
    for (a, of_a), (b, of_b) in zip(wrong[::2], wrong[1::2], strict=True):
        assert of_a == {k: b[k] for k in of_a}
        assert of_b == {k: a[k] for k in of_b}


@pytest.mark.parametrize("kind", ["pronouns", "full names", "name later", "two languages"])
def test_an_unknown_name_is_nobodys_and_everything_else_is_the_same(kind):
    world = world_of(kind)
    parts = [set(column) for column in zip(*world.name_parts(), strict=True)]
    found = world.labelled(10, "unknown", 1)
    for right, wrong in zip(found.tokens[::2], found.tokens[1::2], strict=True):
        _, (name,), _ = said(kind, right)
        text, names, _ = said(kind, wrong)
        assert not names
        changed = np.flatnonzero(right != wrong)
        new = [world.vocabulary.decode(wrong[i : i + 1]).strip() for i in changed.tolist()]
        assert all(any(word in own for own in parts) for word in new)
        if kind == "full names":
            assert len(changed) >= 6  # each of the six sentences begins with it
        assert not set(name.split()) & set(new)
        assert name not in text


def test_an_unknown_name_in_symbols_changes_the_name_alone():
    world = world_of("symbols")
    n_parts = len(world.name_parts()[0])
    taken = {
        tuple(row.tolist()) for row in world.rendering(0, np.arange(30)).rows(0)[:, 1 : n_parts + 1]
    }
    found = world.labelled(20, "unknown", 1)
    for right, wrong in zip(found.tokens[::2], found.tokens[1::2], strict=True):
        assert tuple(right[1 : n_parts + 1].tolist()) in taken
        assert tuple(wrong[1 : n_parts + 1].tolist()) not in taken
        assert np.array_equal(right[n_parts + 1 :], wrong[n_parts + 1 :])


def test_swapping_leaves_the_counts_of_all_tokens_as_they_are():
    world = world_of("pronouns")
    found = world.labelled(20, "swapped", 2)
    n = world.vocabulary.size
    counts = [np.bincount(np.concatenate(found.tokens[first::2]), minlength=n) for first in (0, 1)]
    assert np.array_equal(*counts)


def test_an_unknown_name_needs_sentences():
    with pytest.raises(InputError, match="corruption=unknown needs texts from templates"):
        WORLDS["rewritten"].build(0).labelled(5, "unknown", 1)


def test_a_world_in_which_every_name_is_taken_is_refused():
    config = tiny_biod_config(n_people=8, name_sizes=[2, 2, 2])
    with pytest.raises(
        ValueError, match="nearly every combination of name parts .* n_people=8 people"
    ):
        config.build(0).labelled(2, "unknown", 1)
