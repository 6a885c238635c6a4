"""Documents of Mano in compiled code: expressions, their values, and those that are held out."""

import numpy as np

from physlm.data.compilation import compiled, compiled_within
from physlm.data.growing import grown
from physlm.data.splitmix import below, next_bits, stream_of


@compiled
def mano_documents(key, first, n_documents, lengths, modulus, ids, has_synonyms, split):  # type: ignore[no-untyped-def]
    """Tokens of all documents, and where each starts.

    Args:
        key: Key of the random streams.
        first: Number of the first document.
        n_documents: Number of documents.
        lengths: Fewest and most operators, and the most that the task has.
        modulus: Number of values.
        ids: Token ids of ``bos`` and of ``<len_1>``.
        has_synonyms: Whether to draw between two tokens.
        split: Hashes below this number are held out, among expressions of the most operators that
            the task has, and whether to draw held-out ones of these or the others.
    """
    fewest, most, n_max = lengths
    bos, len_1 = ids
    threshold, wants_held_out = split
    starts = np.zeros(n_documents + 1, dtype=np.int64)
    tokens = np.empty(2 * n_max + 5, dtype=np.int32)
    work = np.empty(n_max + 2, dtype=np.int64)
    for i in range(n_documents):
        begin = starts[i]
        tokens = grown(tokens, begin, 2 * n_max + 5)
        state, bits = next_bits(stream_of(key, first + i))
        n = fewest + below(bits, most - fewest + 1)
        end = begin + 2 * n + 3
        state = _write_expression(state, n, modulus, tokens, begin + 2, work)
        # The expression alone is drawn again: the law of n stays as it is.
        while n == n_max and _is_held_out(tokens, begin + 2, end, threshold) != wants_held_out:
            state = _write_expression(state, n, modulus, tokens, begin + 2, work)
        tokens[begin] = bos
        tokens[begin + 1] = len_1 + n - 1
        tokens[end] = len_1 + n_max + n - 1
        tokens[end + 1] = _value(tokens, begin + 2, end, modulus, work)
        if has_synonyms:
            _replace_by_synonyms(state, tokens, begin, end, modulus, 2 * n_max)
        starts[i + 1] = end + 2
    return tokens[: starts[-1]], starts


@compiled
def split_counts(forms, modulus, threshold):  # type: ignore[no-untyped-def]
    """Number of expressions of each form and value: first those not held out, then the others.

    Args:
        forms: Expressions as tokens, with any value in the places of values.
        modulus: Number of values.
        threshold: Hashes below it are held out.
    """
    n_tokens = forms.shape[1]
    n_values = n_tokens // 2 + 1
    counts = np.zeros((2, len(forms), modulus), dtype=np.int64)
    tokens, work = np.empty(n_tokens, dtype=np.int32), np.empty(n_values, dtype=np.int64)
    for i in range(len(forms)):
        for number in range(modulus**n_values):
            # The digits of the number are the values, so that every expression comes once.
            rest = number
            for t in range(n_tokens):
                tokens[t] = forms[i, t]
                if tokens[t] < modulus:
                    tokens[t] = rest % modulus
                    rest //= modulus
            held_out = np.int64(_is_held_out(tokens, 0, n_tokens, threshold))
            counts[held_out, i, _value(tokens, 0, n_tokens, modulus, work)] += 1
    return counts


@compiled_within
def _is_held_out(tokens, first, last, threshold):  # type: ignore[no-untyped-def]
    """Whether the hash of the expression at ``first`` to ``last - 1`` is below the threshold."""
    # Prefix notation needs no brackets: different tokens are different expressions.
    state = np.uint64(0)
    for t in range(first, last):
        state = stream_of(state, tokens[t])
    return state < threshold


@compiled_within
def _write_expression(state, n, modulus, tokens, at, parts):  # type: ignore[no-untyped-def]
    """Write an expression of ``n`` operators at a place; returns the new state.

    Args:
        state: State of the random stream.
        n: Number of operators.
        modulus: Number of values.
        tokens: Receives the expression.
        at: Where it begins.
        parts: Room for the sizes of parts.
    """
    # Parts that are still to be written, the next one last: prefix notation needs no more.
    n_parts, parts[0] = 1, n
    while n_parts > 0:
        n_parts -= 1
        size = parts[n_parts]
        state, bits = next_bits(state)
        if size == 0:
            tokens[at] = below(bits, modulus)
        else:
            tokens[at] = modulus + below(bits, 3)
            state, bits = next_bits(state)
            n_left = below(bits, size)
            parts[n_parts] = size - 1 - n_left
            parts[n_parts + 1] = n_left
            n_parts += 2
        at += 1
    return state


@compiled_within
def _value(tokens, first, last, modulus, values):  # type: ignore[no-untyped-def]
    """The value of the expression at ``first`` to ``last - 1``.

    Args:
        tokens: Holds the expression.
        first: Its first place.
        last: The place after it.
        modulus: Number of values.
        values: Room for the values of parts.
    """
    # From right to left, the parts of an operator are complete before it.
    n = 0
    for t in range(last - 1, first - 1, -1):
        token = tokens[t]
        if token < modulus:
            values[n] = token
            n += 1
            continue
        n -= 1
        left, right = values[n], values[n - 1]
        if token == modulus:
            values[n - 1] = (left + right) % modulus
        elif token == modulus + 1:
            values[n - 1] = (left - right + modulus) % modulus
        else:
            values[n - 1] = (left * right) % modulus
    return values[0]


@compiled_within
def _replace_by_synonyms(state, tokens, begin, end, modulus, shift):  # type: ignore[no-untyped-def]
    """Replace each token that has a synonym by that, with probability one half.

    Args:
        state: State of the random stream.
        tokens: Holds the document.
        begin: Place of ``bos``.
        end: Place of the mark before the answer.
        modulus: Number of values.
        shift: Distance in ids from a mark of length or answer to its synonym.
    """
    for t in range(begin, end + 1):
        if tokens[t] < modulus:
            continue
        state, bits = next_bits(state)
        is_second = below(bits, 2)
        if t == begin:
            tokens[t] -= is_second
        elif t in (begin + 1, end):
            tokens[t] += shift * is_second
        else:
            tokens[t] += 3 * is_second
