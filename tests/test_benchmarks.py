"""The benchmarks' own measures; the figures are for `make bench`."""

import random
import time

import numpy as np
import pytest
import torch

from benchmarks import contenders, lenses, spectra, tasks
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
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_every_contender_takes_its_steps(precision, monkeypatch):
    monkeypatch.setattr(contenders, "DEVICE", "cpu")
    makers = {"ours": contenders.ours} | contenders.others() | contenders.own_loops()
    for maker in makers.values():
        with maker(TINY, contenders.Mode(precision)) as turn:
            assert turn() % TINY.n_tokens == 0


@pytest.mark.parametrize(
    "name", ["nano_gpt", "zoology", "_transformers_gpt2", "_transformers_llama"]
)
def test_others_have_about_as_many_parameters(name):
    shape = Shape("a", 2, 96, 4, 64, 16, 4, 1)
    theirs, ours = getattr(contenders, name)(shape), shape.model()
    assert n_parameters(theirs) == pytest.approx(n_parameters(ours), rel=0.03)


@pytest.mark.parametrize("name", ["nano_gpt", "zoology"])
def test_plain_architectures_compute_what_gpt2_does(name):
    """With the same weights as the model of transformers, which has GELU in its exact form too."""
    import transformers

    shape = Shape("a", 2, 32, 4, 64, 16, 4, 1)
    config = transformers.GPT2Config(
        vocab_size=64, n_positions=16, n_embd=32, n_layer=2, n_head=4, activation_function="gelu"
    )
    theirs = transformers.GPT2LMHeadModel(config).eval()
    plain = getattr(contenders, name)(shape)
    with torch.no_grad():
        for own, other in zip(in_gpt2_order(plain), theirs.parameters(), strict=True):
            # GPT-2 keeps the matrices of its blocks transposed.
            own.copy_(other.T if own.shape != other.shape or is_in_block(other, theirs) else other)
    tokens = torch.randint(64, (3, 16))
    torch.testing.assert_close(plain(tokens), theirs(tokens).logits, rtol=1e-4, atol=1e-5)


def n_parameters(model):
    return sum(p.numel() for p in model.parameters())


def in_gpt2_order(plain):
    yield plain.tokens.weight
    yield plain.positions.weight
    for block in plain.blocks:
        parts = (block.attention_norm, block.qkv, block.out)
        for module in (*parts, block.mlp_norm, block.mlp[0], block.mlp[2]):
            yield module.weight
            yield module.bias
    yield plain.norm.weight
    yield plain.norm.bias


def is_in_block(parameter, theirs):
    own = {id(p) for p in theirs.transformer.h.parameters() if p.dim() == 2}
    return id(parameter) in own


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
