"""What states tell of people: P-probes along a biography, Q-probes at the end of a name."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Int, Int32, Int64

from physlm.analysis.adapted_probe import (
    AdaptedProbeRecipe,
    Inputs,
    StateNorm,
    fit_adapted_probe,
    is_right,
)
from physlm.data.bio.asked import asked_about, columns_asked, world_of
from physlm.data.bio.assembly import assemble
from physlm.data.bio.knowledge import KnowledgeCorpus
from physlm.data.bio.pools import ATTRIBUTES
from physlm.data.corpus import Corpus, require_at_least
from physlm.errors import InputError
from physlm.eval.capacity import require_documents_fit
from physlm.eval.scorer import ScorerConfig, mean, require_causal, require_window
from physlm.models.language_model import LanguageModel
from physlm.models.transformer import Transformer
from physlm.record import Metric
from physlm.registry import register


class Task(NamedTuple):
    """One thing to tell of a person.

    Attributes:
        name: As in ``whole/major`` or ``first_token/major``.
        classes: The right answer for each person.
    """

    name: str
    classes: Int64[np.ndarray, " people"]

    @property
    def n_classes(self) -> int:
        """Answers that occur in the world."""
        return int(self.classes.max()) + 1


@dataclass(kw_only=True, slots=True)
class PeopleProbeConfig(ScorerConfig):
    """What P-probes and Q-probes have in common: size, training, and what they are asked."""

    n_steps: int
    batch_size: int
    embedding_rank: int
    tasks: list[str] | None = None  # such as whole/employer; None for all eleven

    def validate(self) -> None:
        """Every value in its range."""
        require_at_least(self, 1, "n_steps", "batch_size")
        require_at_least(self, 0, "embedding_rank")
        if self.tasks is not None and (not self.tasks or len({*self.tasks}) < len(self.tasks)):
            raise ValueError(
                f"tasks={self.tasks}; name at least one, and each once, or null for all"
            )

    def recipe(self, norm: StateNorm) -> AdaptedProbeRecipe:
        """How each probe is trained."""
        return AdaptedProbeRecipe(
            embedding_rank=self.embedding_rank, norm=norm,
            n_steps=self.n_steps, batch_size=self.batch_size,
        )  # fmt: skip


@register("eval", "p_probe")
@dataclass(kw_only=True, slots=True)
class PProbeConfig(PeopleProbeConfig):
    """Where along a biography its attributes can be read from the states.

    Before the first occurrence of each of the six attributes, in the order of the text, each of
    them is asked for: its first token, and but for the birth date its whole value. Half of the
    people train the probes, the others are measured.

    Source:
        Physics of Language Models, Part 3.1, section 5.
    """

    n_steps: int = 500
    batch_size: int = 50
    embedding_rank: int = 2

    def check(self, model: LanguageModel, corpus: Corpus) -> None:
        """There are people of ``data=bios``, and a transformer that shows its states."""
        world = require_people("p_probe", model, corpus)
        if any(telling.n_untold for telling in world.sentences.tellings):
            raise InputError("eval=p_probe reads before every attribute; set leaves_out_city=false")
        require_documents_fit(model, world, np.arange(world.n_people), 1, n_unread=0)
        _require_training("p_probe", _chosen(self.tasks, world), world)

    def score(self, model: LanguageModel, corpus: Corpus) -> list[Metric]:
        """Accuracy of each task at each of the six places, and of the likeliest answer."""
        assert isinstance(model, Transformer)
        world = world_of(corpus)
        assert world is not None
        documents = world.rendering(0, np.arange(world.n_people))
        values = documents.value_spans[:, columns_asked(world)]
        places = np.sort(values[..., 0] - 1, axis=1).astype(np.int64)
        tokens = documents.rows(world.vocabulary.eos)
        recipe = self.recipe(StateNorm.layernorm)
        metrics = []
        for task, right, chance in probed(model, world, self.tasks, tokens, places, recipe):
            metrics += [
                mean(f"p_probe/{task.name}/place_{place}", right[:, place], "accuracy")
                for place in range(right.shape[1])
            ]
            metrics.append(mean(f"p_probe_chance/{task.name}", chance, "accuracy"))
        return metrics


@register("eval", "q_probe")
@dataclass(kw_only=True, slots=True)
class QProbeConfig(PeopleProbeConfig):
    """Which attributes the name alone brings up, in the state at the end of the name.

    Source:
        Physics of Language Models, Part 3.1, section 6.
    """

    n_steps: int = 1000
    batch_size: int = 200
    embedding_rank: int = 16

    def validate(self) -> None:
        """Every value in its range, and batches that have a variance."""
        PeopleProbeConfig.validate(self)
        if self.batch_size < 2:
            raise ValueError(
                f"batch_size={self.batch_size}; must be at least 2, to normalise states over"
            )

    def check(self, model: LanguageModel, corpus: Corpus) -> None:
        """There are people of ``data=bios``, and a transformer that shows its states."""
        world = require_people("q_probe", model, corpus)
        require_window(model, "names", _names(world)[0].shape[1])
        _require_training("q_probe", _chosen(self.tasks, world), world)

    def score(self, model: LanguageModel, corpus: Corpus) -> list[Metric]:
        """Accuracy of each task, of the likeliest answer, and the mean over whole values."""
        assert isinstance(model, Transformer)
        world = world_of(corpus)
        assert world is not None
        tokens, places = _names(world)
        recipe = self.recipe(StateNorm.batchnorm)
        metrics, wholes = [], []
        for task, right, chance in probed(model, world, self.tasks, tokens, places, recipe):
            metrics.append(mean(f"q_probe/{task.name}", right[:, 0], "accuracy"))
            metrics.append(mean(f"q_probe_chance/{task.name}", chance, "accuracy"))
            if task.name.startswith("whole/"):
                wholes.append(right[:, 0])
        if wholes:
            metrics.append(mean("q_probe/whole", np.mean(wholes, axis=0), "accuracy"))
        return metrics


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
    model: Transformer,
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
    for task in _chosen(names, world):
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
    if not isinstance(model, Transformer):
        raise InputError(f"eval={name}: {type(model).__name__} is no transformer of ours")
    return world


def _chosen(names: list[str] | None, world: KnowledgeCorpus) -> list[Task]:
    every = {task.name: task for task in tasks(world)}
    if unknown := [name for name in names or () if name not in every]:
        raise InputError(f"tasks: {unknown[0]} is none; one of {', '.join(every)}")
    return list(every.values()) if names is None else [every[name] for name in names]


def _trains(world: KnowledgeCorpus) -> Bool[np.ndarray, " people"]:
    """The half of the people that trains the probes; the others are measured."""
    return asked_about(world, 0.5)


def _require_training(name: str, chosen: list[Task], world: KnowledgeCorpus) -> None:
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


def _names(
    world: KnowledgeCorpus,
) -> tuple[Int64[np.ndarray, "people seq"], Int64[np.ndarray, "people 1"]]:
    """End-of-text, the name and end-of-text of each person, and where the last one is."""
    eos = world.vocabulary.eos
    documents = assemble(world.sentences.names, world.sentences.pieces, eos)
    rows = np.pad(documents.rows(eos), ((0, 0), (0, 1)), constant_values=eos)
    return rows.astype(np.int64), np.diff(documents.starts)[:, None]
