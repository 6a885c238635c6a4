"""Attribute recall of models that recite the biographies with planted mistakes."""

import numpy as np
import pytest
import torch

from physlm.data.people.augmentation import AugmentationConfig
from physlm.data.people.bios import BiosConfig
from physlm.data.people.pools import ATTRIBUTES
from physlm.data.people.questions import QuestionsConfig
from physlm.data.tokens import TokenizerName
from physlm.errors import InputError
from physlm.eval.people.capacity import CapacityConfig
from physlm.eval.people.recall import RecallConfig
from physlm.measurement import by_text
from physlm.models.architecture import DecoderConfig
from physlm.models.components import PositionEncoding
from physlm.models.language_model import LanguageModel


@pytest.fixture(scope="module")
def world():
    config = BiosConfig(
        n_people=20,
        include_question_vocabulary=True,
        tokenizer=TokenizerName.compact,
        augmentation=AugmentationConfig(n_paraphrases=2),
    )
    return config.build(0)


class Reciting(LanguageModel):
    """Gives the next token of every text of the world, except where it must err."""

    def __init__(self, world, wrong):
        super().__init__()
        self.vocabulary_size, self.following = world.vocabulary.size, {}
        for number in range(2):
            documents = world.rendering(number, np.arange(world.n_people))
            for i, person in enumerate(documents.people):
                row = documents.tokens[documents.starts[i] : documents.starts[i + 1]].tolist()
                for at in range(1, len(row)):
                    is_wrong = wrong(person, documents.value_spans[i], at)
                    said = (row[at] + is_wrong) % self.vocabulary_size
                    self.following[tuple(row[:at])] = said

    def forward(self, tokens, segments=None):
        scores = torch.zeros(*tokens.shape, self.vocabulary_size)
        for i, row in enumerate(tokens.tolist()):
            for at in range(len(row)):
                scores[i, at, self.following.get(tuple(row[: at + 1]), 0)] = 1
        return scores


def test_the_name_is_measured_in_texts_that_end_with_it():
    config = BiosConfig(
        n_people=20,
        tokenizer=TokenizerName.compact,
        augmentation=AugmentationConfig(n_paraphrases=1, name_position=6),
    )
    world = config.build(0)
    names = world.rendering(0, np.arange(20)).name_spans

    def wrong(person, spans, at):  # the last word of every other name
        return person % 2 == 0 and at == names[person, 1] - 1

    metrics = accuracies(world, wrong)
    assert metrics["recall/name_accuracy{split=train}"].value == pytest.approx(0.5)
    assert metrics["recall/accuracy{split=train}"].value == 1
    early = AugmentationConfig(n_paraphrases=2, name_position=2)
    world = BiosConfig(n_people=20, tokenizer=TokenizerName.compact, augmentation=early).build(0)
    assert "recall/name_accuracy{split=train}" not in accuracies(world, lambda *_: False)


def accuracies(world, wrong, corpus=None):
    model, scorer = Reciting(world, wrong), RecallConfig(n_renderings=2)
    scorer.check(model, corpus or world)
    return by_text(scorer.measure(model, corpus or world).metrics)


def test_a_model_that_recites_every_value_has_full_recall(world):
    *metrics, facts, wording = accuracies(world, lambda *_: False).values()
    assert {metric.value for metric in metrics} == {1}
    assert [(metric.name, metric.dims.get("attribute")) for metric in metrics] == [
        ("recall/accuracy", attribute) for attribute in (None, *ATTRIBUTES)
    ]
    assert (facts.text, facts.value, facts.n) == ("recall/fact_bits", world.entropy_bits, 20)
    assert (wording.text, wording.value) == ("recall/wording_bits", world.wording_bits)
    assert 20 * 2 * 40 < wording.value < 20 * 2 * 45


def test_one_wrong_token_of_a_value_loses_that_value_only(world):
    def last_of_birth_dates(person, spans, at):
        return person < 10 and at == spans[0, 1] - 1

    metrics = accuracies(world, last_of_birth_dates, QuestionsConfig().follow(world, 0))
    assert metrics["recall/accuracy{attribute=birth_date,split=train}"].value == pytest.approx(0.5)
    assert metrics["recall/accuracy{attribute=major,split=train}"].value == 1
    assert metrics["recall/accuracy{split=train}"].value == pytest.approx(1 - 0.5 / 6)


def test_words_between_values_do_not_count(world):
    def outside(person, spans, at):
        return not any(first <= at < last for first, last in spans[:6])

    assert accuracies(world, outside)["recall/accuracy{split=train}"].value == 1


def test_other_worlds_and_short_windows_are_refused(world):
    from physlm.data.cfg.corpus import CfgConfig

    model = Reciting(world, lambda *_: False)
    with pytest.raises(InputError, match="eval=recall measures worlds of people only"):
        RecallConfig().check(model, CfgConfig().build(0))
    short = DecoderConfig(d_model=16, n_layers=1, position=PositionEncoding.learned)
    with pytest.raises(InputError, match="learned positions end at data.seq_len=20"):
        RecallConfig().check(short.build(world.vocabulary.size, 20, 0), world)


def test_omitted_attributes_are_not_measured():
    """A minority whose city is left out, and which is wrong about all else."""
    text = AugmentationConfig(n_paraphrases=2)
    config = BiosConfig(
        n_people=20,
        n_minority=10,
        tokenizer=TokenizerName.compact,
        augmentation=text,
        minority_augmentation=AugmentationConfig(n_paraphrases=2, omits_company_city=True),
    )
    metrics = accuracies(config.build(0), lambda person, spans, at: person >= 20)
    assert metrics["recall/accuracy{split=train}"].value == pytest.approx(20 / 30)
    city = metrics["recall/accuracy{attribute=company_city,split=train}"]
    assert (city.value, city.n) == (1, 20)
    world = BiosConfig(n_people=20, augmentation=AugmentationConfig(omits_company_city=True)).build(
        0
    )
    model = DecoderConfig(n_layers=1, n_heads=1, d_model=8).build(world.vocabulary.size, 128, 0)
    names = by_text(RecallConfig().measure(model.eval(), world).metrics)
    assert "recall/accuracy{attribute=company_city,split=train}" not in names
    with pytest.raises(InputError, match="eval=capacity measures all attributes"):
        CapacityConfig().check(model, world)
