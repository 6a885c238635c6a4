"""What every corpus is."""

import importlib
import inspect
import pkgutil

import physlm.data
from physlm.data.corpus import Corpus, OneLine
from tests.conftest import tiny_biod_config


def corpora():
    """All classes of corpora in physlm.data."""
    found = set()
    for module in pkgutil.walk_packages(physlm.data.__path__, "physlm.data."):
        classes = inspect.getmembers(importlib.import_module(module.name), inspect.isclass)
        found |= {kind for _, kind in classes if hasattr(kind, "fingerprint")}
    return found - {Corpus}


def test_every_corpus_is_one_line_in_a_notebook():
    assert len(corpora()) > 15
    for kind in corpora():
        assert kind.__repr__ is OneLine.__repr__, kind
    corpus = tiny_biod_config(n_people=36, exposures=1000).build(seed=0)
    assert repr(corpus) == "KnowledgeCorpus(36 documents, 1,000 epochs)"
