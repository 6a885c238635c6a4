"""The words of questions that a pretraining vocabulary holds: frozen versions, and what each adds.

A model answers in the tokens that it was pretrained with. Versions never change: words of a new
task, attribute or paraphrase make a new one, so that the people of earlier runs stay the same.
"""

from collections.abc import Sequence

from physlm.data.people.pools import lines, pool

ANSWER = " Answer:"

# By number: the pieces of text that a version has beside those of the versions before it.
VERSIONS = {1: lines("question_words", "1")}


def question_words(version: int, pool_size: int | None) -> list[str]:
    """Every piece of text that questions need beside those of biographies.

    Args:
        version: Of the vocabulary.
        pool_size: Entries in use of the list of first names, which begin no question.
    """
    first_names = [f" {name}" for name in pool("first_names", pool_size)]
    return [ANSWER, *first_names, *_words_up_to(version)]


def require_version(version: int, *, is_used: bool) -> None:
    """A version that there is, and questions that use it.

    Raises:
        ValueError: If there is none of this number, or it would be given for nothing.
    """
    if version not in VERSIONS:
        known = ", ".join(map(str, VERSIONS))
        raise ValueError(f"question_vocabulary={version}; there is {known}")
    if version != 1 and not is_used:
        raise ValueError(
            f"question_vocabulary={version} without questions=true changes nothing; set both"
        )


def keys_for(texts: Sequence[str]) -> str:
    """What a run is pretrained with so that its vocabulary has the words of some texts.

    Raises:
        ValueError: If no version has them.
    """
    for version in VERSIONS:
        known = set(_words_up_to(version))
        if known.issuperset(texts):
            newer = f" data.question_vocabulary={version}" if version > 1 else ""
            return f"data.include_question_vocabulary=true{newer}"
    missing = [text for text in texts if text not in known]
    raise ValueError(f"{missing[0]!r} is in no version of the question vocabulary; add one")


def _words_up_to(version: int) -> list[str]:
    return [text for number, texts in VERSIONS.items() if number <= version for text in texts]
