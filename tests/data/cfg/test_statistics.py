"""Statistics of grammars, compared with enumeration and published numbers."""

import math

import numpy as np
import pytest

from physlm.data.cfg import load_grammar
from physlm.rng import stream
from tests.data.cfg.conftest import language, small_grammar

# Shortest, longest, mean, quantiles, derivation entropy in bits, ambiguity in bits with its
# standard error, floor in nats per token; the fractions above 511 tokens of cfg3j and cfg3k.
PUBLISHED = {
    "cfg3b": (138, 432, 275.6, (198, 251, 277, 307, 341), 169.2, 0.0, 0.0, 0.4241),
    "cfg3i": (114, 564, 308.1, (235, 274, 307, 341, 386), 186.9, 2.1, 0.4, 0.4146),
    "cfg3h": (97, 459, 236.4, (173, 201, 237, 270, 301), 204.8, 0.10, 0.06, 0.5976),
    "cfg3g": (80, 729, 252.4, (166, 212, 255, 291, 338), 269.9, 1.958, 0.028, 0.73288),
    "cfg3f": (64, 729, 249.9, (148, 191, 248, 303, 365), 268.7, 0.57, 0.11, 0.7408),
    "cfg3e1": (66, 557, 198.6, (132, 158, 195, 237, 276), 216.0, 0.0, 0.0, 0.7501),
    "cfg3e2": (82, 645, 246.4, (158, 195, 253, 287, 334), 256.3, 0.0, 0.0, 0.7183),
    "cfg3j": (128, 2000, 543.9, (359, 445, 518, 636, 792), 618.6, 0.9, 0.3, 0.7858),
    "cfg3k": (132, 1458, 516.3, (377, 448, 512, 578, 676), 608.3, 1.19, 0.07, 0.8136),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_statistics_equal_the_published_ones(name):
    shortest, longest, mean, quantiles, entropy, ambiguity, stderr, floor = PUBLISHED[name]
    grammar = load_grammar(name)
    lengths = grammar.length_distribution
    assert lengths.sum() == pytest.approx(1, abs=1e-12)
    # Longer strings of cfg3j, of up to 2052 tokens, are too improbable for a float.
    assert tuple(np.flatnonzero(lengths)[[0, -1]]) == (shortest, longest)
    assert round(grammar.mean_length, 1) == mean
    cumulative = lengths.cumsum()
    at = [int(np.searchsorted(cumulative, q)) for q in (0.05, 0.25, 0.5, 0.75, 0.95)]
    assert at == list(quantiles)
    assert grammar.derivation_entropy_bits == pytest.approx(entropy, abs=0.051)
    measured = grammar.ambiguity_bits(500, stream(0, name))
    assert abs(measured.value - ambiguity) < 4 * math.hypot(measured.stderr, stderr) + 0.05
    bound = grammar.floor_nats_per_token(500, stream(1, name))
    per_bit = math.log(2) / (mean + 1)
    assert abs(bound.value - floor) < 4 * math.hypot(bound.stderr, stderr * per_bit) + 5e-5


# Tolerance of the floor given the published ambiguity, whose last digit limits it.
@pytest.mark.parametrize(("name", "tolerance"), [("cfg3g", 1e-5), ("cfg3k", 1e-4)])
def test_the_floor_follows_from_the_ambiguity_to_a_ten_thousandth(name, tolerance):
    *_, ambiguity, _, floor = PUBLISHED[name]
    grammar = load_grammar(name)
    per_bit = math.log(2) / (grammar.mean_length + 1)
    exact = (grammar.derivation_entropy_bits - ambiguity) * per_bit
    assert exact == pytest.approx(floor, abs=tolerance)
    bits = grammar.ambiguity_bits(50, stream(4, name)).value
    measured = grammar.floor_nats_per_token(50, stream(4, name))
    assert measured.value == pytest.approx(exact + (ambiguity - bits) * per_bit, abs=1e-9)


@pytest.mark.parametrize(("name", "n_strings"), [("cfg3g", 4000), ("cfg3k", 1500)])
def test_ambiguity_is_within_a_tenth_of_a_bit_of_the_reference(name, n_strings):
    """Within the errors of both estimates, which come from different strings."""
    *_, ambiguity, stderr, _ = PUBLISHED[name]
    measured = load_grammar(name).ambiguity_bits(n_strings, stream(3, name))
    assert measured.value == pytest.approx(ambiguity, abs=2 * math.hypot(measured.stderr, stderr))


@pytest.mark.parametrize(("name", "fraction"), [("cfg3j", 0.52), ("cfg3k", 0.50)])
def test_half_of_the_longest_languages_exceeds_512_tokens(name, fraction):
    assert load_grammar(name).length_distribution[512:].sum() == pytest.approx(fraction, abs=0.005)


def test_lengths_and_entropies_are_those_of_the_whole_language(number):
    grammar, strings = small_grammar(number), language(number)
    lengths = np.zeros(len(grammar.length_distribution))
    for string, probability in strings.items():
        lengths[len(string)] += probability
    np.testing.assert_allclose(grammar.length_distribution, lengths, atol=1e-12)
    probabilities = np.array(list(strings.values()))
    entropy = -(probabilities * np.log2(probabilities)).sum()
    estimate = grammar.string_entropy_bits(20_000, stream(0, "entropy"))
    assert abs(estimate.value - entropy) < 5 * estimate.stderr + 1e-9
    assert grammar.derivation_entropy_bits >= entropy - 1e-9


def test_an_estimate_needs_two_strings():
    with pytest.raises(ValueError, match="n_strings=1; a standard error needs at least 2"):
        load_grammar("cfg3b").ambiguity_bits(1, stream(0, "one"))
