"""Answers to questions about public figures: the first line of the generated text."""

from collections.abc import Sequence

import numpy as np
from rich.console import Console
from rich.progress import track

from physlm.data.public.corpus import PublicFiguresCorpus
from physlm.eval.generate import generate
from physlm.eval.sampling import Sampling
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
    """The first line of each answer; None if generation was cut off while the model was reasoning.

    Args:
        model: A physlm model, or a checkpoint, which reads texts through its own tokenizer.
        known: The corpus, whose vocabulary a physlm model reads.
        prompts: Questions as texts.
        label: Label of the progress bar.
        batch_size: Questions per batch.
        max_new_tokens: Maximum length of an answer.
    """
    answers = list[str | None]()
    firsts = range(0, len(prompts), batch_size)
    for first in track(firsts, label, console=Console(stderr=True), transient=True):
        batch = prompts[first : first + batch_size]
        if model.text is not None:
            answers += model.text.answers(batch, max_tokens=max_new_tokens)
        else:
            answers += _generated(model, known, batch, max_new_tokens)
    return [None if text is None else text.strip().partition("\n")[0] for text in answers]


def report_cut_off(task: str, is_cut_off: Sequence[bool], max_new_tokens: int) -> None:
    """Print how many answers were cut off while the model was reasoning."""
    Console(stderr=True, soft_wrap=True).print(
        f"{task}: {sum(is_cut_off)} of {len(is_cut_off)} answers were cut off while reasoning "
        f"and count as wrong; raise eval.public_figures.max_new_tokens={max_new_tokens}"
    )


def _generated(
    model: LanguageModel, known: PublicFiguresCorpus, prompts: Sequence[str], max_new_tokens: int
) -> list[str]:
    vocabulary = known.vocabulary
    sampling = Sampling(
        max_new_tokens=max_new_tokens, eos=vocabulary.eos, temperature=0.0, batch_size=len(prompts)
    )
    encoded = [np.append(vocabulary.eos, vocabulary.encode(prompt)) for prompt in prompts]
    generated = generate(model, encoded, sampling, seed=0)
    return [vocabulary.decode(tokens) for tokens in generated.tokens]
