"""Bits of knowledge that a model holds, per parameter."""

import math
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from physlm.data.bio.knowledge import KnowledgeCorpus
from physlm.data.bio.sentences import Biographies
from physlm.data.bio.written import WrittenTexts
from physlm.data.corpus import Corpus, require_at_least
from physlm.data.mixture import part_of
from physlm.errors import InputError
from physlm.eval.scorer import ScorerConfig, mean, require_causal, require_window, sample
from physlm.models.language_model import LanguageModel
from physlm.record import Metric
from physlm.registry import register
from physlm.rng import stream

BITS_PER_NAT = 1 / math.log(2)


@register("eval", "capacity")
@dataclass(kw_only=True, slots=True)
class CapacityConfig(ScorerConfig):
    """The capacity ratio R of a model trained on biographies, with its parts and its maximum.

    Losses are summed over the tokens of an item: the name at a document's start, each value after
    the words before it. They are means over several renderings of each person. Of a mixture the
    people are measured, not what they are mixed with; people told of at different frequencies are
    reported by frequency, too. The validation loss is over all tokens of one more rendering; of a
    world whose texts do not vary, that is the text of training.

    Written texts may state a value before the name; names and values then tell of each other, and
    only their sum is what is known of the people.

    Source:
        Physics of Language Models, Part 3.3, definition 2.2 and theorem 3.2.
    """

    n_renderings: int = 4  # texts drawn per person
    max_people: int = 100_000  # people measured; above that, a sample
    batch_size: int = 512  # documents per forward pass

    def validate(self) -> None:
        """Every value in its range."""
        require_at_least(self, 1, "n_renderings", "max_people", "batch_size")

    def check(self, model: LanguageModel, corpus: Corpus) -> None:
        """Only worlds of people have a capacity, and each document is read in one window."""
        world = part_of(corpus, KnowledgeCorpus)
        if world is None:
            raise InputError(
                "eval=capacity measures people, of data=bios, bior or biod, alone or among junk"
            )
        require_causal("capacity", model, "predicts no next token")
        tellings = world.sentences.tellings
        if any(t.n_untold for t in tellings):
            raise InputError("eval=capacity measures all attributes; set leaves_out_city=false")
        is_written = isinstance(world.sentences, WrittenTexts)
        is_named_later = any(t.name_after for t in tellings) and not is_written
        if is_named_later or any(t.has_pronoun != tellings[0].has_pronoun for t in tellings):
            raise InputError(
                "eval=capacity reads the name at the start of every text and the gender in all or "
                "none of them; set name_after=0, and the same subject in data.text and "
                "data.minority_text"
            )
        people = self._people(world)
        self._require_frequencies(world, people)
        require_documents_fit(model, world, people, self.n_renderings)

    def _require_frequencies(
        self, world: KnowledgeCorpus, people: Int64[np.ndarray, " people"]
    ) -> None:
        """Somebody is measured of every group, and there is something to know of them."""
        every = np.unique(world.frequencies)
        if len(every) == 1:
            return
        if missing := [f for f in every.tolist() if f not in world.frequencies[people]]:
            raise InputError(
                f"eval.capacity.max_people={self.max_people} leaves nobody who is told of "
                f"{missing[0]} times in an epoch; raise it"
            )
        if not world.value_bits:
            raise InputError(
                "eval=capacity measures what is known by frequency, but every value has one "
                "choice only; raise data.diversity or leave out data.frequencies"
            )

    def score(self, model: LanguageModel, corpus: Corpus) -> list[Metric]:
        """All capacity metrics of a model."""
        world = part_of(corpus, KnowledgeCorpus)
        assert world is not None
        people, n_parameters = self._people(world), sum(model.n_parameters().values())
        losses = measure_items(
            model, world, people, n_renderings=self.n_renderings, batch_size=self.batch_size
        )
        return [
            *capacity_metrics(losses, world, n_parameters),
            *frequency_metrics(losses, world, people, n_parameters),
            _validation_loss(model, world, people, self.n_renderings, self.batch_size),
        ]

    def _people(self, corpus: KnowledgeCorpus) -> Int64[np.ndarray, " people"]:
        """Everyone, or a sample drawn once."""
        rng = stream(corpus.seed, "capacity sample")
        return sample(np.arange(corpus.n_people), self.max_people, rng)


@dataclass(frozen=True, slots=True)
class ItemLosses:
    """Losses in nats summed over each item's tokens, averaged over renderings, per person.

    Attributes:
        name: Of the name.
        value: Of each attribute's value.
        first_chunk: Of the first chunk of each value; empty without diversity sets.
        is_right: Share of renderings in which greedy decoding gives the whole value.
        is_name_right: Share in which it gives the whole name.
    """

    name: Float[np.ndarray, " people"]
    value: Float[np.ndarray, "people attributes"]
    first_chunk: Float[np.ndarray, "people chunked"]
    is_right: Float[np.ndarray, "people attributes"]
    is_name_right: Float[np.ndarray, " people"]


def require_documents_fit(
    model: LanguageModel,
    corpus: KnowledgeCorpus,
    people: Int64[np.ndarray, " people"],
    n_renderings: int,
    *,
    n_unread: int = 1,
) -> None:
    """The model reads each document in one window, but for its last ``n_unread`` tokens.

    Raises:
        InputError: If its learned positions end before.
    """
    if model.longest_window is None:
        return
    renderings = (corpus.rendering(i, people) for i in range(n_renderings))
    longest = max(int(np.diff(documents.starts).max()) for documents in renderings)
    require_window(model, "documents", longest, n_unread=n_unread)


def measure_items(
    model: LanguageModel,
    corpus: KnowledgeCorpus,
    people: Int64[np.ndarray, " people"],
    *,
    n_renderings: int,
    batch_size: int,
) -> ItemLosses:
    """Score every item of every person, each document alone in its window.

    Greedy decoding gives the value exactly when every one of its tokens is the most likely one
    after the true tokens before it, so no decoding is needed.
    """
    n = len(people)
    chunk_length = 0 if corpus.diversity is None else corpus.diversity.chunk_length
    n_attributes = len(corpus.attributes)
    sums = {
        "name": np.zeros(n),
        "value": np.zeros((n, n_attributes)),
        "first_chunk": np.zeros((n, n_attributes if chunk_length else 0)),
        "is_right": np.zeros((n, n_attributes)),
        "is_name_right": np.zeros(n),
    }
    for number in range(n_renderings):
        for first in range(0, n, batch_size):
            rows = slice(first, first + batch_size)
            documents = corpus.rendering(number, people[rows])
            nats, is_likeliest = _token_losses(model, documents, corpus.vocabulary.eos)
            names, spans = documents.name_spans[:, None], documents.value_spans
            sums["name"][rows] += _span_sums(nats, names)[:, 0]
            sums["is_name_right"][rows] += _span_sums(~is_likeliest, names)[:, 0] == 0
            sums["value"][rows] += _span_sums(nats, spans)
            n_wrong = _span_sums(~is_likeliest, spans)
            sums["is_right"][rows] += n_wrong == 0
            if chunk_length:
                chunk = np.stack([spans[..., 0], spans[..., 0] + chunk_length], axis=-1)
                sums["first_chunk"][rows] += _span_sums(nats, chunk)
    return ItemLosses(**{name: total / n_renderings for name, total in sums.items()})


def capacity_metrics(
    losses: ItemLosses, corpus: KnowledgeCorpus, n_parameters: int
) -> list[Metric]:
    """The capacity ratio and its parts, from item losses.

    R = [name bits + value bits + diversity bits] / P, where for N people
    name bits = N (log2 N0 - name loss), value bits = N sum over counted attributes of
    (log2 of the number of values - value loss), and for bioD
    diversity bits = K D (log2(T^L / D) - first-chunk loss), losses in bits. Nothing is clipped:
    a model that knows less than nothing scores below zero. Names and values alone are reported,
    too: of people among junk from the same diversity sets, these are what is known of them.
    """
    n = corpus.n_people
    name, value = _bits_known(losses, corpus)
    parts = {"name_bits": n * name, "value_bits": n * value}
    if corpus.diversity is not None:
        sets = corpus.diversity
        new = math.log2(sets.n_possible / sets.n_strings)
        parts["diversity_bits"] = sets.n_strings * (
            len(corpus.attributes) * new - losses.first_chunk.sum(axis=1) * BITS_PER_NAT
        )
    total = sum(parts.values(), start=np.zeros(len(name)))
    of_people = n * (name + value) / n_parameters
    return [
        _mean("bits_per_parameter", total / n_parameters, "bits/parameter"),
        _mean("people_bits_per_parameter", of_people, "bits/parameter"),
        Metric(
            name="capacity/maximum_bits_per_parameter",
            value=corpus.maximum_bits / n_parameters,
            unit="bits/parameter",
            n=n,
        ),
        _mean("total_bits", total, "bits"),
        *(_mean(part, bits, "bits") for part, bits in parts.items()),
        *(
            _mean(f"accuracy/{attribute.name}", losses.is_right[:, i], "share")
            for i, attribute in enumerate(corpus.attributes)
        ),
    ]


def frequency_metrics(
    losses: ItemLosses,
    corpus: KnowledgeCorpus,
    people: Int64[np.ndarray, " people"],
    n_parameters: int,
) -> list[Metric]:
    """What is known of people told of equally often in an epoch; nothing where all are.

    ``learned_share`` is of the bits of their values, ``bits_per_parameter`` their part of the
    capacity ratio, names and values.
    """
    frequencies = corpus.frequencies
    every = np.unique(frequencies)
    if len(every) == 1:
        return []
    name, value = _bits_known(losses, corpus)
    metrics = []
    for frequency in every.tolist():
        is_in, group = frequencies[people] == frequency, f"frequency_{frequency}"
        total = (frequencies == frequency).sum() * (name + value)[is_in] / n_parameters
        metrics += [
            _mean(f"{group}/bits_per_parameter", total, "bits/parameter"),
            _mean(f"{group}/learned_share", value[is_in] / corpus.value_bits, "share"),
        ]
    return metrics


def _bits_known(
    losses: ItemLosses, corpus: KnowledgeCorpus
) -> tuple[Float[np.ndarray, " people"], Float[np.ndarray, " people"]]:
    """Bits known of each person's name and values."""
    counted = [i for i, a in enumerate(corpus.attributes) if a.is_counted]
    name = math.log2(corpus.n_names) - losses.name * BITS_PER_NAT
    return name, corpus.value_bits - losses.value[:, counted].sum(axis=1) * BITS_PER_NAT


def _validation_loss(
    model: LanguageModel,
    corpus: KnowledgeCorpus,
    people: Int64[np.ndarray, " people"],
    number: int,
    batch_size: int,
) -> Metric:
    """Mean loss per token of one more rendering."""
    per_document = []
    for first in range(0, len(people), batch_size):
        documents = corpus.rendering(number, people[first : first + batch_size])
        nats, _ = _token_losses(model, documents, corpus.vocabulary.eos)
        lengths = np.diff(documents.starts)
        is_token = np.arange(nats.shape[1]) < lengths[:, None]
        per_document.append((nats * is_token).sum(axis=1) / (lengths - 1))
    losses = np.concatenate(per_document)
    return mean("capacity/validation_loss_nats", losses, "nats/token", split="validation")


def _mean(name: str, per_person: Float[np.ndarray, " people"], unit: str) -> Metric:
    return mean(f"capacity/{name}", per_person, unit, split="train")


def _span_sums(
    per_token: Float[np.ndarray, "documents tokens"] | Bool[np.ndarray, "documents tokens"],
    spans: np.ndarray,
) -> Float[np.ndarray, "documents spans"]:
    """Sums over token spans (start, end) of each document."""
    upto = np.pad(per_token.astype(np.float64).cumsum(axis=1), ((0, 0), (1, 0)))
    ends = np.take_along_axis(upto, spans[..., 1], axis=1)
    sums: np.ndarray = ends - np.take_along_axis(upto, spans[..., 0], axis=1)
    return sums


@torch.inference_mode()
def _token_losses(
    model: LanguageModel, documents: Biographies, eos: int
) -> tuple[Float[np.ndarray, "documents tokens"], Bool[np.ndarray, "documents tokens"]]:
    """Loss of each token in nats, and whether it is the likeliest; 0 and True at position 0."""
    tokens = torch.from_numpy(documents.rows(eos)).long().to(model.device)
    logits: Tensor = model(tokens[:, :-1]).float()
    targets = tokens[:, 1:]
    nats = torch.nn.functional.cross_entropy(logits.mT, targets, reduction="none")
    is_likeliest = logits.argmax(dim=-1) == targets
    return (
        np.pad(nats.cpu().double().numpy(), ((0, 0), (1, 0))),
        np.pad(is_likeliest.cpu().numpy(), ((0, 0), (1, 0)), constant_values=True),
    )
