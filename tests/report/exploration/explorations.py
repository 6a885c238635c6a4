"""Explorations of a small random model of a world of people."""

from functools import cache

from physlm.analysis.lenses import LogitLens
from physlm.models.architecture import DecoderConfig
from physlm.report.exploration.exploration import explored
from physlm.report.exploration.run_subject import RunSubject
from tests.conftest import tiny_biod_config

N_LAYERS = 3


def subject_of(corpus):
    """A model of a corpus, with large random weights."""
    config = DecoderConfig(n_layers=N_LAYERS, d_model=16, n_heads=2, init_std=0.5)
    return RunSubject("toy", config.build(corpus.vocabulary.size, 32, 0).eval(), corpus)


@cache
def subject():
    """The same model of the same abstract world whenever it is asked for."""
    return subject_of(tiny_biod_config().build(0))


def exploration(n_given=6, n_top=5):
    """Of a document of the world, whose last tokens count as written by the model."""
    own = subject()
    tokens = own.document(0)
    return explored(own, tokens, n_given, LogitLens(own.model), "logit lens", n_top=n_top)
