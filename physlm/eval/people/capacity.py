"""Knowledge capacity: bits of knowledge stored per parameter."""

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


@register("eval", "capacity")
@dataclass(kw_only=True, slots=True)
class CapacityConfig(PeopleTextsConfig):
    """The capacity ratio R of a model trained on biographies, its parts, and its upper bound R^max.

    Losses are summed over the tokens of an item: the name at a document's start, each value after
    the text that precedes it. They are means over several renderings of each person. In a mixture
    only the people are measured. If people appear at different frequencies, results are also
    reported by frequency. The validation loss is that of all tokens of one more rendering; if the
    texts of a world do not vary, this is the training text.

    Fixed texts may state a value before the name. Name and values then predict each other, and only
    the sum of their bits is meaningful.

    Source:
        Physics of Language Models, Part 3.3, definition 2.2 and theorem 3.2.
    """

    n_renderings: int = 4  # renderings per person
    max_people: int = 100_000  # people measured; more are sampled

    def check(self, model: "LanguageModel", corpus: "Corpus") -> None:
        """The corpus has people, and each document fits the model's window."""
        from physlm.eval.people.item_losses import require_documents_fit

        world = _world(corpus)
        require_causal("capacity", model, "predicts no next token")
        _require_texts(world)
        people = self._people(world)
        self._require_frequencies(world, people)
        require_documents_fit(model, world, people, self.n_renderings)

    def _require_frequencies(self, world: "KnowledgeCorpus", people: np.ndarray) -> None:
        """Each frequency group has a person in the sample, and values that carry information."""
        every = np.unique(world.frequencies)
        if len(every) == 1:
            return
        if missing := [f for f in every.tolist() if f not in world.frequencies[people]]:
            raise InputError(
                f"eval.capacity.max_people={self.max_people}: the sample has no person of "
                f"frequency {missing[0]} (biographies per epoch); raise it"
            )
        if not world.value_bits:
            raise InputError(
                "eval=capacity reports value bits by frequency, but each attribute has a single "
                "value; raise data.diversity or leave out data.frequencies"
            )

    def measure(self, model: "LanguageModel", corpus: "Corpus") -> Measurement:
        """The capacity ratio, its parts and its upper bound; the validation loss."""
        from physlm.eval.people.capacity_ratio import capacity_metrics, frequency_metrics
        from physlm.eval.people.item_losses import measure_items, token_losses

        world = _world(corpus)
        people, n_parameters = self._people(world), sum(model.n_parameters().values())
        losses = measure_items(
            model, world, people, n_renderings=self.n_renderings, batch_size=self.batch_size
        )
        fresh = token_losses(
            model, world, people, number=self.n_renderings, batch_size=self.batch_size
        )
        return Measurement(
            (
                *capacity_metrics(losses, world, n_parameters),
                *frequency_metrics(losses, world, people, n_parameters),
                mean("capacity/loss_nats", fresh, "nats/token", split="validation"),
            )
        )

    def curve(self, model: "LanguageModel", corpus: "Corpus") -> list[Metric]:
        """The capacity ratio alone, from one rendering of fewer people."""
        from physlm.eval.people.capacity_ratio import capacity_metrics
        from physlm.eval.people.item_losses import measure_items

        world = _world(corpus)
        people = self.fewer()._people(world)
        losses = measure_items(model, world, people, n_renderings=1, batch_size=self.batch_size)
        metrics = capacity_metrics(losses, world, sum(model.n_parameters().values()))
        return [m for m in metrics if m.name == "capacity/bits_per_parameter"]

    def _people(self, world: "KnowledgeCorpus") -> np.ndarray:
        return self.people(world, "capacity sample")


def _world(corpus: "Corpus") -> "KnowledgeCorpus":
    from physlm.data.mixture import part_of
    from physlm.data.people.knowledge import KnowledgeCorpus

    world = part_of(corpus, KnowledgeCorpus)
    if world is None:
        raise InputError(
            "eval=capacity measures worlds of people; use data=bios, bior or biod, with or "
            "without junk"
        )
    return world


def _require_texts(world: "KnowledgeCorpus") -> None:
    """Every text states all attributes, with the name and the gender at the same place in each.

    Raises:
        InputError: If a text does not.
    """
    from physlm.data.texts.fixed_texts import FixedTexts

    augmentations = world.sentences.augmentations
    if any(t.n_omitted for t in augmentations):
        raise InputError("eval=capacity measures all attributes; set omits_company_city=false")
    is_fixed = isinstance(world.sentences, FixedTexts)
    is_named_later = any(t.name_position for t in augmentations) and not is_fixed
    if is_named_later or any(t.has_pronoun != augmentations[0].has_pronoun for t in augmentations):
        raise InputError(
            "eval=capacity reads the name at the start of every text and the gender in all or "
            "none of them; set name_position=0, and the same subject in data.augmentation and "
            "data.minority_augmentation"
        )
