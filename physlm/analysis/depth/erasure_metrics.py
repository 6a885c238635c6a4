"""Metrics of linear erasure in questions about people."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from matplotlib.figure import Figure
from torch import Tensor

from physlm.analysis.depth.person_pairs import LAST, NAME_LAST, question_prompts
from physlm.analysis.erasure import Eraser, n_directions
from physlm.data.people.questions import QuestionCorpus
from physlm.errors import InputError
from physlm.eval.padding import padded
from physlm.eval.scorer import mean, sample
from physlm.measurement import Dim, Measurement
from physlm.models.language_model import LanguageModel, chosen
from physlm.rng import stream

if TYPE_CHECKING:
    from physlm.analysis.depth.erasure_scorer import ErasureConfig

OWN, OTHER, RANDOM, NONE = "own", "other", "random", "none"
RANDOM_OF_OTHER = "random_of_other"  # as many random directions as those of the other attribute
_NAME = "depth/erasure/accuracy"
_DEPENDENT = {"employer", "company_city"}


@dataclass(frozen=True, slots=True, eq=False)
class _Asked:
    """People asked for one attribute.

    Attributes:
        states: The chosen states of every question.
        places: Position of each place.
        answers: First token of each answer.
        classes: Their class numbers (``own``), and those of another attribute (``other``).
        is_fitted: Whether erasers are fitted on a person; the others are tested.
    """

    states: Float[Tensor, "states people seq width"]
    places: dict[str, Int[Tensor, " people"]]
    answers: Int[Tensor, " people"]
    classes: dict[str, Int[Tensor, " people"]]
    is_fitted: Bool[Tensor, " people"]


def measured_erasure(
    config: "ErasureConfig", model: LanguageModel, questions: QuestionCorpus
) -> Measurement:
    """The measurement of the scorer ``erasure``.

    Raises:
        InputError: If every state varies in fewer directions than an attribute has values.
    """
    found: dict[tuple[tuple[str, Dim], ...], list[np.ndarray]] = {}
    metrics = []
    with torch.inference_mode():
        for name in config.attributes or questions.attributes:
            for dims, is_right in _accuracies(config, model, questions, name):
                metrics.append(mean(_NAME, is_right, "fraction", attribute=name, **dims))
                found.setdefault(tuple(dims.items()), []).append(is_right)
    if not any("state" in metric.dims for metric in metrics):
        raise InputError(
            "eval.erasure: no state varies in as many directions as an attribute has values; ask "
            "more people, or use attributes with fewer values"
        )
    pooled = [
        mean(_NAME, np.concatenate(parts), "fraction", **dict(dims))
        for dims, parts in found.items()
    ]
    return Measurement((*pooled, *metrics))


def erasers(
    states: Float[Tensor, "people width"],
    classes: Mapping[str, Int[Tensor, " people"]],
    *,
    seed: int,
) -> dict[str, Eraser]:
    """The erasers of one state at one place; none if too few directions vary.

    As a control, each of the two attributes has an eraser of as many random directions.

    Args:
        states: The state of each person that erasers are fitted on.
        classes: Classes of the attribute that is asked for (``own``) and of another (``other``).
        seed: Seed of the random directions.
    """
    n_classes = [len(numbers.bincount().nonzero()) for numbers in classes.values()]
    if min(n_classes) < 2 or max(n_classes) > n_directions(states):
        return {}
    own, other = (Eraser.fit(states, classes[of]) for of in (OWN, OTHER))
    generator = torch.Generator().manual_seed(seed)
    return {
        OWN: own,
        OTHER: other,
        RANDOM: Eraser.random(states, own.rank, generator),
        RANDOM_OF_OTHER: Eraser.random(states, other.rank, generator),
    }


def draw(measurement: Measurement) -> Figure:
    """Accuracy over all attributes by state, one panel for each place."""
    metrics = [m for m in measurement.metrics if m.name == _NAME and "attribute" not in m.dims]
    (whole,) = (metric.value for metric in metrics if metric.dims["erased"] == NONE)
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    panels = figure.subplots(1, 2, sharey=True)
    for axes, (place, title) in zip(
        panels, {NAME_LAST: "last token of the name", LAST: "last token"}.items(), strict=True
    ):
        for erased in (OWN, OTHER, RANDOM, RANDOM_OF_OTHER):
            own = sorted(
                (m.dims["state"], m.value, m.stderr or 0.0)
                for m in metrics
                if m.dims["erased"] == erased and m.dims["place"] == place
            )
            if own:
                states, values, errors = zip(*own, strict=True)
                axes.errorbar(states, values, errors, marker=".", capsize=2, label=erased)
        axes.axhline(whole, color="grey", linestyle=":", linewidth=1, label="nothing erased")
        axes.set(xlabel="state (blocks applied)", ylim=(-0.03, 1.03), title=title)
    panels[0].set(ylabel="accuracy of the first token")
    panels[1].legend(fontsize="small")
    return figure


def _accuracies(
    config: "ErasureConfig", model: LanguageModel, questions: QuestionCorpus, name: str
) -> Iterator[tuple[dict[str, Dim], np.ndarray]]:
    """Whether each asked person's answer begins right, by what is erased where."""
    asked = _asked(config, model, questions, name)
    tested = (~asked.is_fitted).nonzero()[:, 0]
    numbers = chosen(config.states, model.n_layers + 1, "state")
    none = asked.states[-1][tested]
    yield {"erased": NONE}, _is_right(model, asked, tested, none, model.n_layers, config.batch_size)
    for k, states in zip(numbers, asked.states, strict=False):
        for place, position in asked.places.items():
            own = states[torch.arange(len(states)), position]
            classes = {of: numbers[asked.is_fitted] for of, numbers in asked.classes.items()}
            for erased, eraser in erasers(own[asked.is_fitted], classes, seed=k).items():
                changed = states[tested].clone()
                changed[torch.arange(len(tested)), position[tested]] = eraser(own[tested])
                is_right = _is_right(model, asked, tested, changed, k, config.batch_size)
                yield {"erased": erased, "place": place, "state": k}, is_right


def _independent(attributes: Sequence[str], column: int) -> int:
    """The next attribute that does not follow from the given one; an employer has one city."""
    n = len(attributes)
    following = [(column + i) % n for i in range(1, n)]
    return next(i for i in following if {attributes[i], attributes[column]} != _DEPENDENT)


def _asked(
    config: "ErasureConfig", model: LanguageModel, questions: QuestionCorpus, name: str
) -> _Asked:
    n_people, column = questions.world.n_people, questions.attributes.index(name)
    prompts = question_prompts(questions, np.full(n_people, column))
    people = sample(np.arange(n_people), config.max_people, stream(0, "erasure", "people"))
    tokens, lengths = padded([prompts.tokens[person] for person in people])
    answers = prompts.answers[people]
    columns = {OWN: column, OTHER: _independent(questions.attributes, column)}
    classes = {of: np.unique(answers[:, i], return_inverse=True)[1] for of, i in columns.items()}
    is_fitted = torch.zeros(len(people), dtype=torch.bool)
    order = stream(0, "erasure", "halves").permutation(len(people))
    is_fitted[torch.from_numpy(order[: len(people) // 2])] = True
    wanted = [*chosen(config.states, model.n_layers + 1, "state"), model.n_layers]
    parts = [
        model.residuals(part.to(model.device), wanted)
        for part in torch.split(tokens, config.batch_size)
    ]
    device = model.device
    return _Asked(
        states=torch.cat(parts, dim=1),
        places={
            NAME_LAST: torch.from_numpy(prompts.ends[people] - 1).to(device),
            LAST: (lengths - 1).to(device),
        },
        answers=torch.from_numpy(answers[:, column]).to(device),
        classes={of: torch.from_numpy(own).to(device) for of, own in classes.items()},
        is_fitted=is_fitted.to(device),
    )


def _is_right(
    model: LanguageModel,
    asked: _Asked,
    tested: Int[Tensor, " tested"],
    states: Float[Tensor, "tested seq width"],
    k: int,
    batch_size: int,
) -> np.ndarray:
    """Whether the answer begins with the right token, from given states k.

    Args:
        model: The model that answers.
        asked: The questions.
        tested: Numbers of the people who are asked.
        states: State k of their questions.
        k: Number of blocks that were applied.
        batch_size: Questions per forward pass.
    """
    found = []
    for part, rows in zip(
        torch.split(states, batch_size), torch.split(tested, batch_size), strict=True
    ):
        last = model.forward_from(part, k)[torch.arange(len(rows)), asked.places[LAST][rows]]
        found.append(model.unembed(last).argmax(dim=-1) == asked.answers[rows])
    return torch.cat(found).cpu().numpy()
