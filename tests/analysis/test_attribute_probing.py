"""Probes find planted attributes where they are planted, and nothing elsewhere."""

import numpy as np
import pytest
import torch

from physlm.analysis.attribute_probes import tasks
from physlm.analysis.attribute_probing import PProbeConfig, QProbeConfig
from physlm.data.people.augmentation import AugmentationConfig, Order
from physlm.data.people.bios import BiosConfig
from physlm.data.people.questions import QuestionsConfig, train_people_of
from physlm.data.tokens import TokenizerName
from physlm.errors import InputError
from physlm.measurement import by_text
from physlm.models.architecture import DecoderConfig, EncoderConfig
from physlm.models.components import PositionEncoding
from physlm.models.decoder import Decoder

N_PEOPLE = 240
DATE = "q_probe/accuracy{attribute=birth_date,part=first_token,split=test}"
CITY = "q_probe/accuracy{attribute=birth_city,part=whole,split=test}"
P_PROBE = "p_probe/accuracy{{attribute=birth_date,part=first_token,position={},split=test}}"


@pytest.fixture(scope="module")
def world():
    config = BiosConfig(
        n_people=N_PEOPLE,
        include_question_vocabulary=True,
        tokenizer=TokenizerName.compact,
        augmentation=AugmentationConfig(n_paraphrases=1, order=Order.fixed),
    )
    return config.build(0)


class Planted(Decoder):
    """States that spell a class of the person named, from a given position on."""

    def __init__(self, world, classes, since):
        super().__init__(DecoderConfig(d_model=32, n_layers=1), world.vocabulary.size, 128, 0)
        names = world.sentences.names
        self.classes = {
            tuple(world.sentences.pieces.join(row).tolist()): int(c)
            for row, c in zip(names, classes, strict=True)
        }
        self.since = since

    def hidden_states(self, tokens, segments=None):
        states = torch.zeros(*tokens.shape, 32)
        for i, row in enumerate(tokens.tolist()):
            n = next(n for n in range(2, 8) if tuple(row[1:n]) in self.classes)
            known = self.classes[tuple(row[1:n])]
            states[i, self.since(row) :, known] = 5.0
        return states


def month_classes(world):
    return next(t for t in tasks(world) if t.name == "first_token/birth_date").classes


def test_there_are_eleven_tasks_with_correct_classes(world):
    found = tasks(world)
    assert len(found) == 11
    assert sorted(t.name for t in found if "birth_date" in t.name) == ["first_token/birth_date"]
    for task in found:
        kind, attribute = task.name.split("/")
        values = [world.facts(person)[attribute] for person in range(30)]
        heads = [
            world.vocabulary.encode(f" {v}")[0] if kind == "first_token" else v for v in values
        ]
        for i in range(30):
            for j in range(i):
                assert (heads[i] == heads[j]) == (task.classes[i] == task.classes[j])


def test_a_q_probe_finds_planted_attributes_only(world):
    model = Planted(world, month_classes(world), lambda _: 0)
    scorer = QProbeConfig(
        n_steps=150, embedding_rank=0, tasks=["first_token/birth_date", "whole/birth_city"]
    )
    scorer.check(model, world)
    metrics = by_text(scorer.measure(model, world).metrics)
    assert metrics[DATE].value == 1
    assert metrics[DATE].n == N_PEOPLE // 2
    assert metrics[CITY].value < 0.05
    assert metrics["q_probe/accuracy{part=whole,split=test}"].value == metrics[CITY].value


def test_shuffled_classes_are_not_found(world):
    shuffled = np.random.default_rng(0).permutation(month_classes(world))
    scorer = QProbeConfig(n_steps=150, embedding_rank=0, tasks=["first_token/birth_date"])
    metrics = by_text(scorer.measure(Planted(world, shuffled, lambda _: 0), world).metrics)
    chance = metrics["q_probe/chance{attribute=birth_date,part=first_token,split=test}"]
    is_trained, months = train_people_of(world, 0.5), month_classes(world)
    most_common = np.bincount(months[is_trained]).argmax()
    assert chance.value == pytest.approx((months[~is_trained] == most_common).mean())
    assert metrics[DATE].value < 0.25


def test_a_p_probe_finds_an_attribute_from_where_it_is_planted(world):
    """Known from before the fourth attribute on, in texts that keep their order."""
    documents = world.rendering(0, np.arange(N_PEOPLE))
    rows = zip(world.sentences.names, documents.value_spans, strict=True)
    place = {tuple(world.sentences.pieces.join(r).tolist()): int(s[3, 0]) - 1 for r, s in rows}

    def since(row):
        return next(place[tuple(row[1:n])] for n in range(2, 8) if tuple(row[1:n]) in place)

    scorer = PProbeConfig(n_steps=200, embedding_rank=0, tasks=["first_token/birth_date"])
    model = Planted(world, month_classes(world), since)
    scorer.check(model, world)
    metrics = by_text(scorer.measure(model, QuestionsConfig().follow(world, 0)).metrics)
    accuracies = [metrics[P_PROBE.format(k)].value for k in range(6)]
    assert max(accuracies[:3]) < 0.3
    assert accuracies[3:] == [1, 1, 1]


def test_the_update_of_the_embedding_is_trained_and_the_model_is_not(world):
    model = DecoderConfig(d_model=16, n_layers=1).build(world.vocabulary.size, 128, 0).eval()
    before = {name: p.clone() for name, p in model.named_parameters()}
    from physlm.analysis import adapted_probe

    tokens = np.random.default_rng(0).integers(0, 50, (40, 6))
    classes = tokens[:, 2] % 3
    inputs = adapted_probe.Inputs(tokens, np.full((40, 1), 5), classes)
    recipe = adapted_probe.AdaptedProbeRecipe(
        embedding_rank=8,
        norm=adapted_probe.StateNorm.layernorm,
        n_steps=200,
        batch_size=40,
        learning_rate=0.03,
        weight_decay=0.0,
    )
    probe = adapted_probe.fit_adapted_probe(model, inputs, 3, recipe, seed=0)
    assert adapted_probe.is_right(probe, inputs, 16).mean() > 0.95
    updates = {n: p for n, p in probe.reader.named_parameters() if "lora_embedding_B" in n}
    assert all(p.abs().max() > 0 for p in updates.values())
    for name, parameter in model.named_parameters():
        assert torch.equal(parameter, before[name])


@pytest.mark.parametrize("scorer", [PProbeConfig, QProbeConfig])
def test_unsuitable_worlds_models_and_tasks_are_refused(scorer, world, biod):
    model = DecoderConfig(d_model=16).build(world.vocabulary.size, 128, 0)
    with pytest.raises(InputError, match="probes for people's attributes; use data=bios"):
        scorer().check(model, biod)
    with pytest.raises(InputError, match="tasks: no task whole/birth_date; use one of first_token"):
        scorer(tasks=["whole/birth_date"]).check(model, world)
    with pytest.raises(InputError, match="this model attends to both sides"):
        scorer().check(EncoderConfig(d_model=16).build(world.vocabulary.size, 128, 0), world)
    with pytest.raises(ValueError, match="n_steps=0"):
        scorer(n_steps=0)


def test_a_p_probe_of_texts_without_an_attribute_is_refused():
    config = BiosConfig(
        n_people=N_PEOPLE,
        include_question_vocabulary=True,
        tokenizer=TokenizerName.compact,
        augmentation=AugmentationConfig(omits_company_city=True),
    )
    world = config.build(0)
    model = DecoderConfig(d_model=16).build(world.vocabulary.size, 128, 0)
    with pytest.raises(InputError, match="set omits_company_city=false"):
        PProbeConfig().check(model, world)
    QProbeConfig().check(model, world)


def tiny(n_people, **values):
    return BiosConfig(
        n_people=n_people,
        include_question_vocabulary=True,
        tokenizer=TokenizerName.compact,
        **values,
    ).build(0)


@pytest.mark.parametrize("scorer", [PProbeConfig, QProbeConfig])
@pytest.mark.parametrize("n_people", [1, 2])
def test_halves_without_enough_people_are_refused(scorer, n_people):
    world = tiny(n_people)
    model = DecoderConfig(d_model=16, n_layers=1).build(world.vocabulary.size, 128, 0)
    with pytest.raises(InputError, match=f"n_people={n_people}; must be at least 3, since half"):
        scorer().check(model, world)


@pytest.mark.parametrize("scorer", [PProbeConfig, QProbeConfig])
def test_the_smallest_accepted_world_is_measured(scorer):
    """The fewest people, in batches of two."""
    world = tiny(3)
    model = DecoderConfig(d_model=16, n_layers=1).build(world.vocabulary.size, 128, 0).eval()
    probe = scorer(n_steps=2, batch_size=2, tasks=["whole/employer", "first_token/birth_date"])
    probe.check(model, world)
    assert all(metric.n == 1 for metric in probe.measure(model, world).metrics)


@pytest.mark.parametrize("scorer", [PProbeConfig, QProbeConfig])
def test_a_probe_with_a_single_class_is_refused(scorer):
    """With two entries in every list, the three people of a half may all have studied the same."""
    for seed in range(20):
        world = BiosConfig(n_people=6, pool_size=2, tokenizer=TokenizerName.compact).build(seed)
        is_trained = train_people_of(world, 0.5)
        model = DecoderConfig(d_model=16, n_layers=1).build(world.vocabulary.size, 128, 0)
        major = next(task for task in tasks(world) if task.name == "whole/major")
        probe = scorer(tasks=["whole/major"])
        if len(set(major.classes[is_trained].tolist())) > 1:
            probe.check(model, world)
            continue
        with pytest.raises(InputError, match="3 people who train the probe whole/major all have"):
            probe.check(model, world)
        return
    raise AssertionError("no world with one answer was drawn")


@pytest.mark.parametrize("scorer", [PProbeConfig, QProbeConfig])
def test_an_accepted_window_holds_the_inputs(scorer):
    world = tiny(6)
    config = DecoderConfig(d_model=16, n_layers=1, position=PositionEncoding.learned)
    probe = scorer(n_steps=1, batch_size=2, tasks=["whole/employer"])
    for n in range(2, 200):
        model = config.build(world.vocabulary.size, n, 0).eval()
        try:
            probe.check(model, world)
        except InputError as error:
            assert "learned positions end at" in str(error)  # noqa: PT017 - of every short one
            continue
        assert n > 2
        probe.measure(model, world)
        return
    raise AssertionError("no window is long enough")


@pytest.mark.parametrize(
    ("scorer", "values", "message"),
    [
        (QProbeConfig, {"batch_size": 1}, "batch_size=1; must be at least 2, for batch"),
        (PProbeConfig, {"tasks": []}, "tasks=.*; name at least one"),
        (
            QProbeConfig,
            {"tasks": ["whole/major"] * 2},
            "tasks=.*; name at least one, and each once",
        ),
    ],
)
def test_values_out_of_range_are_refused(scorer, values, message):
    with pytest.raises(ValueError, match=message):
        scorer(**values)
