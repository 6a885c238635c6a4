"""What a world knows of each token agrees with the world itself."""

import numpy as np
import pytest

from physlm.data.annotation import AnnotatedDocuments, annotated
from physlm.data.cfg.corpus import CfgConfig
from physlm.data.mixture import Mixture
from physlm.data.people.biod import BiodConfig
from physlm.data.people.bios import BiosConfig
from physlm.data.public.corpus import PublicFiguresConfig


@pytest.fixture(scope="module")
def strings():
    corpus = CfgConfig(grammar="cfg3b", root=19, n_strings=10).build(0)
    return corpus, annotated(corpus, 600)


@pytest.fixture(scope="module")
def people():
    corpus = BiosConfig(n_people=40, pool_size=20, tokenizer="compact").build(0)
    return corpus, annotated(corpus, 8000)


def test_the_truth_of_strings_is_a_distribution_that_allows_every_token(strings):
    corpus, found = strings
    tokens = found.documents.tokens
    is_first = np.isin(np.arange(len(tokens)), found.documents.starts)
    assert np.isnan(found.truth[is_first]).all()
    truth, tokens = found.truth[~is_first], tokens[~is_first]
    np.testing.assert_allclose(truth.sum(axis=1), 1, atol=1e-6)
    assert (truth[np.arange(len(tokens)), tokens] > 0).all()
    # Over whole strings the probabilities of the tokens, and of the end, are the string's.
    total = sum(
        corpus.grammar.log_probability(s)
        for s in corpus.measured(len(found.documents), "annotated")
    )
    ends = [
        corpus.grammar.next_token_distribution(s)[-1, 0]
        for s in corpus.measured(len(found.documents), "annotated")
    ]
    own = np.log(truth[np.arange(len(tokens)), tokens]).sum() + np.log(ends).sum()
    assert own == pytest.approx(total, rel=1e-5)


def test_classes_of_strings_count_the_subtrees_that_end_before_a_token(strings):
    corpus, found = strings
    parsed = corpus.measured(len(found.documents), "annotated", derivations=True)
    parents = parsed.derivations.ancestors[-2]
    subtrees = parsed.derivations.subtrees[-2]
    assert parents.shape == parsed.tokens.shape
    classes = np.delete(found.classes, found.documents.starts[:-1])
    is_first = np.isin(np.arange(len(classes)), parsed.starts)
    begins = np.concatenate([[True], subtrees[1:] != subtrees[:-1]]) & ~is_first
    assert (classes[is_first] == "first").all()
    assert (classes[~begins & ~is_first] == "inside").all()
    assert np.char.startswith(classes[begins], "level_").all()


def test_values_and_names_are_those_of_the_person(people):
    corpus, found = people
    documents = found.documents
    for i in (0, 17, len(documents) - 1):
        span = slice(documents.starts[i], documents.starts[i + 1])
        facts = corpus.facts(found.groups[i])
        tokens, classes = documents.tokens[span], found.classes[span]
        attributes = found.tags["attribute"][span]
        is_name = np.char.startswith(classes, "name_")
        assert corpus.vocabulary.decode(tokens[is_name]).strip() == facts["name"]
        for name in ("birth_date", "employer", "company_city"):
            own = attributes == name
            assert corpus.vocabulary.decode(tokens[own]).strip() == facts[name]
            assert classes[own].tolist() == ["value_first"] + ["value_later"] * (own.sum() - 1)
            assert found.tags["value_position"][span][own].tolist() == list(range(1, own.sum() + 1))
            assert set(found.tags["value_length"][span][own]) == {own.sum()}


def test_rounds_after_the_first_hold_other_texts_of_the_same_people(people):
    corpus, found = people
    documents = found.documents
    assert np.array_equal(found.groups[: corpus.n_people], np.arange(corpus.n_people))
    again = int(np.flatnonzero(found.groups == 0)[1])
    first, second = (
        documents.tokens[documents.starts[i] : documents.starts[i + 1]].tolist() for i in (0, again)
    )
    assert first != second


def test_the_entropy_of_a_value_is_that_of_its_first_token_over_all_people():
    corpus = BiodConfig(n_people=1500, diversity=8, chunk_length=2, n_chunks=2).build(0)
    found = annotated(corpus, 4000)
    own = found.tags["attribute"] == "id_1"
    position, entropy = found.tags["value_position"][own], found.entropy_nats[own]
    for chunk in (0, 1):  # every chunk is one of 8 strings, whatever the chunk before
        # H(first token) + E[H(second | first)] is the entropy of a string.
        parts = [entropy[position == 2 * chunk + j].mean() for j in (1, 2)]
        assert sum(parts) == pytest.approx(np.log(8), abs=0.06)


def test_a_corpus_that_knows_nothing_gives_its_documents_and_a_mixture_its_first_part(people):
    plain = PublicFiguresConfig().build(0)
    found = annotated(plain, 500)
    assert isinstance(found, AnnotatedDocuments)
    assert len(found.documents.tokens) >= 500
    assert found.every_tag == {}
    mixed = annotated(Mixture((people[0], people[0]), (0.5, 0.5)), 8000)
    assert np.array_equal(mixed.documents.tokens, people[1].documents.tokens)
