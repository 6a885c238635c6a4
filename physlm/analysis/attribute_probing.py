"""What states tell of people: P-probes along a biography, Q-probes at the end of a name."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from physlm.data.corpus import require_at_least
from physlm.errors import InputError
from physlm.eval.scorer import ScorerConfig, mean, require_window
from physlm.measurement import Measurement
from physlm.registry import register

if TYPE_CHECKING:
    from physlm.analysis.adapted_probe import AdaptedProbeRecipe
    from physlm.data.corpus import Corpus
    from physlm.models.language_model import LanguageModel


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

    def recipe(self, norm: str) -> "AdaptedProbeRecipe":
        """How each probe is trained, on states that go through a norm first."""
        from physlm.analysis.adapted_probe import AdaptedProbeRecipe, StateNorm

        return AdaptedProbeRecipe(
            embedding_rank=self.embedding_rank,
            norm=StateNorm(norm),
            n_steps=self.n_steps,
            batch_size=self.batch_size,
        )


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

    def check(self, model: "LanguageModel", corpus: "Corpus") -> None:
        """There are people of ``data=bios``, and a transformer that shows its states."""
        from physlm.analysis.attribute_probes import chosen_tasks, require_people, require_training
        from physlm.eval.people.item_losses import require_documents_fit

        world = require_people("p_probe", model, corpus)
        if any(augmentation.n_omitted for augmentation in world.sentences.augmentations):
            raise InputError(
                "eval=p_probe reads before every attribute; set omits_company_city=false"
            )
        require_documents_fit(model, world, np.arange(world.n_people), 1, n_unread=0)
        require_training("p_probe", chosen_tasks(self.tasks, world), world)

    def measure(self, model: "LanguageModel", corpus: "Corpus") -> Measurement:
        """Accuracy of each task at each of the six places, and of the likeliest answer."""
        from physlm.analysis.attribute_probes import places_of, probed, require_people

        world = require_people("p_probe", model, corpus)
        tokens, places = places_of(world)
        recipe = self.recipe("layernorm")
        metrics = []
        for task, right, chance in probed(model, world, self.tasks, tokens, places, recipe):
            metrics += [
                mean(
                    "p_probe/accuracy", right[:, i], "accuracy", split="test", place=i, **task.dims
                )
                for i in range(right.shape[1])
            ]
            metrics.append(mean("p_probe/chance", chance, "accuracy", split="test", **task.dims))
        return Measurement(tuple(metrics))


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

    def check(self, model: "LanguageModel", corpus: "Corpus") -> None:
        """There are people of ``data=bios``, and a transformer that shows its states."""
        from physlm.analysis.attribute_probes import (
            chosen_tasks,
            names_of,
            require_people,
            require_training,
        )

        world = require_people("q_probe", model, corpus)
        require_window(model, "names", names_of(world)[0].shape[1])
        require_training("q_probe", chosen_tasks(self.tasks, world), world)

    def measure(self, model: "LanguageModel", corpus: "Corpus") -> Measurement:
        """Accuracy of each task, of the likeliest answer, and the mean over whole values."""
        from physlm.analysis.attribute_probes import names_of, probed, require_people

        world = require_people("q_probe", model, corpus)
        tokens, places = names_of(world)
        recipe = self.recipe("batchnorm")
        metrics, wholes = [], []
        for task, right, chance in probed(model, world, self.tasks, tokens, places, recipe):
            for name, values in (("accuracy", right[:, 0]), ("chance", chance)):
                metrics.append(
                    mean(f"q_probe/{name}", values, "accuracy", split="test", **task.dims)
                )
            if task.dims["part"] == "whole":
                wholes.append(right[:, 0])
        if wholes:
            every = np.mean(wholes, axis=0)
            metrics.append(mean("q_probe/accuracy", every, "accuracy", split="test", part="whole"))
        return Measurement(tuple(metrics))
