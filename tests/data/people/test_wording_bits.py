"""The entropy of the wording of biographies is that of the drawn templates and orders."""

import numpy as np
import pytest

from physlm.data.people.augmentation import AugmentationConfig, Order
from physlm.data.people.bior import BiorConfig
from physlm.data.people.bios import BiosConfig
from physlm.data.tokens import TokenizerName

N_PEOPLE = 12_000


def corpus_of(**augmentation):
    config = BiosConfig(
        n_people=N_PEOPLE,
        tokenizer=TokenizerName.compact,
        augmentation=AugmentationConfig(**augmentation),
    )
    return config.build(0)


def drawn(corpus, n_texts):
    """Attribute and template of each sentence of everybody's texts, [people, texts, sentences]."""
    people = np.repeat(np.arange(N_PEOPLE), n_texts)
    texts = np.tile(np.arange(n_texts), N_PEOPLE)
    plan, _ = corpus.sentences._plan(people, people, texts, corpus.seed)
    plan = plan[(plan[..., 0] >= 0).all(axis=1)]
    return plan.reshape(N_PEOPLE, n_texts, plan.shape[1], 2)


def entropy(rows):
    """Of rows that are drawn uniformly, all of which are met: the logarithm of their number."""
    _, counts = np.unique(rows, axis=0, return_counts=True)
    assert counts.min() > 1  # none is missed
    assert counts.var() < 1.5 * counts.mean()  # Poisson, up to chance
    return np.log2(len(counts))


@pytest.mark.parametrize(
    ("order", "n_paraphrases", "n_permutations"),
    [
        (Order.fixed, 1, 1),
        (Order.random, 1, 1),
        (Order.coupled, 2, 1),
        (Order.random, 1, 5),
        (Order.random, 5, 1),
    ],
)
def test_it_is_that_of_the_templates_and_orders_that_are_drawn(
    order, n_paraphrases, n_permutations
):
    corpus = corpus_of(order=order, n_paraphrases=n_paraphrases, n_permutations=n_permutations)
    n_texts = n_paraphrases * n_permutations
    plan = drawn(corpus, n_texts)
    total = 0.0
    for text in range(n_texts):
        own = plan[:, text]
        by_attribute = np.take_along_axis(own[..., 1], own[..., 0].argsort(axis=1), axis=1)
        if text % n_permutations == 0:  # permutations share the templates of their paraphrase
            total += sum(entropy(column[:, None]) for column in by_attribute.T)
            first = by_attribute
        assert (by_attribute == first).all()
        total += entropy(own[..., 0])
    assert corpus.wording_bits == pytest.approx(N_PEOPLE * total)


def test_a_minority_has_its_own():
    own = AugmentationConfig(n_paraphrases=5)
    minority = AugmentationConfig(n_paraphrases=1, order=Order.fixed)
    shared = {"tokenizer": TokenizerName.compact, "n_people": 30}
    both = BiosConfig(
        **shared, augmentation=own, n_minority=10, minority_augmentation=minority
    ).build(0)
    alone = [
        BiosConfig(**shared, augmentation=one).build(0).wording_bits for one in (own, minority)
    ]
    assert both.wording_bits == pytest.approx(alone[0] + alone[1] / 3)


def test_texts_without_end_have_none():
    assert corpus_of().wording_bits is None
    assert corpus_of(n_paraphrases=1, second_language=True).wording_bits is None
    assert BiorConfig(n_people=4, tokenizer=TokenizerName.compact).build(0).wording_bits is None
