"""What a model answers to questions about public figures: the first line that it writes."""

from collections.abc import Sequence

import numpy as np
from rich.console import Console
from rich.progress import track

from physlm.data.public.corpus import PublicFiguresCorpus
from physlm.eval.generate import Sampling, generate
from physlm.models.language_model import LanguageModel


def answers_of(
    model: LanguageModel,
    known: PublicFiguresCorpus,
    prompts: Sequence[str],
    *,
    label: str,
    batch_size: int,
    max_new_tokens: int,
) -> list[str | None]:
    """The first line of the model's answer to each prompt; None where it was cut in its thoughts.

    Args:
        model: One of our own, or a checkpoint, which reads as its tokenizer does.
        known: Whose words a model of our own reads.
        prompts: The questions.
        label: Of the progress bar.
        batch_size: Questions read at once.
        max_new_tokens: Where an answer is cut.
    """
    written = list[str | None]()
    firsts = range(0, len(prompts), batch_size)
    for first in track(firsts, label, console=Console(stderr=True), transient=True):
        batch = prompts[first : first + batch_size]
        if model.text is not None:
            written += model.text.answers(batch, max_tokens=max_new_tokens)
        else:
            written += _generated(model, known, batch, max_new_tokens)
    return [None if text is None else text.strip().partition("\n")[0] for text in written]


def say_cut_off(task: str, is_cut_off: Sequence[bool], max_new_tokens: int) -> None:
    """One line on how many answers a reasoning model did not come to."""
    Console(stderr=True, soft_wrap=True).print(
        f"{task}: {sum(is_cut_off)} of {len(is_cut_off)} answers were cut off in their thoughts "
        f"and count as wrong; raise eval.public_figures.max_new_tokens={max_new_tokens}"
    )


def _generated(
    model: LanguageModel, known: PublicFiguresCorpus, prompts: Sequence[str], max_new_tokens: int
) -> list[str]:
    vocabulary = known.vocabulary
    sampling = Sampling(
        max_new_tokens=max_new_tokens, eos=vocabulary.eos, temperature=0.0, batch_size=len(prompts)
    )
    read = [np.append(vocabulary.eos, vocabulary.encode(prompt)) for prompt in prompts]
    written = generate(model, read, sampling, seed=0)
    return [vocabulary.decode(tokens) for tokens in written.tokens]
