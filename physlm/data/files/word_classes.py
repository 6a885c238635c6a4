"""Classes of English words by a closed list: function words, punctuation, and all other words."""

import itertools
import re
from collections.abc import Sequence

CONTENT, INSIDE, PUNCTUATION = "content", "inside", "punctuation"

# A word that belongs to several classes is in the one of its most frequent use.
_CLOSED = {
    "determiner": """
        a an the this these those my your his its our their each every either neither some any no
        all both half several many much few fewer little less more most enough another such what
        which whose whatever whichever
    """,
    "preposition": """
        of in to for with on at from by about as into like through after over between out against
        during without before under around among within along across behind beyond up down off
        above near toward towards upon onto per via despite beneath beside besides below inside
        outside throughout amid amongst underneath unlike until till since past aboard concerning
        regarding except minus plus
    """,
    "conjunction": """
        and or but nor yet so if because although though while whereas unless whether than once
        lest that when where why how whenever wherever
    """,
    "auxiliary": """
        be am is are was were been being have has had having do does did doing can could will would
        shall should may might must ought need dare cannot
    """,
    "pronoun": """
        i you he she it we they me him her us them mine yours hers ours theirs myself yourself
        himself herself itself ourselves yourselves themselves who whom whoever somebody someone
        something anybody anyone anything nobody none nothing everybody everyone everything one
        there oneself
    """,
}
FUNCTION_CLASSES = (*_CLOSED, PUNCTUATION)
_CLASS_OF = {word: name for name, words in _CLOSED.items() for word in words.split()}
_WORD = re.compile(r"\w+(?:['\u2019]\w+)*|[^\w\s]")


def word_class(word: str) -> str:
    """Class of a word or a punctuation mark, in any case; ``content`` if no list has it.

    A contraction has the class of its first part, and that of an auxiliary if it ends in "n't".
    """
    if not any(character.isalnum() for character in word):
        return PUNCTUATION
    plain = word.lower().replace("\u2019", "'")
    if plain.endswith("n't"):
        return "auxiliary"
    return _CLASS_OF.get(plain.split("'")[0], CONTENT)


def token_classes(pieces: Sequence[str]) -> list[str]:
    """Class of the word that each token begins, for the tokens of one document.

    Tokens that continue a word, or are whitespace alone, are ``inside``: they begin no word. A word
    is judged as a whole, so that the token "for" of "formal" is ``content``.

    Args:
        pieces: The text of every token, with the spaces before it.
    """
    text = "".join(pieces)
    words = {match.start(): match.group() for match in _WORD.finditer(text)}
    ends = itertools.accumulate(map(len, pieces))
    starts = (end - len(piece.lstrip()) for end, piece in zip(ends, pieces, strict=True))
    return [word_class(words[start]) if start in words else INSIDE for start in starts]
