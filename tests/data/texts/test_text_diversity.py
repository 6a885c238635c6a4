"""Text diversity, compared with counts by hand."""

import math

import numpy as np
import pytest

from physlm.data.people.augmentation import AugmentationConfig, Order
from physlm.data.people.bior import BiorConfig
from physlm.data.people.bios import BiosConfig
from physlm.data.texts.text_diversity import text_diversity


def test_all_sentences_from_templates_have_shared_frames():
    world = BiosConfig(
        n_people=500, augmentation=AugmentationConfig(n_paraphrases=1, order=Order.fixed)
    ).build(0)
    found = text_diversity(world)
    assert found.n_texts == 500
    assert found.n_frames == 300  # 6 attributes x 50 templates
    assert found.frame_overlap == 1
    assert found.order_entropy_bits == 0
    words = [
        len(world.vocabulary.decode(world.rendering(0, np.array([i])).tokens[1:]).split())
        for i in range(200)
    ]
    assert found.words_per_text == pytest.approx(np.mean(words), rel=0.1)


def test_orders_drawn_at_random_have_their_entropy():
    order = AugmentationConfig(order=Order.coupled)  # three couples, in 6 orders
    found = text_diversity(BiosConfig(n_people=500, augmentation=order).build(0))
    assert found.order_entropy_bits == pytest.approx(math.log2(6), abs=0.05)


def test_bior_is_more_diverse_than_bios():
    found = text_diversity(BiorConfig(n_people=300).build(0))
    assert found.n_frames > 300
    assert found.frame_overlap < 0.8
    assert 0.2 < found.type_token_ratio < 0.7


def test_too_few_words_are_refused():
    with pytest.raises(ValueError, match="n_people=3 have .* words; need at least 1000"):
        text_diversity(BiosConfig(n_people=3).build(0))
