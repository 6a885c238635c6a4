"""Probes of a trained and a random model, a rule on names, and what they predict in tests."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Int64

from physlm.analysis.adapted_probe import (
    AdaptedProbe,
    AdaptedProbeRecipe,
    fit_adapted_probe,
    predictions,
)
from physlm.analysis.igsm.name_rule import NameRule
from physlm.analysis.igsm.probe_task import ProbeTask
from physlm.analysis.igsm.queries import LONGEST_QUERY, Queries, drawn_queries
from physlm.analysis.igsm.solved_problem import SolvedProblem
from physlm.data.tasks.igsm import Igsm
from physlm.models.language_model import LanguageModel
from physlm.rng import stream, stream_key

TRAINED, RANDOM = "trained", "random"  # models
NAMES = "names"  # no model, but the rule that knows names alone


@dataclass(frozen=True, slots=True)
class ProblemSets:
    """Problems that probes are trained and tested on.

    Attributes:
        train: Problems with training templates.
        test: By name. ``trained`` and ``longer`` have test templates, the first as many operations
            as in training, the other more. ``known_templates`` is the control with training
            templates, because problems of few operations have few templates.
    """

    train: Sequence[SolvedProblem]
    test: Mapping[str, Sequence[SolvedProblem]]


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbePlan:
    """Which probes are trained, and how.

    Attributes:
        tasks: What they predict.
        layers: States that probes of ``nece`` read besides the last one.
        n_draws: Queries about each problem, at most.
        balanced_tasks: Tasks with as many true as false training queries about each problem.
        recipe: Size and training.
    """

    tasks: Sequence[ProbeTask]
    layers: Sequence[int]
    n_draws: int
    balanced_tasks: Sequence[ProbeTask]
    recipe: AdaptedProbeRecipe


@dataclass(frozen=True, slots=True)
class Predicted:
    """What one probe predicts about one set of problems.

    Attributes:
        task: What it predicts.
        model: ``trained``, ``random``, or ``names`` for the rule that reads no sentence.
        layer: The state that the probe reads; the last one for ``names``.
        set: Name of the test set.
        queries: The queries.
        classes: The predicted class of each.
    """

    task: ProbeTask
    model: str
    layer: int
    set: str
    queries: Queries
    classes: Int64[np.ndarray, " queries"]


@dataclass(frozen=True, slots=True)
class Probed:
    """All predictions, and the probes of the trained model's last state.

    Attributes:
        predicted: The predictions, those of the rule on names included.
        probes: The probe of each task.
    """

    predicted: tuple[Predicted, ...]
    probes: Mapping[ProbeTask, AdaptedProbe]


def probed_task(task: Igsm, seq_len: int) -> Igsm:
    """The task without retries, and with room for queries in its windows.

    Args:
        task: The task that the model was trained on.
        seq_len: Tokens of a window.
    """
    return replace(
        task, retry_rate=0.0, has_masked_retries=False, most_tokens=seq_len - LONGEST_QUERY
    )


def problem_sets(task: Igsm, seed: int, longer_op: int, n_train: int, n_test: int) -> ProblemSets:
    """Fresh problems for training and testing.

    Args:
        task: The task.
        seed: Seed of the problems.
        longer_op: Operations of the longer problems.
        n_train: Number of training problems.
        n_test: Number of problems of each test set.
    """

    def drawn(name: str, n: int, **difficulty: int) -> list[SolvedProblem]:
        found = task.sample(stream(seed, "igsm probing", name), n, **difficulty)
        ends = zip(found.starts[:-1], found.starts[1:], strict=True)
        return [SolvedProblem(found.tokens[first:last]) for first, last in ends]

    test = {
        "trained": drawn("test", n_test, test=1),
        "known_templates": drawn("known templates", n_test),
        "longer": drawn("longer", n_test, test=1, op=longer_op),
    }
    return ProblemSets(drawn("train", n_train), test)


def probed(model: LanguageModel, sets: ProblemSets, plan: ProbePlan, seed: int) -> Probed:
    """Train all probes, of the model and of one with random weights, and test them.

    Args:
        model: The trained model.
        sets: The problems.
        plan: Which probes, and how they are trained.
        seed: Seed of the draws, the random model and the probes.
    """
    # Its seed differs from that of the model's own initial weights.
    random = model.untrained(stream_key(seed, "random model of igsm probing") >> 1).eval()
    predicted: list[Predicted] = []
    probes: dict[ProbeTask, AdaptedProbe] = {}
    for task in plan.tasks:
        train, test = _queries(task, sets, plan, seed)
        for name, subject in ((TRAINED, model), (RANDOM, random)):
            layers = plan.layers if (task, name) == (ProbeTask.nece, TRAINED) else ()
            for layer in (model.n_layers, *layers):
                state = None if layer == model.n_layers else layer
                recipe = replace(plan.recipe, state=state)
                probe = fit_adapted_probe(subject, train.inputs, task.n_classes, recipe, seed=seed)
                predicted += _tested(task, name, layer, probe, test, recipe.batch_size)
                if name == TRAINED and state is None:
                    probes[task] = probe
        if not task.is_in_solution:
            predicted += _by_names(task, model.n_layers, sets, train, test)
    return Probed(tuple(predicted), probes)


def _by_names(
    task: ProbeTask, layer: int, sets: ProblemSets, train: Queries, test: Mapping[str, Queries]
) -> Iterator[Predicted]:
    rule = NameRule(train, sets.train)
    for name, queries in test.items():
        classes = rule.predictions(queries, sets.test[name])
        yield Predicted(task, NAMES, layer, name, queries, classes)


def _queries(
    task: ProbeTask, sets: ProblemSets, plan: ProbePlan, seed: int
) -> tuple[Queries, dict[str, Queries]]:
    """Queries to train on, balanced if the plan says so, and unbalanced ones of each test set."""

    def drawn(name: str, problems: Sequence[SolvedProblem], *, is_balanced: bool) -> Queries:
        rng = stream(seed, "igsm queries", task.value, name)
        return drawn_queries(task, problems, rng, plan.n_draws, is_balanced=is_balanced)

    test = {name: drawn(name, own, is_balanced=False) for name, own in sets.test.items()}
    return drawn("train", sets.train, is_balanced=task in plan.balanced_tasks), test


def _tested(
    task: ProbeTask,
    model: str,
    layer: int,
    probe: AdaptedProbe,
    test: Mapping[str, Queries],
    batch_size: int,
) -> Iterator[Predicted]:
    for name, queries in test.items():
        classes = predictions(probe, queries.inputs, batch_size)[:, 0]
        yield Predicted(task, model, layer, name, queries, classes)
