"""Grammar scorers on a perfect model, on a uniform one, and against closed forms."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from physlm.analysis.cfg_attention import CfgAttentionConfig
from physlm.analysis.cfg_probing import CfgProbingConfig
from physlm.data.cfg.corpus import CfgConfig
from physlm.data.cfg.corruption import CorruptionKind
from physlm.data.cfg.derivation import Strings
from physlm.errors import InputError
from physlm.eval.cfg.accuracy import CfgAccuracyConfig
from physlm.eval.cfg.distribution import CfgDistributionConfig
from physlm.eval.cfg.generation import joined
from physlm.eval.cfg.prefixes import is_continued, longer_strings, prefixes_of
from physlm.eval.cfg.robustness import CfgRobustnessConfig
from physlm.eval.cfg.scores import log_probabilities
from physlm.eval.generate import Generated
from physlm.measurement import by_text
from physlm.models.architecture import DecoderConfig
from physlm.models.components import PositionEncoding
from physlm.models.decoder import Decoder
from tests.eval.oracle import Oracle, Read, Uniform


@pytest.fixture(scope="module")
def corpus():
    return CfgConfig(grammar="cfg3b", root=16).build(0)


def measured(scorer, model, corpus):
    return by_text(scorer.measure(model, corpus).metrics)


@pytest.fixture(scope="module")
def perfect(corpus):
    config = CfgAccuracyConfig(n_samples=30, prefixes=[0, 20])
    return measured(config, Oracle(corpus), corpus)


def test_a_perfect_model_generates_strings_of_the_language_only(perfect):
    for prefix in (0, 20):
        assert perfect[f"cfg/accuracy{{prefix={prefix},split=test}}"].value == 1
        assert perfect[f"cfg/unfinished{{prefix={prefix},split=test}}"].value == 0
    assert not [name for name in perfect if "error" in name]


def test_a_perfect_models_output_has_the_grammars_entropy(perfect, corpus):
    measured = perfect["cfg/output_entropy_bits{split=test}"]
    truth = corpus.grammar.derivation_entropy_bits  # this language is not ambiguous
    assert corpus.grammar.ambiguity_bits(50, np.random.default_rng(0)).value < 1e-9
    assert perfect["cfg/string_entropy_bits{split=test}"].value == pytest.approx(truth)
    assert abs(measured.value - truth) < 4 * measured.stderr + 1e-6
    assert perfect["cfg/collisions{split=test}"].value == 0


def test_a_uniform_model_generates_no_string_of_the_language(corpus):
    config = CfgAccuracyConfig(n_samples=300, prefixes=[0, 20])
    metrics = measured(config, Uniform(corpus), corpus)
    assert metrics["cfg/accuracy{prefix=0,split=test}"].value == 0
    assert metrics["cfg/accuracy{prefix=20,split=test}"].value < 0.05
    shares = [
        m.value
        for m in metrics.values()
        if m.name == "cfg/error_fraction" and m.dims["prefix"] == 0
    ]
    assert sum(shares) == pytest.approx(1)
    # A string of k tokens has probability 4^-(k+1): its length is geometric, with mean 3.
    entropy = metrics["cfg/output_entropy_bits{split=test}"]
    assert abs(entropy.value - 4 * 2) < 4 * entropy.stderr
    assert metrics["cfg/collisions{split=test}"].value > 100


def test_equal_strings_are_counted_in_pairs(corpus):
    class Constant(Uniform):
        def _scores(self, row):
            return super()._scores(row) + 50 * torch.eye(4)[3]

    metrics = by_text(
        CfgAccuracyConfig(n_samples=20, prefixes=[0]).measure(Constant(corpus), corpus).metrics
    )
    assert (
        metrics["cfg/collisions{split=test}"].value
        == metrics["cfg/collisions{split=test}"].n
        == 190
    )
    assert metrics["cfg/output_entropy_bits{split=test}"].value == pytest.approx(0, abs=1e-6)


def test_an_unfinished_string_fails(corpus):
    class Endless(Oracle):
        def _scores(self, row):
            return super()._scores(row) - 3e9 * torch.eye(4)[3]

    metrics = by_text(
        CfgAccuracyConfig(n_samples=5, prefixes=[0]).measure(Endless(corpus), corpus).metrics
    )
    assert metrics["cfg/unfinished{prefix=0,split=test}"].value == 1
    assert metrics["cfg/accuracy{prefix=0,split=test}"].value == 0


def test_the_string_is_the_prompt_with_its_continuation(corpus):
    string = corpus.documents(corpus.measured(1, "x")).tokens.astype(np.int64)
    generated = Generated([string[10:]], np.array([True]))
    written = joined(corpus, [string[:10]], generated)
    assert corpus.grammar.accepts_batch(written.strings).all()


def test_a_perfect_models_loss_is_the_floor(corpus):
    config = CfgDistributionConfig(n_strings=50, batch_size=7)
    metrics = measured(config, Oracle(corpus), corpus)
    floor = metrics["cfg/floor_nats{split=test}"].value
    assert metrics["cfg/loss_nats{split=test}"].value == pytest.approx(floor, rel=1e-5)
    assert metrics["cfg/loss_over_floor{split=test}"].value == pytest.approx(1, rel=1e-5)
    assert abs(metrics["cfg/kl_nats{split=test}"].value) < 1e-6
    expected = corpus.grammar.floor_nats_per_token(50, np.random.default_rng(0)).value
    assert metrics["cfg/floor_nats{split=test}"].value == pytest.approx(expected, rel=0.05)


def test_a_uniform_models_loss_and_divergence_are_their_closed_forms(corpus):
    config = CfgDistributionConfig(n_strings=50)
    metrics = measured(config, Uniform(corpus), corpus)
    assert metrics["cfg/loss_nats{split=test}"].value == pytest.approx(math.log(4), rel=1e-6)
    strings = corpus.measured(50, "distribution")
    entropies = []
    for string in strings:
        p = corpus.grammar.next_token_distribution(string)
        logs = np.log(p, where=p > 0, out=np.zeros_like(p))
        entropies.append(-(p * logs).sum(axis=1).mean())
    assert metrics["cfg/kl_nats{split=test}"].value == pytest.approx(
        math.log(4) - np.mean(entropies), rel=1e-6
    )


def test_log_probabilities_leave_out_missing_ends(corpus):
    strings = Strings.of([[3, 2, 1], [1]])
    found = log_probabilities(
        Uniform(corpus), corpus, strings, has_end=np.array([True, False]), batch_size=10
    )
    np.testing.assert_allclose(found, [-4 * math.log(4), -math.log(4)], rtol=1e-6)


def test_a_perfect_model_continues_clean_prefixes_and_not_corrupted_ones(corpus):
    config = CfgRobustnessConfig(n_samples=15, prefix=20, temperatures=[1.0], token_rate=0.3)
    metrics = measured(config, Oracle(corpus), corpus)
    assert metrics["cfg/robust_accuracy{corruption=clean,split=test,temperature=1}"].value == 1
    assert metrics["cfg/robust_accuracy{corruption=terminal,split=test,temperature=1}"].value < 0.5


def test_the_clean_prefix_decides_and_not_the_corrupted_one(corpus):
    """A model that always continues the clean prefix is correct on corrupted ones."""

    class Knowing(Oracle):
        def prefill(self, prompts, lengths, n_positions):
            rows = [meant[tuple(row[:n].tolist())] for row, n in zip(prompts, lengths, strict=True)]
            cache = Read([row.tolist() for row in rows])
            return self._next(cache), cache

    clean = longer_strings(corpus, 10, 20)
    for kind in CorruptionKind:
        prefixes = prefixes_of(corpus, clean, 20, kind, 0.15)
        meant = {tuple(p.tolist()): m for p, m in zip(prefixes.read, prefixes.meant, strict=True)}
        if len(meant) == len(prefixes.read):
            model = Knowing(corpus)
            assert is_continued(model, corpus, prefixes, temperature=1.0, batch_size=500).all()


@pytest.mark.parametrize(
    "config", [CfgAccuracyConfig(), CfgDistributionConfig(), CfgRobustnessConfig()]
)
def test_other_worlds_are_refused(config, biod):
    with pytest.raises(InputError, match="measures data=cfg only"):
        config.check(Uniform(biod), biod)


def test_prefixes_longer_than_the_strings_are_refused(corpus):
    with pytest.raises(InputError, match=r"prefixes=\[0, 72\]; the longest string .* has 72"):
        CfgAccuracyConfig(prefixes=[0, 72]).check(Uniform(corpus), corpus)
    with pytest.raises(InputError, match="prefix=71: only 0% of the strings are longer"):
        CfgRobustnessConfig(prefix=71).check(Uniform(corpus), corpus)
    with pytest.raises(InputError, match="prefix=2; must be at least 3, so that a symbol"):
        CfgRobustnessConfig(prefix=2).check(Uniform(corpus), corpus)


def test_settings_without_strings_to_measure_are_refused_before_training(corpus):
    rare = int(np.flatnonzero(corpus.grammar.length_distribution[::-1].cumsum() > 1e-4)[0])
    longest = corpus.grammar.longest - rare
    with pytest.raises(InputError, match=rf"all are longer than {longest}; use shorter prefixes"):
        CfgAccuracyConfig(prefixes=[longest]).check(Uniform(corpus), corpus)
    n_seen = int(np.flatnonzero(corpus.grammar.length_distribution.cumsum() >= 0.93)[0]) + 1
    model = DecoderConfig(position=PositionEncoding.learned, d_model=16).build(4, n_seen, 0)
    with pytest.raises(InputError, match=rf"prefixes=\[{n_seen}\] leaves no room for what follows"):
        CfgAccuracyConfig(prefixes=[n_seen]).check(model, corpus)
    lengths = corpus.measured(200, "distribution").lengths
    unlucky = replace(
        corpus,
        seed=next(
            seed
            for seed in range(200)
            if replace(corpus, seed=seed).measured(1, "distribution").lengths[0] >= n_seen
        ),
    )
    assert (lengths < n_seen).any()
    with pytest.raises(InputError, match="n_strings=1: none of these strings fits the learned"):
        CfgDistributionConfig(n_strings=1).check(model, unlucky)


@pytest.mark.parametrize(
    ("config", "setting"),
    [
        (CfgAccuracyConfig(n_samples=10**13), "n_samples"),
        (CfgDistributionConfig(n_strings=10**13), "n_strings"),
        (CfgRobustnessConfig(prefix=20, n_samples=10**13), "n_samples"),
        (CfgProbingConfig(n_train=10**13), "n_train"),
        (CfgProbingConfig(n_test=10**13), "n_test"),
        (CfgAttentionConfig(n_strings=10**13), "n_strings"),
    ],
)
def test_more_strings_than_memory_holds_are_refused_before_training(corpus, config, setting):
    model = DecoderConfig(d_model=16, n_layers=1).build(4, 64, 0)
    name = config.__class__.__name__
    with pytest.raises(InputError, match=rf"{setting}=10000000000000 takes .* GiB") as refusal:
        config.check(model, replace(corpus))
    assert name.removeprefix("Cfg").removesuffix("Config").lower() in str(refusal.value)


@pytest.mark.parametrize(
    ("kind", "values", "message"),
    [
        (CfgAccuracyConfig, {"prefixes": [0, 0]}, r"prefixes=\[0, 0\]; name each length once"),
        (CfgRobustnessConfig, {"temperatures": []}, r"temperatures=\[\]; name at least one"),
        (CfgRobustnessConfig, {"temperatures": [1.0, 1.0000001]}, "name at least one, each once"),
        (CfgProbingConfig, {"reaches": ["full", "full"]}, "name each once"),
    ],
)
def test_repeated_or_missing_settings_are_refused(kind, values, message):
    with pytest.raises(ValueError, match=message):
        kind(**values)


def test_learned_positions_too_short_for_the_strings_are_refused(corpus):
    model = DecoderConfig(position=PositionEncoding.learned, d_model=16).build(4, 40, 0)
    with pytest.raises(InputError, match="data.seq_len=40: only .* of the strings"):
        CfgDistributionConfig().check(model, corpus)


def test_measurements_do_not_depend_on_the_batch_size(corpus):
    model = DecoderConfig(d_model=16, n_layers=1).build(4, 64, 0).eval()
    values = []
    for size in (3, 50):
        found = CfgDistributionConfig(n_strings=20, batch_size=size).measure(model, corpus)
        values.append([metric.value for metric in found.metrics])
    np.testing.assert_allclose(*values, rtol=1e-5)
    assert CfgAccuracyConfig(n_samples=8, prefixes=[0]).curve(model, corpus)[0].n == 200


def test_unfinished_strings_that_fill_the_learned_positions_are_scored(corpus):
    class Endless(Decoder):
        def prefill(self, prompts, lengths, n_positions):
            scores, cache = super().prefill(prompts, lengths, n_positions)
            return scores - 1e9 * torch.eye(4)[3], cache

        def decode(self, tokens, cache):
            return super().decode(tokens, cache) - 1e9 * torch.eye(4)[3]

    config = DecoderConfig(d_model=16, n_layers=1, position=PositionEncoding.learned)
    model = Endless(config, 4, 73, 0).eval()
    scorer = CfgAccuracyConfig(n_samples=5, prefixes=[0])
    scorer.check(model, corpus)
    metrics = measured(scorer, model, corpus)
    assert metrics["cfg/unfinished{prefix=0,split=test}"].value == 1
    assert "cfg/output_entropy_bits{split=test}" not in metrics
    strings = corpus.measured(3, "long")
    window = model.longest_window
    long = Strings.of([np.resize(string, window) for string in strings])
    cut = log_probabilities(model, corpus, long, has_end=np.zeros(3, dtype=bool), batch_size=2)
    assert np.isfinite(cut).all()


def test_the_entropy_of_the_output_is_that_of_temperature_1_only(corpus):
    scorer = CfgAccuracyConfig(n_samples=5, prefixes=[0], temperature=0.5)
    assert "cfg/output_entropy_bits{split=test}" not in by_text(
        scorer.measure(Oracle(corpus), corpus).metrics
    )


def test_the_standard_error_of_a_ratio_is_that_of_its_spread(corpus):
    """Against the spread of the same scorer over many samples of strings."""
    model = DecoderConfig(d_model=16, n_layers=1).build(4, 80, 0).eval()
    corpora = [CfgConfig(grammar="cfg3b", root=16).build(seed) for seed in range(40)]
    found = [measured(CfgDistributionConfig(n_strings=25), model, c) for c in corpora]
    for name in ("cfg/loss_nats{split=test}", "cfg/loss_over_floor{split=test}"):
        spread = np.std([metrics[name].value for metrics in found], ddof=1)
        said = np.mean([metrics[name].stderr for metrics in found])
        assert 0.6 < said / spread < 1.6
