"""Rendering biographies: ours, a plain-Python generator of the same corpus, and a tokenizer."""

import random
from collections.abc import Callable

from benchmarks.timing import Row, compare
from physlm.data.people.bios import BiosConfig
from physlm.data.people.knowledge import KnowledgeCorpus
from physlm.data.people.pools import ATTRIBUTES, templates
from physlm.data.tokens import gpt2_tokenizer

_N_PEOPLE = 20_000


def corpus_rows() -> list[Row]:
    """One epoch of bioS with GPT-2's tokens, on one core."""
    corpus = BiosConfig(n_people=_N_PEOPLE).build(0)
    epochs = iter(range(10**6))

    def ours() -> int:
        return len(corpus.epoch(next(epochs), 0, _N_PEOPLE).tokens)

    shape = f"bioS({_N_PEOPLE:,})"
    peers = {
        "plain Python, pre-tokenised pieces": plain_pieces(corpus),
        "plain Python text + tokenizers (GPT-2)": plain_text(corpus),
    }
    return [
        compare("corpus generation", shape, peer, ours=ours, theirs=theirs)
        for peer, theirs in peers.items()
    ]


def plain_pieces(corpus: KnowledgeCorpus) -> Callable[[], int]:
    """The same documents by lists of token lists, as one writes it without compiled code."""
    encode, eos = (lambda text: corpus.vocabulary.encode(text).tolist()), corpus.vocabulary.eos
    sentences = [[(encode(b), encode(a)) for b, a in templates(name)] for name in ATTRIBUTES]
    people = []
    for i in range(_N_PEOPLE):
        facts = corpus.facts(i)
        values = [encode(f" {facts[name]}") for name in ATTRIBUTES]
        people.append((encode(facts["name"]), encode(f" {facts['gender']}"), values))
    rng = random.Random(0)

    def render() -> int:
        rng.shuffle(people)
        tokens: list[int] = []
        for name, pronoun, values in people:
            tokens.append(eos)
            subject = name
            for attribute in rng.sample(range(len(ATTRIBUTES)), len(ATTRIBUTES)):
                before, after = rng.choice(sentences[attribute])
                tokens += subject
                tokens += before
                tokens += values[attribute]
                tokens += after
                subject = pronoun
        return len(tokens)

    return render


def plain_text(corpus: KnowledgeCorpus) -> Callable[[], int]:
    """The same documents as text, then tokenised; a tenth of the people, since it is slow."""
    tokenizer = gpt2_tokenizer()
    sentences = [templates(name) for name in ATTRIBUTES]
    people = [corpus.facts(i) for i in range(_N_PEOPLE // 10)]
    rng = random.Random(0)

    def render() -> int:
        rng.shuffle(people)
        texts = []
        for facts in people:
            subject, parts = facts["name"], []
            for attribute in rng.sample(range(len(ATTRIBUTES)), len(ATTRIBUTES)):
                before, after = rng.choice(sentences[attribute])
                parts.append(f"{subject}{before} {facts[ATTRIBUTES[attribute]]}{after}")
                subject = facts["gender"]
            texts.append(" ".join(parts))
        return sum(1 + len(encoding.ids) for encoding in tokenizer.encode_batch(texts))

    return render
