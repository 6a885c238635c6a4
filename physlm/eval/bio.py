"""Does a model hold the attributes of people? The control that what cannot be told is stored."""

from dataclasses import dataclass

import numpy as np

from physlm.data.bio.asked import world_of
from physlm.data.bio.knowledge import KnowledgeCorpus
from physlm.data.corpus import Corpus, require_at_least
from physlm.errors import InputError
from physlm.eval.capacity import measure_items, require_documents_fit
from physlm.eval.scorer import ScorerConfig, mean, require_causal, sample
from physlm.models.language_model import LanguageModel
from physlm.record import Metric
from physlm.registry import register
from physlm.rng import stream


@register("eval", "bio")
@dataclass(kw_only=True, slots=True)
class BioConfig(ScorerConfig):
    """Share of attribute values that greedy decoding gives whole, after the words before them.

    People are read about in the texts of training where these are few (``n_wordings`` above 0).
    Of texts that name the person last, ``bio/name_accuracy`` is the same for the name.

    Source:
        Physics of Language Models, Part 3.1, section 2.1 (attribute accuracy).
    """

    n_renderings: int = 1  # texts of each person
    max_people: int = 2000  # people measured; above that, a sample
    batch_size: int = 512  # documents per forward pass

    def validate(self) -> None:
        """Every value in its range."""
        require_at_least(self, 1, "n_renderings", "max_people", "batch_size")

    def check(self, model: LanguageModel, corpus: Corpus) -> None:
        """There are people, and each document is read in one window."""
        world = _world(corpus)
        require_causal("bio", model, "predicts no next token")
        require_documents_fit(model, world, self._people(world), self.n_renderings)

    def score(self, model: LanguageModel, corpus: Corpus) -> list[Metric]:
        """Accuracy over all attributes, and of each; the gender is not counted."""
        world = _world(corpus)
        losses = measure_items(
            model, world, self._people(world),
            n_renderings=self.n_renderings, batch_size=self.batch_size,
        )  # fmt: skip
        columns = {a.name: i for i, a in enumerate(world.attributes) if a.name != "gender"}
        documents = world.rendering(0, self._people(world))
        spans = documents.value_spans
        is_right = np.where(spans.any(axis=2), losses.is_right, np.nan)  # not told: not measured
        total = np.nanmean(is_right[:, list(columns.values())], axis=1)
        accuracies = {"attribute_accuracy": total}
        accuracies |= {f"attribute_accuracy/{name}": is_right[:, i] for name, i in columns.items()}
        is_named_last = documents.name_spans[:, 0] > spans[..., 1].max(axis=1)
        accuracies["name_accuracy"] = np.where(is_named_last, losses.is_name_right, np.nan)
        return [
            mean(f"bio/{name}", values[~np.isnan(values)], "share", split="train")
            for name, values in accuracies.items()
            if not np.isnan(values).all()
        ]

    def _people(self, world: KnowledgeCorpus) -> np.ndarray:
        """Everyone, or a sample drawn once."""
        rng = stream(world.seed, "people read about")
        return sample(np.arange(world.n_people), self.max_people, rng)


def _world(corpus: Corpus) -> KnowledgeCorpus:
    world = world_of(corpus)
    if world is None:
        raise InputError(
            "eval=bio measures worlds of people only: data=bios, bior, biod, questions"
        )
    return world
