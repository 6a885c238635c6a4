"""The benchmarks' own measures; the figures are for `make bench`."""

import random
import time

import numpy as np
import pytest
import torch

from benchmarks import lenses, spectra, tasks, training
from benchmarks.loop import _ours, _plain
from benchmarks.memory import peak_mebibytes
from benchmarks.plain_igsm import plain_igsm
from benchmarks.shapes import Shape
from benchmarks.timing import Row, race
from physlm.analysis.lenses import LogitLens
from physlm.analysis.lenses.divergence import kl_to_final
from physlm.analysis.lenses.state_pool import StatePool, Windows
from physlm.analysis.spectra import spectral_metrics
from physlm.analysis.spectra.maps import combined_heads
from physlm.data.people.bios import BiosConfig
from physlm.data.tasks.brevo import Brevo
from physlm.data.tasks.copy import Copy
from physlm.data.tasks.depo import Depo
from physlm.data.tasks.igsm import Igsm
from physlm.data.tasks.mano import Mano

TINY = Shape("tiny", 1, 16, 2, 32, 8, 4, 4)


def test_a_ratio_above_one_is_in_our_favour():
    assert Row("w", "s", "p", 30.0, 10.0, "tokens/s").ratio == 3
    assert Row("w", "s", "p", 10.0, 30.0, "MiB", is_cost=True).ratio == 3


def test_a_race_finds_the_faster_one():
    def sleeper(seconds):
        def run():
            time.sleep(seconds)
            return 10

        return run

    speeds = race(3, slow=sleeper(0.02), fast=sleeper(0.005))
    assert speeds["slow"].median < speeds["fast"].median < 2000
    assert speeds["slow"].median < 500


def test_peak_memory_is_what_is_held_at_once():
    def step():
        for _ in range(3):
            a = torch.zeros(2**20)  # 4 MiB
            b = a + 1
            del a, b
        return 1

    assert peak_mebibytes(step) == pytest.approx(8, abs=0.5)


@pytest.mark.filterwarnings("ignore")  # of Lightning's defaults
@pytest.mark.parametrize("name", ["_ours", "_plain", "_lightning_defaults"])
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_every_contender_takes_its_steps(name, precision, monkeypatch):
    monkeypatch.setattr(training, "DEVICE", "cpu")
    with getattr(training, name)(TINY, training.Mode(precision)) as turn:
        assert turn() % TINY.n_tokens == 0


@pytest.mark.parametrize("kind", ["gpt2", "llama"])
def test_peers_have_about_as_many_parameters(kind):
    import transformers

    shape = Shape("a", 2, 96, 4, 64, 16, 4, 1)
    theirs = transformers.AutoModelForCausalLM.from_config(training._config(kind, shape))
    ours = sum(p.numel() for p in shape.model().parameters())
    assert sum(p.numel() for p in theirs.parameters()) == pytest.approx(ours, rel=0.03)


def test_the_recipe_of_tuned_lens_lowers_the_divergence_of_every_state():
    corpus = BiosConfig(n_people=20, exposures=1000, pool_size=5).build(0)
    model = lenses.llama(corpus.vocabulary.size, n_layers=2, d_model=32)
    lenses.train(model, lenses.windows(corpus, 0), n_steps=5)
    held_out = Windows(lenses.first(lenses.windows(corpus, 500), 16))
    (states,) = StatePool(model, held_out, skip_first=1, seed=0)
    fitted = lenses.recipe(model, lenses.windows(corpus, 100), 10)
    before, after = (kl_to_final(lens, states).mean(1) for lens in (LogitLens(model), fitted))
    assert (after[:-1] < before[:-1]).all()


def test_the_spectral_metrics_by_hand_are_those_of_physlm():
    given = spectra.text(40, n_layers=2, n_heads=3)
    ours = spectral_metrics(combined_heads(given.attention, "mean"), given.residual)
    for i, (maps, x) in enumerate(zip(given.attention, given.residual, strict=True)):
        a = maps.mean(0).double().numpy()
        theirs = spectra.metrics_by_hand(a, (a + a.T) / 2, x.numpy())
        assert set(theirs) == set(ours)
        assert {name: float(ours[name][i]) for name in ours} == pytest.approx(
            theirs, rel=5e-4, abs=1e-5
        )


@pytest.mark.slow
def test_loops_are_timed_per_step():
    assert 10 < _plain() < 1e4
    assert 10 < _ours() < 1e4


@pytest.mark.parametrize(
    ("task", "plain"),
    [
        pytest.param(Depo(n_max=20), tasks.plain_depo, marks=pytest.mark.slow),
        pytest.param(Brevo(n_max=15), tasks.plain_brevo, marks=pytest.mark.slow),
        pytest.param(Mano(), tasks.plain_mano, marks=pytest.mark.slow),
        (Copy(n_copied=9), tasks.plain_copy),
        pytest.param(Igsm(op_max=8, ip_max=14), plain_igsm, marks=pytest.mark.slow),
    ],
)
def test_documents_in_plain_python_have_the_lengths_of_ours(task, plain):
    rng, n = random.Random(0), 1000
    lengths = [len(plain(task, rng)) for _ in range(n)]
    ours = np.diff(task.numbered(0, 0, n, {}).starts)
    error = np.hypot(np.std(lengths), ours.std()) / n**0.5
    assert np.mean(lengths) == pytest.approx(ours.mean(), abs=4 * error)
