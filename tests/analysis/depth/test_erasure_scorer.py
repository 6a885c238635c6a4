"""The scorer of linear erasure, on a model that copies what is written at the name."""

import numpy as np
import pytest
import torch

from physlm.analysis.depth.erasure_metrics import erasers
from physlm.analysis.depth.erasure_scorer import ErasureConfig
from physlm.analysis.depth.person_pairs import question_prompts
from physlm.data.people.bios import BiosConfig
from physlm.data.people.questions import QuestionsConfig
from physlm.errors import InputError
from physlm.measurement import by_text
from physlm.models.language_model import LanguageModel
from tests.analysis.depth.planted import PlantedModel, decoder

WIDTH = 8  # of the code of one value, and of each person's noise
N_PEOPLE = 200


@pytest.fixture(scope="module")
def questions():
    world = BiosConfig(n_people=N_PEOPLE, pool_size=6, include_question_vocabulary=True).build(0)
    return QuestionsConfig().follow(world, 0)


class Copying(LanguageModel):
    """The name's last token holds a code of every value; block 1 copies them to the last token.

    Block 0 does nothing. A state is a code for each attribute, noise, and the attribute that the
    last token asks for.
    """

    n_layers = 2

    def __init__(self, questions):
        super().__init__()
        self.vocabulary_size = questions.vocabulary.size
        n = len(questions.attributes)
        every = [question_prompts(questions, np.full(N_PEOPLE, a)) for a in range(n)]
        self.answers = torch.from_numpy(every[0].answers)
        generator = torch.Generator().manual_seed(0)
        self.codes = torch.randn(n, self.vocabulary_size, WIDTH, generator=generator)
        noise = torch.randn(N_PEOPLE, WIDTH, generator=generator)
        self.found = {
            tuple(tokens): (person, a, int(prompts.ends[person]) - 1, len(tokens) - 1)
            for a, prompts in enumerate(every)
            for person, tokens in enumerate(map(np.ndarray.tolist, prompts.tokens))
        }
        codes = self.codes[torch.arange(n), self.answers]
        self.people = torch.cat([codes.flatten(1), noise], dim=1)

    def forward(self, tokens, segments=None):
        return self.unembed(self.residuals(tokens, [2])[0])

    def residuals(self, tokens, states=None, segments=None):
        n_held, n = self.people.shape[1], len(self.codes)
        x = torch.zeros(*tokens.shape, n_held + n + 1)
        for row, ids in zip(x, tokens.tolist(), strict=True):
            beginnings = (tuple(ids[:n]) for n in range(len(ids), 0, -1))
            prompt = next(one for one in beginnings if one in self.found)
            person, attribute, name_last, last = self.found[prompt]
            row[name_last, :n_held], row[name_last, -1] = self.people[person], 1
            row[last, n_held + attribute] = 1
        every = [x, x, self.forward_from(x, 1)]
        return torch.stack([every[k] for k in states])

    def forward_from(self, residual, k, segments=None):
        if k == 2:
            return residual
        held = residual[..., : self.people.shape[1]]
        copied = (held * residual[..., -1:]).sum(dim=1, keepdim=True)
        is_last = residual[..., held.shape[-1] : -1].sum(dim=-1, keepdim=True)
        return residual + torch.nn.functional.pad(copied * is_last, (0, len(self.codes) + 1))

    def unembed(self, residual):
        n_held = self.people.shape[1]
        attribute = residual[..., n_held:-1].argmax(dim=-1)
        codes = residual[..., : n_held - WIDTH].unflatten(-1, (-1, WIDTH))
        code = codes[torch.arange(len(codes)), attribute]
        return -(code[:, None] - self.codes[attribute]).square().sum(dim=-1)


def test_only_the_own_directions_matter_and_only_where_they_are_read(questions):
    model = Copying(questions)
    config = ErasureConfig(attributes=["major", "university"], states=[1, 2])
    config.check(decoder(seq_len=32), questions)
    found = config.measure(model, questions)
    value = {text: metric.value for text, metric in by_text(found.metrics).items()}
    assert value["depth/erasure/accuracy{erased=none}"] == 1

    def accuracy(erased, place, state, attribute="major"):
        dims = f"attribute={attribute},erased={erased},place={place},state={state}"
        return value[f"depth/erasure/accuracy{{{dims}}}"]

    for attribute in ("major", "university"):
        assert accuracy("own", "name_last", 1, attribute) < 0.35
        assert accuracy("own", "last", 2, attribute) < 0.35
        assert accuracy("other", "name_last", 1, attribute) > 0.9
        assert accuracy("random", "name_last", 1, attribute) > 0.6
        assert accuracy("random_of_other", "name_last", 1, attribute) > 0.6
        # After block 1 the name is not read any more.
        assert accuracy("own", "name_last", 2, attribute) == 1
    # Before block 1 the last token is the same for everyone.
    assert not any("place=last,state=1" in text for text in value)
    assert set(config.figures(found)) == {"erasure"}


def test_each_attribute_has_as_many_random_directions_beside_it():
    states = torch.randn(90, 12, generator=torch.Generator().manual_seed(0))
    place = torch.arange(90)
    found = erasers(states, {"own": place % 3, "other": place % 7}, seed=0)
    ranks = {name: eraser.rank for name, eraser in found.items()}
    assert ranks == {"own": 2, "other": 6, "random": 2, "random_of_other": 6}
    assert not erasers(states, {"own": place % 3, "other": place % 13}, seed=0)


def test_what_cannot_be_erased_is_refused(questions):
    with pytest.raises(InputError, match="eval=erasure asks about people; use data=questions"):
        ErasureConfig().check(decoder(), questions.world)
    with pytest.raises(InputError, match="no question asks for height; use one of birth_date"):
        ErasureConfig(attributes=["height"]).check(decoder(), questions)
    with pytest.raises(InputError, match="this model has no forward_from"):
        ErasureConfig().check(PlantedModel(torch.zeros(2, 1, 1, 3)), questions)
    with pytest.raises(InputError, match="as many directions as an attribute has values"):
        ErasureConfig(states=[0], attributes=["birth_date"]).measure(
            decoder(questions.vocabulary.size, seq_len=64), questions
        )
    with pytest.raises(ValueError, match="max_people=3; must be at least 4"):
        ErasureConfig(max_people=3)
