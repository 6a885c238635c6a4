"""Roles of the words of a document, found by regular expressions over its text."""

import re

import torch

from physlm.data.tasks.igsm.language import words_of_tokens
from physlm.models.architecture import DecoderConfig
from physlm.models.decoder import Decoder

OPERATION = r"(\w) = (\w+) ([+*-]) (\w+) = (\d+) ([+*-]) (\d+) = (\d+) [;.]"
COPY = r"(?:^|; |so )(\w) = ([a-zA-Z]) = (\d+) \."
CONSTANT = r"so (\w) = (\d+) \."


class Text:
    """The words of a document as one text, whose spans are turned into numbers of words."""

    def __init__(self, tokens):
        self.words = words_of_tokens(list(tokens))
        self.text = " ".join(self.words)
        self.solution = self.text.index("<solution>")
        self.number, at = {}, 0
        for i, word in enumerate(self.words):
            self.number[at] = i
            at += len(word) + 1

    def span(self, first, last):
        return {i for at, i in self.number.items() if first <= at < last}

    def first(self, match, group=1):
        return self.number[match.start(group)]

    def all(self, pattern):
        return list(re.compile(pattern).finditer(self.text, self.solution))

    def statement(self, name):
        found = re.search(rf"The number of each {re.escape(name)} equals [^.]*\.", self.text)
        return (set(), set()) if found is None else self._split(found)

    def _split(self, found):
        own = self.span(found.start(), found.end())
        numbers = {
            i for i in own if re.fullmatch(r"\d+|more|than|times|sum|difference", self.words[i])
        }
        return own - numbers, numbers

    def definition(self, letter):
        """Words, letters and result of what defined a letter."""
        if not letter.isalpha():
            return set(), set(), set()
        pattern = rf"Define [^.]*? as {letter} ;[^.]*?so ({letter}) = [^.]*?(\d+) \."
        if own := self.all(pattern):
            (found,) = own
            named = re.search(rf"as ({letter}) ;", found.group())
            letters = {self.first(found), self.number[found.start() + named.start(1)]}
        else:
            (found,) = self.all(rf"(?<=; )({letter}) = [^.;]*= (\d+)(?= ;)")
            letters = {self.first(found)}
        result = {self.first(found, 2)}
        return self.span(found.start(), found.end()) - letters - result, letters, result


def predictions(tokens):
    """Kind, current word, and the words of each role, of all predictions of a document."""
    text = Text(tokens)
    for sentence in text.all(r"Define ([^.;]*?) as (\w) ;[^.]*\."):
        name, first, end = sentence.group(1), sentence.start(), sentence.end()
        own = [m for m in text.all(OPERATION) if first <= m.start() < end]
        copies = [m for m in text.all(COPY) if first <= m.start() < end]
        constants = [m for m in text.all(CONSTANT) if first <= m.start() < end]
        mine = {m.group(1) for m in own}
        used = [t for m in own for t in (m.group(2), m.group(4)) if t not in mine]
        used += [m.group(2) for m in copies]

        def roles(kind, at, letters, read=(), more=(), text=text, sentence=sentence, name=name):
            statement, numbers = text.statement(name)
            found = {
                "bos": {0},
                "question": _question(text),
                "own_name": text.span(sentence.start(1), sentence.end(1)),
                "statement": statement,
                "statement_numbers": numbers,
            }
            parts = [text.definition(letter) for letter in letters]
            for i, role in enumerate(("definition", "definition_letter", "definition_result")):
                found[role] = set().union(*(part[i] for part in parts))
            found |= {"letters": set(read), **dict(more), "self": {at}}
            kept, taken = {}, set()
            for role in reversed(found):  # what comes later takes a word from what comes before
                kept[role] = {i for i in found[role] - taken if i <= at}
                taken |= found[role]
            return kind, at, kept

        yield roles("name", text.first(sentence) - 1, used)
        for m in own:
            terms, quoted = (
                (text.first(m, 2), text.first(m, 4)),
                (text.first(m, 5), text.first(m, 7)),
            )
            for term in terms:
                yield roles("hint", term - 1, [text.words[term]])
            for term, number in zip(terms, quoted, strict=True):
                yield roles("number", number - 1, [text.words[term]], [term])
            more = [("operator", {text.first(m, 3), text.first(m, 6)}), ("numbers", set(quoted))]
            yield roles("result", text.first(m, 8) - 1, [m.group(2), m.group(4)], terms, more)
        for m in copies:
            yield roles("hint", text.first(m, 2) - 1, [m.group(2)])
            yield roles("number", text.first(m, 3) - 1, [m.group(2)], [text.first(m, 2)])
        for m in constants:
            yield roles("number", text.first(m, 2) - 1, [])


def _question(text):
    found = re.search(r"How many [^?]* \?", text.text)
    return text.span(found.start(), found.end())


PLANTED = {
    (0, 0): ("result", "numbers"),
    (0, 1): ("number", "definition_result"),
    (1, 0): ("hint", "definition_letter"),
}
UNIFORM = (1, 1)


class Planted(Decoder):
    """Each head of `PLANTED` looks at the source of one kind of token, and otherwise at itself."""

    def attention_patterns(self, tokens, layers=None, segments=None):
        n = tokens.shape[1]
        maps = torch.eye(n).repeat(2, 2, 1, 1)
        maps[UNIFORM] = torch.ones(n, n).tril() / torch.arange(1, n + 1)[:, None]
        if n > 2:  # a document
            for kind, at, roles in predictions(tokens[0].tolist()):
                for head, (own, source) in PLANTED.items():
                    if kind == own and (places := list(roles.get(source, ()))):
                        maps[head][at] = 0
                        maps[head][at, places] = 1 / len(places)
        for layer in (0, 1) if layers is None else layers:
            yield layer, maps[layer][None]


def model_of(corpus, **changes):
    small = {"n_layers": 2, "n_heads": 2, "d_model": 16, "init_std": 0.3}
    return DecoderConfig(**(small | changes)).build(corpus.vocabulary.size, 384, 0).eval()


def planted(corpus):
    model = model_of(corpus)
    model.__class__ = Planted
    return model
