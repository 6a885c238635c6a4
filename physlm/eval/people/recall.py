"""Attribute recall from biographies, the control for knowledge extraction."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from physlm.errors import InputError
from physlm.eval.people.texts import PeopleTextsConfig
from physlm.eval.scorer import mean, require_causal
from physlm.measurement import Measurement, Metric
from physlm.registry import register

if TYPE_CHECKING:
    from physlm.data.corpus import Corpus
    from physlm.data.people.knowledge import KnowledgeCorpus
    from physlm.models.language_model import LanguageModel


@register("eval", "recall")
@dataclass(kw_only=True, slots=True)
class RecallConfig(PeopleTextsConfig):
    """Accuracy of greedily decoding each attribute value after the text that precedes it.

    The biographies are those of training if these are finitely many (``n_paraphrases`` above 0),
    else fresh renderings. If biographies name the person last, ``recall/name_accuracy`` is the same
    accuracy for the name. ``recall/fact_bits`` are the bits of the facts, ``recall/wording_bits``
    those that a model stores besides if it keeps the finitely many texts word for word.

    Source:
        Physics of Language Models, Part 3.1, section 2.1 (attribute accuracy).
    """

    def check(self, model: "LanguageModel", corpus: "Corpus") -> None:
        """The corpus has people, and each document fits the model's window."""
        from physlm.eval.people.item_losses import require_documents_fit

        world = _world(corpus)
        require_causal("recall", model, "predicts no next token")
        require_documents_fit(model, world, self._people(world), self.n_renderings)

    def measure(self, model: "LanguageModel", corpus: "Corpus") -> Measurement:
        """Accuracy over all attributes but gender, and of each of them."""
        from physlm.eval.people.item_losses import measure_items

        world = _world(corpus)
        people = self._people(world)
        losses = measure_items(
            model, world, people, n_renderings=self.n_renderings, batch_size=self.batch_size
        )
        columns = {a.name: i for i, a in enumerate(world.attributes) if a.name != "gender"}
        documents = world.rendering(0, people)
        spans = documents.value_spans
        is_right = np.where(
            spans.any(axis=2), losses.is_right, np.nan
        )  # omitted values are not measured
        total = np.nanmean(is_right[:, list(columns.values())], axis=1)
        is_named_last = documents.name_spans[:, 0] > spans[..., 1].max(axis=1)
        named = np.where(is_named_last, losses.is_name_right, np.nan)
        accuracies = [
            ("accuracy", total, {}),
            *(("accuracy", is_right[:, i], {"attribute": name}) for name, i in columns.items()),
            ("name_accuracy", named, {}),
        ]
        metrics = [
            mean(f"recall/{name}", values[~np.isnan(values)], "fraction", split="train", **dims)
            for name, values, dims in accuracies
            if not np.isnan(values).all()
        ]
        bits = {"fact_bits": world.entropy_bits, "wording_bits": world.wording_bits}
        metrics += [
            Metric(name=f"recall/{name}", value=value, unit="bits", n=world.n_people)
            for name, value in bits.items()
            if value is not None
        ]
        return Measurement(tuple(metrics))

    def curve(self, model: "LanguageModel", corpus: "Corpus") -> list[Metric]:
        """The accuracy over all attributes alone, from one rendering of fewer people."""
        metrics = self.fewer().measure(model, corpus).metrics
        return [m for m in metrics if m.name == "recall/accuracy" and "attribute" not in m.dims]

    def _people(self, world: "KnowledgeCorpus") -> np.ndarray:
        return self.people(world, "people read about")


def _world(corpus: "Corpus") -> "KnowledgeCorpus":
    from physlm.data.people.qa_split import world_of

    world = world_of(corpus)
    if world is None:
        raise InputError(
            "eval=recall measures worlds of people only; use data=bios, bior, biod or questions"
        )
    return world
