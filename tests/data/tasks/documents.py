"""Documents of synthetic tasks as words, for tests that read them again."""

import numpy as np


def texts(task, documents):
    """Each document as a list of words, marks and ``<|endoftext|>`` included."""
    words = [*task.words, *task.marks, "<|endoftext|>"]
    return [[words[t] for t in own] for own in np.split(documents.tokens, documents.starts[1:-1])]


def ids(task, text):
    """The tokens of words that are separated by spaces; ``bos`` is end-of-text."""
    words = [*task.words, *task.marks, "bos"]
    return np.array([words.index(word) for word in text.split()])


def judged(task, prompt, answer):
    """What a task says of an answer, or the error by which it refuses the prompt."""
    try:
        return task.check(np.array(prompt, dtype=np.int64), np.array(answer, dtype=np.int64)), None
    except ValueError as error:
        return None, error
