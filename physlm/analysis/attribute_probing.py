"""Probing for people's attributes: P-probes along a biography, Q-probes after the name."""

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
    """Size, training and tasks, which P-probes and Q-probes share."""

    n_steps: int  # optimizer steps of each probe; 30,000 in the paper
    batch_size: int  # inputs per step
    embedding_rank: int  # of the update to the input embedding; 0: the classifier alone is trained
    tasks: list[str] | None = None  # such as whole/employer; null: all eleven

    def validate(self) -> None:
        """Every value in its range."""
        require_at_least(self, 1, "n_steps", "batch_size")
        require_at_least(self, 0, "embedding_rank")
        if self.tasks is not None and (not self.tasks or len({*self.tasks}) < len(self.tasks)):
            raise ValueError(
                f"tasks={self.tasks}; name at least one, and each once, or null for all"
            )

    def recipe(self, norm: str) -> "AdaptedProbeRecipe":
        """The recipe of each probe, for a normalisation of the states."""
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
    """P-probing: where along a biography the attributes can be predicted from hidden states.

    At the token before each of the six attributes, in text order, probes predict the first token
    of every attribute, and its whole value except for the birth date. Half of the people train the
    probes, the others test them.

    Source:
        Physics of Language Models, Part 3.1, section 5.
    """

    n_steps: int = 500
    batch_size: int = 50
    embedding_rank: int = 2

    def check(self, model: "LanguageModel", corpus: "Corpus") -> None:
        """The world has the attributes, and the model is a causal transformer."""
        from physlm.analysis.attribute_probes import chosen_tasks, require_people, require_training
        from physlm.eval.people.item_losses import require_documents_fit

        world = require_people("p_probe", model, corpus)
        if any(augmentation.n_omitted for augmentation in world.sentences.augmentations):
            raise InputError(
                "eval=p_probe needs all attributes in every text; set omits_company_city=false"
            )
        require_documents_fit(model, world, np.arange(world.n_people), 1, n_unread=0)
        require_training("p_probe", chosen_tasks(self.tasks, world), world)

    def measure(self, model: "LanguageModel", corpus: "Corpus") -> Measurement:
        """Accuracy of each task at each of the six positions, and of the most common class."""
        from physlm.analysis.attribute_probes import places_of, probed, require_people

        world = require_people("p_probe", model, corpus)
        tokens, places = places_of(world)
        recipe = self.recipe("layernorm")
        metrics = []
        for task, right, chance in probed(model, world, self.tasks, tokens, places, recipe):
            metrics += [
                mean(
                    "p_probe/accuracy",
                    right[:, i],
                    "accuracy",
                    split="test",
                    position=i,
                    **task.dims,
                )
                for i in range(right.shape[1])
            ]
            metrics.append(mean("p_probe/chance", chance, "accuracy", split="test", **task.dims))
        return Measurement(tuple(metrics))


@register("eval", "q_probe")
@dataclass(kw_only=True, slots=True)
class QProbeConfig(PeopleProbeConfig):
    """Q-probing: which attributes can be predicted from the hidden state after the name alone.

    Source:
        Physics of Language Models, Part 3.1, section 6.
    """

    n_steps: int = 1000
    batch_size: int = 200
    embedding_rank: int = 16

    def validate(self) -> None:
        """Every value in its range, and batches large enough for batch normalisation."""
        PeopleProbeConfig.validate(self)
        if self.batch_size < 2:
            raise ValueError(
                f"batch_size={self.batch_size}; must be at least 2, for batch normalisation"
            )

    def check(self, model: "LanguageModel", corpus: "Corpus") -> None:
        """The world has the attributes, and the model is a causal transformer."""
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
        """Accuracy of each task, of the most common class, and the mean over whole values."""
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
