"""Solutions that a model writes, greedily."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Int

from physlm.analysis.igsm.solved_problem import SolvedProblem
from physlm.eval.generate import generate
from physlm.eval.sampling import Sampling
from physlm.models.language_model import LanguageModel


def written(model: LanguageModel, problems: Sequence[SolvedProblem]) -> list[SolvedProblem]:
    """The problems with the solutions that a model writes.

    A solution that has not ended after twice the length of the longest true one is cut there.
    """
    longest = max(len(solved.tokens) - len(solved.up_to(0)) for solved in problems)
    return continued(model, [solved.up_to(0) for solved in problems], 2 * longest)


def continued(
    model: LanguageModel, beginnings: Sequence[Int[np.ndarray, " _begun"]], most_new: int
) -> list[SolvedProblem]:
    """Problems whose solutions a model continues.

    Args:
        model: The model.
        beginnings: A problem and the beginning of a solution each, within the model's window.
        most_new: Most new tokens; fewer where the window ends.
    """
    if model.longest_window is not None:
        most_new = min(most_new, model.longest_window + 1 - max(map(len, beginnings)))
    sampling = Sampling(max_new_tokens=most_new, eos=int(beginnings[0][0]), temperature=0.0)
    generated = generate(model, beginnings, sampling, seed=0)
    return [
        SolvedProblem(np.concatenate((begun, own)))
        for begun, own in zip(beginnings, generated.tokens, strict=True)
    ]
