"""Plans of documents, and the pieces of their sentences, in compiled code.

The plan of a document has one row for each sentence: the attribute that it states and its template.
"""

import numpy as np

from physlm.data.compilation import compiled, inlined
from physlm.data.splitmix import below, next_bits, stream_of

# In place of an attribute: the sentence that only gives the name, and no sentence.
_NAME, _NONE = -1, -2


@compiled
def draw_plans(  # type: ignore[no-untyped-def]
    people,
    paraphrases,
    texts,
    languages,
    n_omitted,
    kinds,
    name_position,
    keys,
    templates,
    n_sentences,
):
    """The plan of each document, as (attribute, template) of each sentence in order.

    Args:
        people: Number of the person; one random stream for each person and key.
        paraphrases: Number of the paraphrase, which decides the templates.
        texts: Number of the text, which decides the order of sentences.
        languages: 0 or 1.
        n_omitted: Last attributes that the text does not state.
        kinds: Index of the `Order`.
        name_position: Sentences before the one that names the person; 0 for none.
        keys: Keys of the random streams of templates and of orders.
        templates: First template of each attribute in each language, and the number of them.
        n_sentences: Rows of each plan.
    """
    first_templates, n_templates = templates
    n_attributes = n_templates.shape[1]
    plan = np.full((len(people), n_sentences, 2), _NONE, dtype=np.int32)
    template_of = np.empty(n_attributes, dtype=np.int32)
    order = np.empty(n_attributes, dtype=np.int32)
    for i in range(len(people)):
        # Templates follow from the paraphrase and orders from the text, each with a stream of its
        # own, so that permutations of one paraphrase share their templates.
        state = stream_of(stream_of(keys[0], paraphrases[i]), people[i])
        for a in range(n_attributes):
            state, bits = next_bits(state)
            n_choices = n_templates[languages[i], a]
            template_of[a] = first_templates[languages[i], a] + below(bits, n_choices)
            order[a] = a
        state = stream_of(stream_of(keys[1], texts[i]), people[i])
        n_stated = n_attributes - n_omitted[i]
        # One Fisher-Yates shuffle serves all three orders (random, fixed, coupled): it permutes
        # blocks of 1, of all or of 2 attributes. A single block is never moved.
        n_together = (1, n_attributes, 2)[kinds[i]]
        for j in range(n_stated // n_together - 1, 0, -1):
            state, bits = next_bits(state)
            k = below(bits, j + 1)
            for a in range(n_together):
                j_a, k_a = j * n_together + a, k * n_together + a
                order[j_a], order[k_a] = order[k_a], order[j_a]
        for j in range(n_stated):
            # The sentence that names the person moves all behind it by one.
            sentence = j + (0 < name_position[i] <= j)
            plan[i, sentence, 0] = order[j]
            plan[i, sentence, 1] = template_of[order[j]]
        if name_position[i] > 0:
            plan[i, name_position[i], 0] = _NAME
    return plan


@inlined
def write(pieces, row, first):  # type: ignore[no-untyped-def]
    """Write pieces into a row, from column ``first``."""
    # A slice would make Numba compile the text of an error about shapes, which takes seconds.
    for k in range(len(pieces)):
        row[first + k] = pieces[k]


@compiled
def rows_of(people, plan, languages, openings, subjects, namings, texts, width):  # type: ignore[no-untyped-def]
    """The pieces of each sentence of each document, -1 for none.

    Args:
        people: Rows of the arrays below.
        plan: Attribute and template of each sentence.
        languages: 0 or 1.
        openings: Subject of each person's first sentence.
        subjects: Subjects of later sentences, in both languages.
        namings: The sentence that only gives the name.
        texts: Values, and the words before and after them.
        width: Columns reserved for a subject, the same in every sentence.
    """
    values, prefixes, suffixes = texts
    first_subjects, second_subjects = subjects
    n_chunks = values.shape[2]
    n_columns = max(width + 2 + n_chunks, namings.shape[1])
    # Columns are fixed (subject, prefix, value, suffix) and padded with -1, so that the place of
    # a value follows from its sentence alone and spans need no search.
    rows = np.full((len(people), plan.shape[1], n_columns), -1, dtype=np.int32)
    for i in range(len(people)):
        person = people[i]
        for j in range(plan.shape[1]):
            attribute, template = plan[i, j]
            row = rows[i, j]
            if attribute == _NAME:
                write(namings[person], row, 0)
            if attribute < 0:
                continue
            if j == 0:
                write(openings[person], row, 0)
            elif languages[i] == 0:
                write(first_subjects[person], row, 0)
            else:
                write(second_subjects[person], row, 0)
            row[width] = prefixes[attribute, template]
            write(values[person, attribute], row, width + 1)
            row[width + 1 + n_chunks] = suffixes[attribute, template]
    return rows
