"""Tasks of probing people, and probes that are trained on half of them."""

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
    """One thing to tell of a person.

    Attributes:
        name: As in ``whole/major`` or ``first_token/major``.
        classes: The right answer for each person.
    """

    name: str
    classes: Int64[np.ndarray, " people"]

    @property
    def dims(self) -> dict[str, Dim]:
        """What is told of, and how much of it."""
        part, attribute = self.name.split("/")
        return {"attribute": attribute, "part": part}

    @property
    def n_classes(self) -> int:
        """Answers that occur in the world."""
        return int(self.classes.max()) + 1


def tasks(world: KnowledgeCorpus) -> list[Task]:
    """The eleven: first tokens of six attributes, whole values of all but the birth date."""
    found = []
    values, pieces = world.sentences.values, world.sentences.pieces
    for column, attribute in enumerate(world.attributes):
        if attribute.name not in ATTRIBUTES:
            continue
        first = pieces.tokens[pieces.starts[values[:, column, 0]]]
        found.append(Task(f"first_token/{attribute.name}", _classes(first[:, None])))
        if attribute.name != "birth_date":
            found.append(Task(f"whole/{attribute.name}", _classes(values[:, column])))
    return found


def probed(
    model: LanguageModel,
    world: KnowledgeCorpus,
    names: list[str] | None,
    tokens: Int[np.ndarray, "people seq"],
    places: Int64[np.ndarray, "people places"],
    recipe: AdaptedProbeRecipe,
) -> Iterator[tuple[Task, Bool[np.ndarray, "tested places"], Bool[np.ndarray, " tested"]]]:
    """Each task with what was measured on people that its probe was not trained on.

    Where the probe is right, and where the answer is right that is likeliest in training.
    """
    is_trained = _trains(world)
    for task in chosen_tasks(names, world):
        inputs = Inputs(tokens, places, task.classes)
        probe = fit_adapted_probe(
            model, inputs.chosen(is_trained), task.n_classes, recipe, seed=world.seed
        )
        likeliest = np.bincount(task.classes[is_trained]).argmax()
        tested = inputs.chosen(~is_trained)
        yield task, is_right(probe, tested, recipe.batch_size), tested.classes == likeliest


def require_people(name: str, model: LanguageModel, corpus: Corpus) -> KnowledgeCorpus:
    """The corpus is of people with attributes, and the model a transformer that reads them.

    Raises:
        InputError: If it is not.
    """
    world = world_of(corpus)
    if world is None or world.attributes[0].name not in ATTRIBUTES:
        raise InputError(f"eval={name} probes for people's attributes; use data=bios or questions")
    require_causal(name, model, "attends to both sides")
    transformer(model, f"eval={name}")
    return world


def chosen_tasks(names: list[str] | None, world: KnowledgeCorpus) -> list[Task]:
    """The tasks of these names, or all.

    Raises:
        InputError: If there is none of a name.
    """
    every = {task.name: task for task in tasks(world)}
    if unknown := [name for name in names or () if name not in every]:
        raise InputError(f"tasks: {unknown[0]} is none; one of {', '.join(every)}")
    return list(every.values()) if names is None else [every[name] for name in names]


def _trains(world: KnowledgeCorpus) -> Bool[np.ndarray, " people"]:
    """The half of the people that trains the probes; the others are measured."""
    return train_people_of(world, 0.5)


def require_training(name: str, chosen: list[Task], world: KnowledgeCorpus) -> None:
    """Both halves have people, and those that train a probe have more than one answer.

    Raises:
        InputError: If they do not.
    """
    is_trained = _trains(world)
    n_train = int(is_trained.sum())
    if n_train < 2:
        raise InputError(
            f"eval={name} needs at least 3 people, not {world.n_people}: half of them, two or "
            "more, train the probes, and the others are measured; take more people"
        )
    for task in chosen:
        if len(np.unique(task.classes[is_trained])) < 2:
            raise InputError(
                f"eval={name}: the {n_train} people who train the probe {task.name} all have one "
                "answer; take more people, a larger data.pool_size, or leave it out of tasks"
            )


def _classes(rows: Int32[np.ndarray, "people parts"]) -> Int64[np.ndarray, " people"]:
    classes: np.ndarray = np.unique(rows, axis=0, return_inverse=True)[1].reshape(-1)
    return classes


def names_of(
    world: KnowledgeCorpus,
) -> tuple[Int64[np.ndarray, "people seq"], Int64[np.ndarray, "people 1"]]:
    """End-of-text, the name and end-of-text of each person, and where the last one is."""
    eos = world.vocabulary.eos
    documents = assemble(world.sentences.names, world.sentences.pieces, eos)
    rows = np.pad(documents.rows(eos), ((0, 0), (0, 1)), constant_values=eos)
    return rows.astype(np.int64), np.diff(documents.starts)[:, None]


def places_of(
    world: KnowledgeCorpus,
) -> tuple[Int[np.ndarray, "people seq"], Int64[np.ndarray, "people places"]]:
    """A biography of each person, and the last token before each of the six attributes."""
    documents = world.rendering(0, np.arange(world.n_people))
    values = documents.value_spans[:, question_columns(world)]
    places = np.sort(values[..., 0] - 1, axis=1).astype(np.int64)
    return documents.rows(world.vocabulary.eos), places
