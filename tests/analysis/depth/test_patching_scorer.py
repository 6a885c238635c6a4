"""Patching between people, on a model that writes the answer in a known block and place."""

import numpy as np
import pytest
import torch

from physlm.analysis.depth.patching_scorer import PatchingConfig
from physlm.analysis.depth.person_pairs import person_pairs, person_prompts
from physlm.data.cfg.corpus import CfgConfig
from physlm.data.people.bios import BiosConfig
from physlm.data.people.questions import QuestionsConfig
from physlm.errors import InputError
from physlm.measurement import by_text
from physlm.models.language_model import LanguageModel
from tests.analysis.depth.planted import PlantedModel, decoder


@pytest.fixture(scope="module")
def world():
    return BiosConfig(n_people=60, pool_size=8, include_question_vocabulary=True).build(0)


@pytest.fixture(scope="module")
def questions(world):
    return QuestionsConfig().follow(world, 0)


class Knowing(LanguageModel):
    """Knows each prompt's answer: block ``reads`` writes it at the end, from the name's tokens.

    A state is the token's one-hot code, then the scores.
    """

    n_layers = 3

    def __init__(self, prompts, vocabulary_size, reads):
        super().__init__()
        self.vocabulary_size, self.reads = vocabulary_size, reads
        self.answers = {
            (attribute, tuple(name)): int(prompts.answers[person, attribute])
            for person, name in enumerate(prompts.names)
            for attribute in range(prompts.answers.shape[1])
        }
        self.names = {tuple(name): len(name) for name in prompts.names}
        # What precedes and what follows the name tells the attribute.
        self.attributes = {
            self.frame(tokens.tolist()): int(prompts.attributes[person])
            for person, tokens in enumerate(prompts.tokens)
            if len(tokens)
        }

    def place(self, tokens):
        for first in range(len(tokens)):
            for width in set(self.names.values()):
                if tuple(tokens[first : first + width]) in self.names:
                    return first, first + width
        return None

    def frame(self, tokens):
        first, last = self.place(tokens)
        return (*tokens[:first], *tokens[last:])

    def forward(self, tokens, segments=None):
        return self.unembed(self.residuals(tokens, [3])[0])

    def residuals(self, tokens, states=None, segments=None):
        x = torch.zeros(*tokens.shape, 2 * self.vocabulary_size)
        x.scatter_(2, tokens[..., None], 1.0)
        every = [x]
        for k in range(3):
            every.append(self.block(every[-1], k))
        return torch.stack([every[k] for k in states])

    def forward_from(self, residual, k, segments=None):
        for number in range(k, 3):
            residual = self.block(residual, number)
        return residual

    def block(self, x, k):
        x = x.clone()
        if k == self.reads:
            for row in x:
                tokens = row[:, : self.vocabulary_size].argmax(-1).tolist()
                for end in range(1, len(tokens) + 1):
                    self.write(row, tokens, end)
        return x

    def write(self, row, tokens, end):
        found = self.place(tokens[:end])
        attribute = None if found is None else self.attributes.get(self.frame(tokens[:end]))
        answer = self.answers.get((attribute, found and tuple(tokens[slice(*found)])), -1)
        if answer >= 0:
            row[end - 1, self.vocabulary_size + answer] += 5

    def unembed(self, residual):
        return residual[..., self.vocabulary_size :]


@pytest.mark.parametrize("reads", [0, 2])
@pytest.mark.parametrize("kind", ["world", "questions"])
def test_patching_finds_the_block_and_the_place_of_the_answer(request, kind, reads):
    corpus = request.getfixturevalue(kind)
    model = Knowing(person_prompts(corpus), corpus.vocabulary.size, reads)
    config = PatchingConfig(n_pairs=8)
    config.check(model, corpus)
    found = config.measure(model, corpus)
    value = {text: metric.value for text, metric in by_text(found.metrics).items()}
    assert value["depth/patching/right"] == 1
    assert value["depth/patching/logit_difference"] == 10
    for state in range(4):
        for run, name_recovers in (("patch", 1.0), ("control", 0.5)):
            at = {
                place: value[f"depth/patching/recovered{{place={place},run={run},state={state}}}"]
                for place in ("name", "between", "last")
            }
            # Before the block reads, the name decides; from then on, what it wrote at the end. The
            # control takes the base's answer away, and does not bring the source's.
            is_read = state > reads
            assert at["name"] == (0 if is_read else name_recovers)
            assert at["last"] == (name_recovers if is_read else 0)
            assert at["between"] == 0
    assert set(config.figures(found)) == {"patching"}


def test_pairs_differ_in_the_name_alone(world, questions):
    for corpus in (world, questions):
        prompts = person_prompts(corpus)
        pairs, attributes = person_pairs(prompts, 20)
        differs = pairs.source != pairs.base
        assert differs.any(dim=1).all()
        assert not (differs & ~pairs.places["name"]).any()
        assert not ((pairs.source != pairs.control) & ~pairs.places["name"]).any()
        assert (pairs.places["last"].int().argmax(1) == pairs.last()).all()
        assert len({tuple(row) for row in pairs.source.tolist()}) == len(attributes)


def test_a_prompt_is_followed_by_the_answer(world, questions):
    prompts = person_prompts(world)
    texts = [world.vocabulary.decode(tokens) for tokens in prompts.tokens]
    facts = [world.facts(person) for person in range(world.n_people)]
    for person, text in enumerate(texts):
        attribute = prompts.attribute_names[prompts.attributes[person]]
        answer = world.vocabulary.decode(prompts.answers[person, prompts.attributes[person]][None])
        assert facts[person]["name"] in text
        assert facts[person][attribute].startswith(answer.strip())
    asked = person_prompts(questions)
    for person in range(0, world.n_people, 7):
        attribute = int(asked.attributes[person])
        answer = questions.vocabulary.decode(asked.answers[person, attribute][None])
        assert questions.answer(person, attribute).startswith(answer.strip())
        name = questions.vocabulary.decode(asked.names[person])
        assert name in questions.vocabulary.decode(asked.tokens[person])
        np.testing.assert_array_equal(asked.about(person, person), asked.tokens[person])


def test_a_model_that_knows_nobody_recovers_nothing(world):
    class Blank(Knowing):
        def write(self, row, tokens, end):
            pass

    model = Blank(person_prompts(world), world.vocabulary.size, 1)
    config = PatchingConfig(n_pairs=4)
    found = config.measure(model, world)
    assert {metric.name for metric in found.metrics} == {
        "depth/patching/right",
        "depth/patching/logit_difference",
    }
    assert config.figures(found) == {}


def test_what_cannot_be_patched_is_refused(world):
    config = PatchingConfig(n_pairs=4)
    with pytest.raises(InputError, match="1 pairs of people|0 pairs of people"):
        config.check(decoder(), BiosConfig(n_people=2, pool_size=5).build(0))
    with pytest.raises(InputError, match="eval=patching compares people; use data=bios"):
        config.check(decoder(), CfgConfig().build(0))
    with pytest.raises(InputError, match="this model has no forward_from"):
        config.check(PlantedModel(torch.zeros(2, 1, 1, 3)), world)
    with pytest.raises(InputError, match="learned positions end at"):
        config.check(decoder(seq_len=3), world)
    with pytest.raises(InputError, match="state 9 does not exist"):
        PatchingConfig(states=[9]).check(decoder(), world)
    with pytest.raises(ValueError, match="n_pairs=1; must be at least 2"):
        PatchingConfig(n_pairs=1)
