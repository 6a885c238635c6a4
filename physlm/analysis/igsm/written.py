"""Solutions that a model writes, greedily."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Int

from physlm.analysis.igsm.solved_problem import SolvedProblem
from physlm.eval.generate import generate
from physlm.eval.sampling import Sampling
from physlm.models.language_model import LanguageModel


def longest_solution(problems: Sequence[SolvedProblem]) -> int:
    """Most tokens of a solution that a model may write: twice those of the longest true one."""
    return 2 * max(len(solved.tokens) - len(solved.up_to(0)) for solved in problems)


def written(model: LanguageModel, problems: Sequence[SolvedProblem]) -> list[SolvedProblem]:
    """The problems with the solutions that a model writes."""
    begun = [solved.up_to(0) for solved in problems]
    return continued(model, begun, longest_solution(problems))


def continued(
    model: LanguageModel, beginnings: Sequence[Int[np.ndarray, " _begun"]], most_new: int
) -> list[SolvedProblem]:
    """Problems whose solutions a model continues.

    Args:
        model: The model.
        beginnings: A problem and the beginning of a solution each, within the model's window.
        most_new: Most new tokens; fewer where the window ends.
    """
    room = np.array([_room(model, begun, most_new) for begun in beginnings])
    found: dict[int, SolvedProblem] = {}
    for most in np.unique(room):
        own = np.flatnonzero(room == most).tolist()
        begun = [beginnings[i] for i in own]
        sampling = Sampling(max_new_tokens=int(most), eos=int(begun[0][0]), temperature=0.0)
        generated = generate(model, begun, sampling, seed=0)
        rows = zip(own, begun, generated.tokens, generated.is_ended, strict=True)
        for i, first, new, is_ended in rows:
            found[i] = SolvedProblem(np.concatenate((first, new)), bool(is_ended))
    return [found[i] for i in range(len(beginnings))]


def _room(model: LanguageModel, begun: Int[np.ndarray, " begun"], most_new: int) -> int:
    window = model.longest_window
    return most_new if window is None else min(most_new, window + 1 - len(begun))
