"""Classes of English words, and of the tokens that begin them."""

import pytest

from physlm.data.files.word_classes import FUNCTION_CLASSES, token_classes, word_class


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("The", "determiner"),
        ("of", "preposition"),
        ("because", "conjunction"),
        ("weren't", "auxiliary"),
        ("She's", "pronoun"),
        ("it\u2019s", "pronoun"),
        (",", "punctuation"),
        ("formal", "content"),
        ("1984", "content"),
    ],
)
def test_words_have_the_class_of_their_list(word, expected):
    assert word_class(word) == expected


def test_each_function_word_is_in_one_class():
    from physlm.data.files.word_classes import _CLOSED

    words = [word for names in _CLOSED.values() for word in names.split()]
    assert len(words) == len(set(words))
    assert set(_CLOSED) < set(FUNCTION_CLASSES)


def test_a_token_has_the_class_of_the_whole_word_that_it_begins():
    pieces = ["The", " for", "mal", " letter", ",", " for", " him", " didn", "'t", " ", " end", "."]
    assert token_classes(pieces) == [
        "determiner", "content", "inside", "content", "punctuation", "preposition", "pronoun",
        "auxiliary", "inside", "inside", "content", "punctuation",
    ]  # fmt: skip


def test_as_nltk_tags_the_words_of_a_plain_text():
    # Penn tags of a sentence, assigned by hand after the Treebank's guidelines.
    tagged = (
        "The/DT old/JJ man/NN and/CC the/DT sea/NN were/VBD in/IN it/PRP ,/, but/CC he/PRP "
        "could/MD not/RB see/VB them/PRP from/IN his/PRP$ house/NN ./."
    )
    coarse = {
        "DT": "determiner", "PRP$": "determiner", "CC": "conjunction", "IN": "preposition",
        "PRP": "pronoun", "MD": "auxiliary", "VBD": "auxiliary", ",": "punctuation",
        ".": "punctuation",
    }  # fmt: skip
    for pair in tagged.split():
        word, _, tag = pair.rpartition("/")
        assert word_class(word) == coarse.get(tag, "content"), word
