"""Facts in the format of MQuAKE: sentences that end with the answer."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from physlm.data.files.prompt_corpus import PromptCorpus, PromptCorpusConfig
from physlm.data.files.records import records_of, value_of
from physlm.data.files.texts import source_file
from physlm.errors import InputError
from physlm.registry import register


class Fact(NamedTuple):
    """A sentence to complete.

    Attributes:
        prompt: The sentence up to its answer, without a space at its end.
        answer: The answer, without a space at its start.
        aliases: Other names of the answer.
    """

    prompt: str
    answer: str
    aliases: tuple[str, ...]


@register("data", "mquake")
@dataclass(kw_only=True, slots=True)
class MquakeConfig(PromptCorpusConfig):
    """Facts of a JSON file in the format of MQuAKE-CF-3k-v2.

    The file is a list of cases. Each has a list ``single_hops`` of facts, with the sentence
    ``cloze``, its ``answer``, and other names of it in ``answer_alias``. Facts of several cases are
    one. The counterfactual edits of the cases are not read.

    Source:
        Zhong et al. 2023, MQuAKE: Assessing Knowledge Editing in Language Models via Multi-Hop
        Questions.
    """

    def build(self, seed: int) -> "FactsCorpus":
        """The distinct facts of the file.

        Raises:
            InputError: If the file has another format.
        """
        path = source_file(self.source, "data=mquake")
        facts: dict[tuple[str, str], Fact] = {}
        for number, case in enumerate(records_of(path)):
            for fact in _facts(case, path, number):
                facts.setdefault((fact.prompt, fact.answer), fact)
        if not facts:
            raise InputError(f"{path} has no fact in single_hops; give a file with facts")
        return FactsCorpus(self, seed, tuple(facts.values()))


@dataclass(frozen=True, eq=False)
class FactsCorpus(PromptCorpus):
    """Distinct facts, in the order of their file.

    Attributes:
        facts: The facts.
    """

    facts: tuple[Fact, ...]

    @cached_property
    def entropy_bits(self) -> float:
        """An upper bound: every answer of the file were equally likely for every prompt."""
        return len(self.facts) * math.log2(len({fact.answer for fact in self.facts}))

    def _content(self) -> object:
        return [tuple(fact) for fact in self.facts]


def _facts(case: Any, path: Path, number: int) -> Iterator[Fact]:
    hops = value_of(case, "single_hops", path, number)
    for hop in hops if isinstance(hops, list) else [hops]:
        if not isinstance(hop, dict):
            raise InputError(f"{path}: single_hops of row {number} must be a list of objects")
        prompt, answer = (_text(hop, name, path, number) for name in ("cloze", "answer"))
        aliases = hop.get("answer_alias") or []
        yield Fact(prompt, answer, tuple(str(alias).strip() for alias in aliases))


def _text(hop: dict[str, Any], name: str, path: Path, number: int) -> str:
    text = str(value_of(hop, name, path, number)).strip()
    if not text:
        raise InputError(f"{path}: a fact of row {number} has an empty {name}; complete it")
    return text
