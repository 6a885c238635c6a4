"""Answers to probe queries from their text alone, parsed independently of physlm."""

import re
from functools import cache

from physlm.data.tasks.igsm import WORLD
from physlm.data.tasks.igsm.language import text_of, words_of_tokens

_REFERENCE = r"each ([\w ]+?)'s ([\w ]+?)(?= and each| ?$)"
NOTHING = 23


class Reading:
    """A query as a text: what is read before, and the parameters that it describes."""

    def __init__(self, tokens):
        text = text_of(words_of_tokens(list(tokens)))
        before, described = text.split("<start>")
        described, self.rest = described.split("<end>")
        self.names = [name.strip() for name in described.split("<mid>")]
        statement, _, self.solution = before.partition("<solution>")
        self.before, self.has_solution = before, "<solution>" in before
        question = re.search(r"How many ([\w ]+) has ([\w ]+)\?", statement)
        self.query = None if question is None else f"{question[2]}'s {question[1]}"
        self.rules = dict(
            re.findall(r"The number of each ([\w ]+'s [\w ]+) equals (.+?)\.", statement)
        )
        self.defined = re.findall(r"Define ([\w ]+'s [\w ]+) as", self.solution)
        self.held = {}
        for name in self.rules:
            owner, owned = name.split("'s ")
            self.held.setdefault(owner, []).append(owned)
        self.value = cache(self.value)

    def parents(self, name):
        """Names of the parameters that one is computed from."""
        if name in self.rules:
            return [f"{a}'s {b}" for a, b in re.findall(_REFERENCE, self.rules[name])]
        owner, category = name.split("'s ")
        level = WORLD.categories[category].layer - WORLD.items[owner].layer
        items = self.held.get(owner, [])
        own = [f"{owner}'s {item}" for item in items]
        return own + ([f"{item}'s {category}" for item in items] if level > 1 else [])

    def needs(self, a, b):
        """Whether a depends on b."""
        return any(parent == b or self.needs(parent, b) for parent in self.parents(a))

    def value(self, name):
        """The number of one parameter."""
        parts = [self.value(parent) for parent in self.parents(name)]
        if name not in self.rules:
            n = len(self.held.get(name.split("'s ")[0], []))
            further = parts[n:] or [1] * n
            return sum(x * y for x, y in zip(parts[:n], further, strict=True)) % 23
        rule = self.rules[name]
        total = parts[0] - parts[1] if "the difference of" in rule else sum(parts)
        constant = re.match(r"(\d+)", rule)
        if constant:
            is_product = re.match(r"\d+ times", rule)
            total = total * int(constant[1]) if is_product else total + int(constant[1])
        return total % 23

    def label(self, task):
        """The true class."""
        a = self.names[0]
        if task == "dep":
            return int(self.needs(a, self.names[1]))
        needed = self.query is not None and (a == self.query or self.needs(self.query, a))
        if task == "nece":
            return int(needed)
        if task in ("known", "value"):
            known = a in self.defined
            return int(known) if task == "known" else self.value(a) if known else NOTHING
        comes = a not in self.defined and set(self.parents(a)) <= set(self.defined)
        return int(comes and (task == "can_next" or needed))
