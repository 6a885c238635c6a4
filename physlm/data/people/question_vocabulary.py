"""Versions of the question vocabulary: the words of questions that pretraining includes.

A model can only answer in the tokens of its pretraining. A version never changes: the words of a
new task, attribute or paraphrase make a new version, so that the worlds of earlier runs stay the
same.
"""

from collections.abc import Sequence

from physlm.data.people.pools import lines, pool

ANSWER = " Answer:"

# By number: the pieces of text that a version adds to the versions before it.
VERSIONS = {1: lines("question_words", "1")}


def question_words(version: int, pool_size: int | None) -> list[str]:
    """Every piece of text that questions need in addition to those of biographies.

    Args:
        version: Version of the question vocabulary.
        pool_size: Entries of the list of first names in use.
    """
    first_names = [f" {name}" for name in pool("first_names", pool_size)]
    return [ANSWER, *first_names, *_words_up_to(version)]


def require_version(version: int, *, is_used: bool) -> None:
    """Require a known version, and that it is used.

    Raises:
        ValueError: If there is no such version, or it would have no effect.
    """
    if version not in VERSIONS:
        known = ", ".join(map(str, VERSIONS))
        raise ValueError(f"question_vocabulary={version}; known versions: {known}")
    if version != 1 and not is_used:
        raise ValueError(
            f"question_vocabulary={version} has no effect without "
            "include_question_vocabulary=true; set both"
        )


def keys_for(texts: Sequence[str]) -> str:
    """The overrides with which a run must be pretrained to know the words of some texts.

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
