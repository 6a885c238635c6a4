"""Retry upon regret: steps that a probe takes to be mistakes are taken back and written anew.

A step is wrong if its parameter cannot be computed where the solution defines it: something that it
depends on is not defined yet, or it is defined already. Steps count up to the first sentence that
defines no parameter of the problem. A detector reads each step of a solution; from the first step
that it flags, the solution is written again: a parameter is drawn from the model, which may be the
same one, or the answer instead of a parameter, and what follows is written greedily.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Int

from physlm.analysis.adapted_probe import AdaptedProbe, predictions
from physlm.analysis.igsm.probe_scores import accuracy, confusion, over_problems
from physlm.analysis.igsm.probe_task import ProbeTask
from physlm.analysis.igsm.queries import Query, label, queries_of
from physlm.analysis.igsm.solved_problem import SolvedProblem
from physlm.analysis.igsm.written import continued, longest_solution
from physlm.data.tasks.igsm.checker import check
from physlm.data.tasks.igsm.language import AS, DEFINE
from physlm.eval.generate import generate
from physlm.eval.sampling import Sampling
from physlm.eval.scorer import mean
from physlm.measurement import Dim, Metric
from physlm.models.language_model import LanguageModel
from physlm.rng import stream, stream_key

NONE, RANDOM, PROBE, PERFECT = "none", "random", "probe", "perfect"  # detectors
_LONGEST_NAME = 12  # tokens; names of parameters are shorter


class Step(NamedTuple):
    """What a solution defines, and after how many sentences.

    Attributes:
        number: Of the solution.
        query: The parameter and its place.
    """

    number: int
    query: Query


# Whether each step of some solutions is taken to be a mistake.
Detector = Callable[[Sequence[SolvedProblem], Sequence[Step]], Bool[np.ndarray, " steps"]]


class Retried(NamedTuple):
    """Solutions after retries.

    Attributes:
        solutions: A problem with its last solution each.
        n_retries: How often each was retried.
    """

    solutions: list[SolvedProblem]
    n_retries: Int[np.ndarray, " solutions"]


def steps_of(number: int, solved: SolvedProblem, first: int = 0) -> list[Step]:
    """The steps of a solution from one sentence on, up to the first that defines no parameter."""
    return [Step(number, Query(n, parameter)) for n, parameter in solved.steps(first)]


def perfect_detector(
    solutions: Sequence[SolvedProblem], steps: Sequence[Step]
) -> Bool[np.ndarray, " steps"]:
    """Flags exactly the wrong steps."""
    task = ProbeTask.can_next
    return np.array([not label(task, solutions[s.number], s.query) for s in steps], dtype=bool)


def probe_detector(probe: AdaptedProbe, batch_size: int) -> Detector:
    """Flags the steps whose parameter a probe of ``can_next`` takes to be out of reach."""

    def detect(
        solutions: Sequence[SolvedProblem], steps: Sequence[Step]
    ) -> Bool[np.ndarray, " steps"]:
        own = [solutions[step.number] for step in steps]
        asked = queries_of(ProbeTask.can_next, own, [[step.query] for step in steps])
        flags: np.ndarray = predictions(probe, asked.inputs, batch_size)[:, 0] == 0
        return flags

    return detect


def random_detector(rate: float, seed: int) -> Detector:
    """Flags each step with the same probability."""
    rng = stream(seed, "random regret")
    return lambda _, steps: rng.random(len(steps)) < rate


def retried(
    model: LanguageModel,
    solutions: Sequence[SolvedProblem],
    detect: Detector,
    *,
    n_retries: int,
    most_new: int,
    seed: int,
) -> Retried:
    """Solutions in which flagged steps are written anew, at most so often in each.

    Steps that were not flagged are not read again. A solution at the end of the model's window
    stays as it is.

    Args:
        model: The model that has written the solutions.
        solutions: Problems with its solutions.
        detect: The detector.
        n_retries: Most retries of a solution.
        most_new: Most new tokens of a retry.
        seed: Seed of the drawn parameters.
    """
    found, counts = list(solutions), np.zeros(len(solutions), dtype=np.int64)
    unread = dict.fromkeys(range(len(found)), 0)  # the first sentence that was not read
    for turn in range(n_retries):
        steps = [step for i, first in unread.items() for step in steps_of(i, found[i], first)]
        flags = detect(found, steps) if steps else np.zeros(0, dtype=bool)
        flagged = [step for step, is_flagged in zip(steps, flags, strict=True) if is_flagged]
        firsts = {step.number: step.query.n_sentences for step in reversed(flagged)}
        unread = {i: n for i, n in firsts.items() if _has_room(model, found[i].up_to(n))}
        if not unread:
            break
        begun = [found[i].up_to(n) for i, n in unread.items()]
        redrawn = _redrawn(model, begun, stream_key(seed, "regret", turn) >> 1)
        for i, own in zip(unread, continued(model, redrawn, most_new), strict=True):
            found[i] = own
            counts[i] += 1
    return Retried(found, counts)


def regret_metrics(
    model: LanguageModel,
    probe: AdaptedProbe,
    problems: Mapping[str, Sequence[SolvedProblem]],
    solutions: Mapping[str, Sequence[SolvedProblem]],
    *,
    n_retries: int,
    batch_size: int,
    seed: int,
) -> Iterator[Metric]:
    """How well a probe detects wrong steps, and what retries upon its regret are worth.

    Args:
        model: The model that has written the solutions.
        probe: Its probe of ``can_next``.
        problems: Problems with their own solutions, by the name of their set.
        solutions: The same problems with the model's solutions.
        n_retries: Most retries of a solution.
        batch_size: Inputs of the probe at once.
        seed: Seed of drawn parameters and of the random detector.
    """
    detect = probe_detector(probe, batch_size)
    for name, written in solutions.items():
        dims: dict[str, Dim] = {"set": name}
        yield _solved(written, dims | {"detector": NONE})
        steps = [step for i, own in enumerate(written) for step in steps_of(i, own)]
        if not steps:
            continue
        flags = detect(written, steps)
        yield from _detection(steps, flags, perfect_detector(written, steps), dims)
        detectors: dict[str, Detector] = {
            RANDOM: random_detector(float(flags.mean()), seed),
            PROBE: detect,
            PERFECT: perfect_detector,
        }
        most_new = longest_solution(problems[name])
        for kind, detector in detectors.items():
            found = retried(
                model, written, detector, n_retries=n_retries, most_new=most_new, seed=seed
            )
            own_dims: dict[str, Dim] = dims | {"detector": kind}
            yield _solved(found.solutions, own_dims)
            yield mean("igsm_probe/retries", found.n_retries, "per solution", **own_dims)


def _detection(
    steps: Sequence[Step],
    flags: Bool[np.ndarray, " steps"],
    is_wrong: Bool[np.ndarray, " steps"],
    dims: dict[str, Dim],
) -> Iterator[Metric]:
    """The fraction of steps that are flagged, with its error over solutions."""
    numbers = np.array([step.number for step in steps])
    for kind, own in (("right", ~is_wrong), ("wrong", is_wrong)):
        if own.any():
            flagged = np.ones(own.sum(), dtype=np.int64)
            counts = confusion(numbers[own], flagged, flags[own].astype(np.int64), 2)
            value, stderr = over_problems(accuracy, counts)
            yield Metric(
                name="igsm_probe/regretted",
                value=value,
                unit="fraction",
                n=len(counts),
                stderr=stderr,
                dims=dims | {"step": kind},
            )


def _solved(solutions: Sequence[SolvedProblem], dims: dict[str, Dim]) -> Metric:
    """The fraction of solutions that end and have no fault."""
    is_right = [
        own.is_ended and check(own.problem, own.problem.solution).is_right for own in solutions
    ]
    return mean("igsm_probe/solved", np.array(is_right), "fraction", **dims)


def _has_room(model: LanguageModel, begun: Int[np.ndarray, " begun"]) -> bool:
    """Whether a parameter, and a token after it, fit into the window."""
    window = model.longest_window
    return window is None or len(begun) + _LONGEST_NAME + 2 <= window


def _redrawn(
    model: LanguageModel, beginnings: Sequence[Int[np.ndarray, " _begun"]], seed: int
) -> list[Int[np.ndarray, " _begun"]]:
    """The beginnings of solutions with another step, drawn from the model.

    A step is drawn up to the end of its parameter's name. Of what is no step, such as the answer,
    the first token alone is drawn; a drawn end of the text is left out.
    """
    sampling = Sampling(max_new_tokens=1 + _LONGEST_NAME, eos=AS, temperature=1.0)
    drawn = generate(model, list(beginnings), sampling, seed=seed)
    found = []
    for begun, own, is_ended in zip(beginnings, drawn.tokens, drawn.is_ended, strict=True):
        if len(own) and own[0] == DEFINE:
            new = [*own.tolist(), *[AS] * int(is_ended)]
        else:
            new = [token for token in own[:1].tolist() if token != begun[0]]
        found.append(np.concatenate((begun, np.array(new, dtype=begun.dtype))))
    return found
