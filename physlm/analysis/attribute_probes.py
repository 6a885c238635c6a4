"""Probing tasks on people's attributes, with probes trained on half of the people."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Int, Int32, Int64

from physlm.analysis.adapted_probe import AdaptedProbeRecipe, Inputs, fit_adapted_probe, is_right
from physlm.data.corpus import Corpus
from physlm.data.people.assembly import assemble
from physlm.data.people.knowledge import KnowledgeCorpus
from physlm.data.people.pools import ATTRIBUTES
from physlm.data.people.qa_split import question_columns, train_people_of, world_of
from physlm.errors import InputError
from physlm.eval.scorer import require_causal
from physlm.measurement import Dim
from physlm.models.language_model import LanguageModel
from physlm.models.transformer import transformer


class Task(NamedTuple):
    """One attribute, or its first token, to be predicted for each person.

    Attributes:
        name: As in ``whole/major`` or ``first_token/major``.
        classes: The correct class of each person.
    """

    name: str
    classes: Int64[np.ndarray, " people"]

    @property
    def dims(self) -> dict[str, Dim]:
        """The attribute, and which part of it is predicted."""
        part, attribute = self.name.split("/")
        return {"attribute": attribute, "part": part}

    @property
    def n_classes(self) -> int:
        """Number of classes in the world."""
        return int(self.classes.max()) + 1


def tasks(world: KnowledgeCorpus) -> list[Task]:
    """The eleven tasks: first tokens of six attributes, whole values of all but the birth date."""
    found = []
    values, pieces = world.sentences.values, world.sentences.pieces
    for column in question_columns(world):
        name = world.attributes[column].name
        first = pieces.tokens[pieces.starts[values[:, column, 0]]]
        found.append(Task(f"first_token/{name}", _classes(first[:, None])))
        if name != "birth_date":
            found.append(Task(f"whole/{name}", _classes(values[:, column])))
    return found


def probed(
    model: LanguageModel,
    world: KnowledgeCorpus,
    names: list[str] | None,
    tokens: Int[np.ndarray, "people seq"],
    places: Int64[np.ndarray, "people places"],
    recipe: AdaptedProbeRecipe,
) -> Iterator[tuple[Task, Bool[np.ndarray, "tested places"], Bool[np.ndarray, " tested"]]]:
    """Train a probe for each task, and test it on the other half of the people.

    Args:
        model: The model whose states are probed.
        world: The world of the people.
        names: Names of the tasks; None for all.
        tokens: Token ids of one input per person.
        places: Positions at which states are classified.
        recipe: Size and training of the probes.

    Returns:
        For each task, whether the probe is correct at each position, and whether the most common
        class of the training people is correct.
    """
    is_trained = _trains(world)
    for task in chosen_tasks(names, world):
        inputs = Inputs(tokens, places, task.classes)
        probe = fit_adapted_probe(
            model, inputs.chosen(is_trained), task.n_classes, recipe, seed=world.seed
        )
        most_common = np.bincount(task.classes[is_trained]).argmax()
        tested = inputs.chosen(~is_trained)
        yield task, is_right(probe, tested, recipe.batch_size), tested.classes == most_common


def require_people(name: str, model: LanguageModel, corpus: Corpus) -> KnowledgeCorpus:
    """The world of people in a corpus, if the probes can read it and the model.

    Raises:
        InputError: If the corpus has no people with these attributes, or the model is not a causal
            transformer.
    """
    world = world_of(corpus)
    if world is None or world.attributes[0].name not in ATTRIBUTES:
        raise InputError(f"eval={name} probes for people's attributes; use data=bios or questions")
    require_causal(name, model, "attends to both sides")
    transformer(model, f"eval={name}")
    return world


def chosen_tasks(names: list[str] | None, world: KnowledgeCorpus) -> list[Task]:
    """The tasks of the given names, or all tasks.

    Raises:
        InputError: If a name is unknown.
    """
    every = {task.name: task for task in tasks(world)}
    if unknown := [name for name in names or () if name not in every]:
        raise InputError(f"tasks: no task {unknown[0]}; use one of {', '.join(every)}")
    return list(every.values()) if names is None else [every[name] for name in names]


def _trains(world: KnowledgeCorpus) -> Bool[np.ndarray, " people"]:
    """The half of the people that probes are trained on; the others are tested."""
    return train_people_of(world, 0.5)


def require_training(name: str, chosen: list[Task], world: KnowledgeCorpus) -> None:
    """Require people in both halves, and at least two classes among the training people.

    Raises:
        InputError: If there are too few people or classes.
    """
    is_trained = _trains(world)
    n_train = int(is_trained.sum())
    if n_train < 2:
        raise InputError(
            f"eval={name}: n_people={world.n_people}; must be at least 3, since half of the people "
            "(two or more) train the probes and the others test them; use more people"
        )
    for task in chosen:
        if len(np.unique(task.classes[is_trained])) < 2:
            raise InputError(
                f"eval={name}: the {n_train} people who train the probe {task.name} all have the "
                "same value; use more people, a larger data.pool_size, or leave it out of tasks"
            )


def _classes(rows: Int32[np.ndarray, "people parts"]) -> Int64[np.ndarray, " people"]:
    classes: np.ndarray = np.unique(rows, axis=0, return_inverse=True)[1].reshape(-1)
    return classes


def names_of(
    world: KnowledgeCorpus,
) -> tuple[Int64[np.ndarray, "people seq"], Int64[np.ndarray, "people 1"]]:
    """End-of-text, name, end-of-text of each person, and the position of the last token."""
    eos = world.vocabulary.eos
    documents = assemble(world.sentences.names, world.sentences.pieces, eos)
    rows = np.pad(documents.rows(eos), ((0, 0), (0, 1)), constant_values=eos)
    return rows.astype(np.int64), np.diff(documents.starts)[:, None]


def places_of(
    world: KnowledgeCorpus,
) -> tuple[Int[np.ndarray, "people seq"], Int64[np.ndarray, "people places"]]:
    """A biography of each person, and the position before each of the six attributes."""
    documents = world.rendering(0, np.arange(world.n_people))
    values = documents.value_spans[:, question_columns(world)]
    places = np.sort(values[..., 0] - 1, axis=1).astype(np.int64)
    return documents.rows(world.vocabulary.eos), places
