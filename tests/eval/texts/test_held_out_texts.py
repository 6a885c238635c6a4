"""Loss on held-out texts, of models whose loss is known."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from physlm.data.brackets.corpus import BracketsConfig
from physlm.data.sums.corpus import SumsConfig
from physlm.errors import InputError
from physlm.eval.texts.held_out_texts import HeldOutTextsConfig
from physlm.models.language_model import LanguageModel

SCORER = HeldOutTextsConfig(n_texts=20, batch_size=7)
WORLDS = [SumsConfig(modulus=5, n_steps=2), BracketsConfig(n_brackets=14)]


class Knowing(LanguageModel):
    """The distribution of next tokens counted over all texts, or a uniform one.

    Args:
        texts: All texts of a world, each as likely as any other; none for a uniform model.
        n_tokens: Size of the vocabulary.
    """

    def __init__(self, texts, n_tokens):
        super().__init__()
        self.texts, self.vocabulary_size = texts, n_tokens
        self.unused = nn.Parameter(torch.zeros(1))

    def forward(self, tokens, segments=None):
        if self.texts is None:
            return torch.zeros(*tokens.shape, self.vocabulary_size)
        scores = torch.full((*tokens.shape, self.vocabulary_size), -1e9)
        for row, own in enumerate(tokens):
            for t in range(tokens.shape[1]):
                matching = (self.texts[:, : t + 1] == own[: t + 1]).all(dim=1)
                counts = torch.bincount(self.texts[matching, t + 1], minlength=self.vocabulary_size)
                scores[row, t] = (counts / counts.sum()).log().clamp(min=-1e9)
        return scores


def every_text(corpus):
    """All texts of a world in which a text is its problem."""
    n = corpus.n_trained
    trained = corpus.epoch(0, 0, n).tokens.reshape(n, -1)
    held_out = corpus.held_out(0, corpus.config.n_held_out)
    return torch.from_numpy(np.concatenate([trained, held_out])).long()


def measured(corpus, texts):
    model = Knowing(texts, corpus.vocabulary.size)
    found = SCORER.measure(model, corpus).metrics
    return {(m.name.removeprefix("texts/"), m.dims.get("kind")): m.value for m in found}


def test_the_true_distribution_of_sums_reaches_the_floor_and_every_result():
    corpus = WORLDS[0].build(0)
    found = measured(corpus, every_text(corpus))
    assert found["loss_nats", None] == pytest.approx(found["floor_nats", None], rel=1e-5)
    assert found["floor_nats", None] == pytest.approx(math.log(5 * 12**2) / 20)
    assert {value for (name, _), value in found.items() if name == "accuracy"} == {1.0}
    assert ("accuracy", "result") in found


@pytest.mark.parametrize("config", WORLDS)
def test_a_uniform_model_has_the_loss_of_the_vocabulary(config):
    corpus = config.build(0)
    found = measured(corpus, None)
    assert found["loss_nats", None] == pytest.approx(math.log(corpus.vocabulary.size))
    assert found["loss_nats", None] > found["floor_nats", None] > 0


def test_worlds_that_do_not_know_their_entropy_are_refused(bios):
    with pytest.raises(InputError, match="measures texts of one length; use data=sums or brackets"):
        SCORER.check(Knowing(None, 5), bios)
