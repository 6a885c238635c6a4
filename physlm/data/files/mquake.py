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
        subject: What it is about, as the prompt names it; the prompt if no case of the file says.
    """

    prompt: str
    answer: str
    aliases: tuple[str, ...]
    subject: str


@register("data", "mquake")
@dataclass(kw_only=True, slots=True)
class MquakeConfig(PromptCorpusConfig):
    """Facts of a JSON file in the format of MQuAKE-CF-3k-v2.

    The file is a list of cases. Each has a list ``single_hops`` of facts, with the sentence
    ``cloze``, its ``answer``, and other names of it in ``answer_alias``. A fact of several cases
    counts once. The subject of a fact is the longest name in its ``cloze``, among those of the
    case: the subjects in ``requested_rewrite`` and ``orig.triples_labeled``, and the answers, each
    of which is the subject of the next fact. The counterfactual edits themselves are not read.

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
        subjects: dict[str, str] = {}
        for number, case in enumerate(records_of(path)):
            for fact in _facts(case, path, number):
                facts.setdefault((fact.prompt, fact.answer), fact)
                if fact.subject != fact.prompt:
                    subjects.setdefault(fact.prompt, fact.subject)
        if not facts:
            raise InputError(f"{path} has no fact in single_hops; give a file with facts")
        found = (f._replace(subject=subjects.get(f.prompt, f.prompt)) for f in facts.values())
        return FactsCorpus(self, seed, tuple(found))


@dataclass(frozen=True, eq=False, repr=False)
class FactsCorpus(PromptCorpus):
    """Distinct facts, in the order of their file.

    Attributes:
        facts: The facts.
    """

    facts: tuple[Fact, ...]

    @cached_property
    def entropy_bits(self) -> float:
        """An upper bound, as if every answer of the file were equally likely for every prompt."""
        return len(self.facts) * math.log2(len({fact.answer for fact in self.facts}))

    def _content(self) -> object:
        return [(fact.prompt, fact.answer, fact.aliases) for fact in self.facts]


def _facts(case: Any, path: Path, number: int) -> Iterator[Fact]:
    hops = value_of(case, "single_hops", path, number)
    hops = hops if isinstance(hops, list) else [hops]
    if not all(isinstance(hop, dict) for hop in hops):
        raise InputError(f"{path}: single_hops of row {number} must be a list of objects")
    names = [*_subjects(case), *(str(hop.get("answer") or "").strip() for hop in hops)]
    for hop in hops:
        prompt, answer = (_text(hop, name, path, number) for name in ("cloze", "answer"))
        aliases = hop.get("answer_alias") or []
        subject = max((name for name in names if name in prompt), key=len, default="")
        others = tuple(str(alias).strip() for alias in aliases)
        yield Fact(prompt, answer, others, subject or prompt)


def _subjects(case: Any) -> list[str]:
    """The subjects that a case names; none where its fields have another form."""
    orig = case.get("orig")
    triples = orig.get("triples_labeled") if isinstance(orig, dict) else None
    rewrites = case.get("requested_rewrite")
    found = []
    if isinstance(triples, list):
        found += [triple[0] for triple in triples if isinstance(triple, list) and triple]
    if isinstance(rewrites, list):
        found += [rewrite.get("subject") for rewrite in rewrites if isinstance(rewrite, dict)]
    return [name.strip() for name in found if isinstance(name, str)]


def _text(hop: dict[str, Any], name: str, path: Path, number: int) -> str:
    text = str(value_of(hop, name, path, number)).strip()
    if not text:
        raise InputError(f"{path}: a fact of row {number} has an empty {name}; complete it")
    return text
