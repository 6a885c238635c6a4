"""Texts and facts of a corpus in the tokens of a checkpoint."""

import numpy as np
from jaxtyping import Float64

from physlm.data.annotation import LENGTH, POSITION, VALUE_FIRST, VALUE_LATER, AnnotatedDocuments
from physlm.data.corpus import Corpus, Documents
from physlm.data.files.annotation import annotated_texts
from physlm.data.files.mquake import Fact, FactsCorpus
from physlm.data.files.text_corpus import Part, TextCorpus
from physlm.errors import InputError
from physlm.models.pretrained_text import PretrainedText

PROMPT = "prompt"
_MOST_COUNTED = 2_000_000  # tokens of the training part whose frequencies are counted


def read_texts(corpus: Corpus, text: PretrainedText, n_tokens: int) -> AnnotatedDocuments:
    """Held-out texts, or facts, in the tokens of a checkpoint, with what is known of each token.

    Args:
        corpus: Texts or facts.
        text: The checkpoint's tokenizer.
        n_tokens: About how many tokens.

    Raises:
        InputError: If the corpus has another kind.
    """
    require_texts(corpus)
    if isinstance(corpus, FactsCorpus):
        return _facts(corpus, text, n_tokens)
    assert isinstance(corpus, TextCorpus)
    rows = []
    for document in corpus.required(Part.held_out):
        rows.append(np.array(text.tokens_of(document), dtype=np.int64))
        if sum(map(len, rows)) >= n_tokens:
            break
    return annotated_texts(rows, [text.pieces(row.tolist()) for row in rows])


def require_texts(corpus: Corpus) -> None:
    """Require texts or facts that a checkpoint can read.

    Raises:
        InputError: If the corpus has another kind.
    """
    if not isinstance(corpus, FactsCorpus | TextCorpus):
        raise InputError(
            "for a checkpoint, this scorer needs texts or facts; use data=texts, bible or mquake"
        )


def longest_fact(corpus: Corpus, text: PretrainedText) -> int:
    """Tokens of the longest prompt with its answer; 0 for texts."""
    if not isinstance(corpus, FactsCorpus):
        return 0
    return max(sum(map(len, _fact_tokens(fact, text))) for fact in corpus.facts)


def count_texts(
    corpus: Corpus, text: PretrainedText, vocabulary_size: int
) -> Float64[np.ndarray, " vocab"]:
    """How often each token of a checkpoint occurs in the training part of texts.

    Args:
        corpus: The texts.
        text: The checkpoint's tokenizer.
        vocabulary_size: Number of tokens of the checkpoint.

    Raises:
        InputError: If the corpus has no texts.
    """
    if not isinstance(corpus, TextCorpus):
        raise InputError(
            "frequencies of tokens need texts, or the file counts_path; use data=texts or bible"
        )
    counts, total = np.zeros(vocabulary_size), 0
    for document in corpus.texts(Part.train):
        ids = text.encode_plain(document)
        counts += np.bincount(ids, minlength=vocabulary_size)
        total += len(ids)
        if total >= _MOST_COUNTED:
            break
    return counts


def _facts(corpus: FactsCorpus, text: PretrainedText, n_tokens: int) -> AnnotatedDocuments:
    """Prompts with their answers, grouped by subject; answers are forced by token ids."""
    rows, answers, subjects = [], [], []
    for fact in corpus.facts:
        prompt, answer = _fact_tokens(fact, text)
        rows.append(np.array([*prompt, *answer], dtype=np.int32))
        answers.append(len(answer))
        subjects.append(fact.subject)
        if sum(map(len, rows)) >= n_tokens:
            break
    lengths = np.array([len(row) for row in rows])
    position = np.concatenate(
        [np.maximum(np.arange(n) - n + own + 1, 0) for n, own in zip(lengths, answers, strict=True)]
    )
    return AnnotatedDocuments(
        documents=Documents(np.concatenate(rows), np.concatenate([[0], np.cumsum(lengths)])),
        groups=np.unique(subjects, return_inverse=True)[1],
        classes=np.select([position == 1, position > 1], [VALUE_FIRST, VALUE_LATER], PROMPT),
        tags={LENGTH: np.where(position > 0, np.repeat(answers, lengths), 0), POSITION: position},
    )


def _fact_tokens(fact: Fact, text: PretrainedText) -> tuple[list[int], list[int]]:
    """Token ids of a prompt, and of its answer after it."""
    return text.tokens_of(fact.prompt), text.encode_plain(f" {fact.answer}")
