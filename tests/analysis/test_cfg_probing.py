"""Probes for a grammar, on states with planted ancestors."""

import numpy as np
import pytest
import torch

from physlm.analysis.cfg_probes import _states
from physlm.analysis.cfg_probing import CfgProbingConfig
from physlm.analysis.reach import Reach
from physlm.data.cfg.corpus import CfgConfig
from physlm.errors import InputError
from physlm.models.architecture import DecoderConfig, EncoderConfig
from tests.eval.oracle import Uniform

CONFIG = CfgProbingConfig(n_train=200, n_test=60, n_steps=500, reaches=[Reach.diagonal])


@pytest.fixture(scope="module")
def corpus():
    return CfgConfig(grammar="cfg3b", root=16).build(0)


class Planted(Uniform):
    """States that hold, where a subtree of level 3 ends, which symbol it has; else noise."""

    def __init__(self, corpus, *, holds_it=True):
        super().__init__(corpus)
        self.holds_it = holds_it

    def hidden_states(self, tokens, segments=None):
        eos = self.corpus.vocabulary.eos
        states = torch.randn((*tokens.shape, 16), generator=torch.Generator().manual_seed(0))
        for row, state in zip(tokens, states, strict=True):
            string = self.corpus.string(row[1:][row[1:] != eos].numpy())
            truth = self.corpus.grammar.parse(string).derivations
            symbols = np.searchsorted(self.corpus.grammar.levels[2], truth.ancestors[2])
            for i in np.flatnonzero(truth.is_boundary[2]):
                if self.holds_it:
                    state[1 + i] = 8 * torch.eye(16)[symbols[i]]
        return states

    def untrained(self, seed):
        return Planted(self.corpus, holds_it=False)


@pytest.fixture(scope="module")
def found(corpus):
    return values(CONFIG.measure(Planted(corpus), corpus))


def values(measurement):
    """Values by metric, target, reach, positions and level."""
    dims = ("target", "reach", "positions", "level")
    return {
        (m.name.removeprefix("probe/"), *(m.dims[dim] for dim in dims)): m.value
        for m in measurement.metrics
    }


def test_a_planted_ancestor_is_found_at_its_ends_and_not_elsewhere(found):
    assert found["accuracy", "ancestor", "diagonal", "ends", 3] > 0.97
    assert found["accuracy", "ancestor", "diagonal", "elsewhere", 3] < 0.6
    assert found["accuracy", "boundary", "diagonal", "all", 3] > 0.97


def test_other_levels_and_the_untrained_model_show_nothing(found):
    assert found["accuracy", "ancestor", "diagonal", "ends", 4] < 0.6
    untrained = found["untrained_accuracy", "ancestor", "diagonal", "ends", 3]
    assert untrained < 0.6
    difference = found["accuracy", "ancestor", "diagonal", "ends", 3] - untrained
    assert found["gain", "ancestor", "diagonal", "ends", 3] == pytest.approx(difference)


def test_every_inner_level_is_probed(corpus):
    config = CfgProbingConfig(n_train=8, n_test=4, n_heads=2, n_steps=2, reaches=list(Reach))
    found = values(config.measure(Planted(corpus), corpus))
    for level in (2, 3, 4):
        for reach, positions in (
            ("full", "all"),
            ("diagonal", "ends"),
            ("diagonal", "elsewhere"),
            ("tridiagonal", "ends"),
        ):
            assert 0 <= found["accuracy", "ancestor", reach, positions, level] <= 1
        for reach in Reach:
            assert 0 <= found["accuracy", "boundary", reach.value, "all", level] <= 1
    assert {level for *_, level in found} == {2, 3, 4}


def test_a_model_is_compared_with_its_untrained_architecture(corpus):
    config = CfgProbingConfig(n_train=8, n_test=4, n_heads=2, n_steps=2, d_position=8)
    model = DecoderConfig(d_model=16, n_layers=1).build(4, 80, 0)
    config.check(model, corpus)
    assert {m.n for m in config.measure(model, corpus).metrics} == {4}


def test_states_do_not_depend_on_padding(corpus):
    strings = corpus.measured(6, "padding", derivations=True)
    shortest = strings.chosen(strings.lengths == strings.lengths.min())
    n, longest = int(strings.lengths.min()), int(strings.lengths.max())
    assert longest > n
    for config in (DecoderConfig, EncoderConfig):
        model = config(d_model=16, n_layers=2, init_std=0.2).build(4, 80, 0).eval()
        alone = _states(model, corpus, shortest, longest)
        together = _states(model, corpus, strings, longest)
        row = together[int(strings.lengths.argmin())]
        torch.testing.assert_close(row, alone[0], atol=1e-5, rtol=1e-4)
        assert (row[n:] == 0).all()
        assert (row[:n] != 0).any(dim=1).all()


def test_models_and_grammars_that_cannot_be_probed_are_refused(corpus, tmp_path):
    with pytest.raises(InputError, match="this model has no hidden_states"):
        CfgProbingConfig().check(Uniform(corpus), corpus)
    path = tmp_path / "flat.txt"
    path.write_text("root 3\nterminals 1 2\n3 -> 1 2 | 2 1\n")
    flat = CfgConfig(grammar=str(path)).build(0)
    model = DecoderConfig(d_model=16, n_layers=1).build(3, 80, 0)
    with pytest.raises(InputError, match="at least 3 levels"):
        CfgProbingConfig().check(model, flat)
    with pytest.raises(ValueError, match=r"reaches=\[\]"):
        CfgProbingConfig(reaches=[])
