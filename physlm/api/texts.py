"""Text that the model of a run generates."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from physlm.errors import InputError, refused_values

if TYPE_CHECKING:
    import polars as pl

    from physlm.api.runs import Run

_BATCH = 512  # questions answered at once


def generate(
    of: Run,
    prompts: str | Iterable[str],
    *,
    max_new_tokens: int = 20,
    temperature: float = 0.0,
    top_k: int | None = None,
    seed: int = 0,
) -> pl.DataFrame:
    """Continuations of prompts, one row each.

    Args:
        of: The run; one that measured a checkpoint writes with the checkpoint's tokenizer, without
            its chat template.
        prompts: Texts in the vocabulary of its world, each the beginning of a document.
        max_new_tokens: Most tokens of a continuation, its end-of-text included.
        temperature: Divides the logits; 0 decodes greedily.
        top_k: Sample from the k likeliest tokens only; None samples from all.
        seed: Seed of the samples.

    Returns:
        Columns ``prompt``, ``continuation`` and ``is_ended``: whether the model ended it.

    Raises:
        InputError: If a prompt has a word that the model does not know, or is too long, or tokens
            of a checkpoint are to be drawn.
    """
    from physlm.eval.generate import generate as generated
    from physlm.eval.sampling import Sampling

    texts, subject = _listed(prompts), of.subject
    if of.model.text is not None:
        if temperature or top_k:
            raise InputError(
                f"temperature={temperature}, top_k={top_k}: {of.path} measured a checkpoint, whose "
                "likeliest tokens are taken; leave both out"
            )
        rows = [subject.continuation(subject.tokens_of(text), max_new_tokens) for text in texts]
        return _continuations(
            texts, map(subject.text_of, rows), [len(r) < max_new_tokens for r in rows]
        )
    sampling = Sampling(
        max_new_tokens=max_new_tokens,
        eos=of.corpus.vocabulary.eos,
        temperature=temperature,
        top_k=top_k,
    )
    found = generated(of.model, list(map(subject.tokens_of, texts)), sampling, seed=seed)
    written = [subject.text_of(tokens.tolist()) for tokens in found.tokens]
    return _continuations(texts, written, found.is_ended)


def ask(of: Run, questions: str | Iterable[str], *, max_new_tokens: int = 64) -> pl.DataFrame:
    """Answers to questions, decoded greedily, one row each.

    Args:
        of: A run whose model answers questions, such as one of ``+experiment=extraction``.
        questions: In the vocabulary of its world, such as ``"What is the birth city of Ann
            Cole?"``.
        max_new_tokens: Most tokens of an answer, its end-of-text included.

    Returns:
        Columns ``question``, ``answer`` and ``is_ended``: whether the model ended it.

    Raises:
        InputError: If the world has no questions, the model does not know a word, or the run
            measured a checkpoint.
    """
    import polars as pl

    from physlm.data.people.question_vocabulary import ANSWER
    from physlm.eval.answers import greedy_answers

    if of.model.text is not None:
        raise InputError(
            f"{of.path} measured a checkpoint, which was not trained on questions of a world; use "
            "physlm.generate"
        )
    texts, vocabulary = _listed(questions), of.corpus.vocabulary
    with refused_values():
        prompts = [vocabulary.encode_document(text.strip() + ANSWER) for text in texts]
    answers = greedy_answers(
        of.model, vocabulary, prompts, max_new_tokens=max_new_tokens, batch_size=_BATCH
    )
    columns = dict(zip(("answer", "is_ended"), zip(*answers, strict=True), strict=True))
    return pl.DataFrame({"question": texts, **columns})


def _continuations(
    prompts: list[str], written: Iterable[str], is_ended: Iterable[bool]
) -> pl.DataFrame:
    import polars as pl

    columns = {"continuation": list(written), "is_ended": list(is_ended)}
    return pl.DataFrame({"prompt": prompts, **columns})


def _listed(texts: str | Iterable[str]) -> list[str]:
    return [texts] if isinstance(texts, str) else list(texts)
