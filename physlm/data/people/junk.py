"""Target people among junk documents, with or without domain tokens."""

import re
from dataclasses import dataclass, fields, replace

from physlm.data.corpus import DataConfig, Packing, require_at_least
from physlm.data.mixture import Mixture
from physlm.data.people.junk_people import JunkKind, JunkPeople
from physlm.data.people.knowledge import KnowledgeCorpus
from physlm.data.people.people import KnowledgeConfig, PeopleConfig
from physlm.data.tokens import END_OF_TEXT
from physlm.registry import register

_RESERVED = re.compile(r"<\|\w+\|>")


@register("data", "junk")
@dataclass(kw_only=True, slots=True)
class JunkConfig(KnowledgeConfig):
    """Target people to learn, among junk documents about other people.

    ``exposures`` counts exposures of the target people, and ``seq_len`` applies to all documents.
    Junk is about people with other names, each of whom occurs once before any occurs again: with a
    huge population nobody repeats (the paper's bioS of 100 million), with a small one everybody
    does (bioS of a thousand). ``junk_fraction`` holds for the windows at any time in training, and
    for the tokens except the padding at the end of an epoch of the target people; with
    ``mixes_in_windows`` it holds for the tokens.

    Source:
        Physics of Language Models, Part 3.3, section 10 (results 10 to 12).
    """

    target: PeopleConfig
    junk_fraction: float = 0.875  # of all windows or tokens; 0 leaves the target people alone
    n_junk_people: int = 100_000_000  # people that junk documents are about
    junk_kind: JunkKind = JunkKind.biographies  # of junk documents
    mixes_in_windows: bool = False  # each window holds documents of both kinds
    domain_token: str | None = None  # before each target document, such as <|useful|>
    junk_token: str | None = None  # before each junk document

    def validate(self) -> None:
        """Require a fraction below 1, junk people, and domain tokens that occur in no text."""
        DataConfig.validate(self)
        require_at_least(self, 1, "n_junk_people")
        if not 0 <= self.junk_fraction < 1:
            raise ValueError(f"junk_fraction={self.junk_fraction}; must be at least 0 and below 1")
        for shared in fields(DataConfig):
            own = getattr(self.target, shared.name)
            if own not in (shared.default, getattr(self, shared.name)):
                raise ValueError(
                    f"target.{shared.name}={own}; set data.{shared.name}, which applies to target "
                    "and junk documents"
                )
        if self.junk_fraction == 0 and self.junk_token is not None:
            raise ValueError(
                f"junk_token={self.junk_token}, but junk_fraction=0; leave one of them out"
            )
        if self.mixes_in_windows and self.packing is Packing.left_aligned:
            raise ValueError(
                "mixes_in_windows=true with packing=left_aligned: left-aligned windows hold "
                "documents of one part; use packing=continuous"
            )
        for name in ("domain_token", "junk_token"):
            token = getattr(self, name)
            if token is None:
                continue
            if token == END_OF_TEXT or not _RESERVED.fullmatch(token):
                raise ValueError(
                    f"{name}={token}; must have the form <|name|> and differ from {END_OF_TEXT}"
                )

    def build(self, seed: int) -> Mixture | KnowledgeCorpus:
        """The target people, mixed with junk about other people.

        Raises:
            ValueError: If there are too few names for both.
        """
        world = self._marked(self._target().corpus(seed, self._reserved()))
        if self.junk_fraction == 0:
            return world
        n_free = world.n_names - world.n_people
        if self.n_junk_people > n_free:
            raise ValueError(
                f"n_junk_people={self.n_junk_people} exceeds the {n_free} names that no target "
                "person has; use fewer"
            )
        junk_people = JunkPeople.to(self._target(), world, self.n_junk_people)
        token = self.junk_token
        domain = None if token is None else world.vocabulary.reserved(token)
        junk = replace(junk_people, junk_kind=self.junk_kind, domain=domain)
        shares = (1 - self.junk_fraction, self.junk_fraction)
        return Mixture((world, junk), shares, is_in_windows=self.mixes_in_windows)

    def _target(self) -> PeopleConfig:
        return replace(self.target, exposures=self.exposures)

    def _reserved(self) -> tuple[str, ...]:
        return tuple(t for t in dict.fromkeys((self.domain_token, self.junk_token)) if t)

    def _marked(self, world: KnowledgeCorpus) -> KnowledgeCorpus:
        token = self.domain_token
        return world if token is None else replace(world, domain=world.vocabulary.reserved(token))
