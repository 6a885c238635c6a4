"""The capacity scorer against models whose knowledge is planted, hence known."""

import math
from collections import defaultdict

import numpy as np
import pytest
import torch

from physlm.data.people.bior import BiorConfig
from physlm.data.people.bios import BiosConfig
from physlm.data.people.bios_pieces import PRONOUNS
from physlm.data.people.junk import JunkConfig
from physlm.data.people.pools import MONTHS, employers, pool
from physlm.data.tokens import TokenizerName
from physlm.errors import InputError
from physlm.eval.people.capacity import CapacityConfig
from physlm.measurement import metric_text
from physlm.models.architecture import DecoderConfig
from physlm.models.language_model import LanguageModel
from tests.conftest import tiny_biod_config

N_PARAMETERS = 1000
N_RENDERINGS = 2
SEED = 1  # a world in which every value occurs
IMPOSSIBLE = -1e9


class TableModel(LanguageModel):
    """Knows the values of some people exactly, and how names and other values are distributed.

    ``spaces`` gives, for the name and each attribute, the tokens that may follow a beginning, with
    their weights: a uniform guess over the space, one token at a time.
    """

    def __init__(self, corpus, knows, spaces, n_people=None):
        super().__init__()
        self.vocabulary_size = corpus.vocabulary.size
        self.eos = corpus.vocabulary.eos
        self.scores = {}
        for number in range(N_RENDERINGS + 1):  # one more for the validation loss
            documents = corpus.rendering(number, np.arange(n_people or corpus.n_documents))
            for i, person in enumerate(documents.people):
                row = documents.tokens[documents.starts[i] : documents.starts[i + 1]].tolist()
                spans = documents.value_spans[i].tolist()
                scores = torch.zeros(len(row), self.vocabulary_size)
                self._guess(scores, row, documents.name_spans[i], spaces["name"])
                for attribute, span in enumerate(spans):
                    space = None if knows[person] else spaces[attribute]
                    self._guess(scores, row, span, space)
                self.scores[tuple(row)] = self.scores[tuple(row[:-1])] = scores

    def _guess(self, scores, row, span, space):
        begin, end = span
        for t in range(begin, end):
            nexts = {row[t]: 1} if space is None else space(tuple(row[begin:t]))
            scores[t - 1] = IMPOSSIBLE
            probabilities = torch.tensor(list(nexts.values())) / sum(nexts.values())
            scores[t - 1, list(nexts)] = probabilities.log()

    def forward(self, tokens, segments=None):
        logits = torch.zeros(*tokens.shape, self.vocabulary_size)
        for i, row in enumerate(tokens.tolist()):
            while len(row) > 1 and row[-1] == self.eos:
                row.pop()
            scores = self.scores[tuple(row)]
            logits[i, : len(scores)] = scores[: logits.shape[1]]
        return logits

    def n_parameters(self):
        return {"table": N_PARAMETERS}


def one_of(sequences):
    """Uniform over whole token sequences."""
    counts = defaultdict(lambda: defaultdict(int))
    for sequence in sequences:
        for i, token in enumerate(sequence):
            counts[tuple(sequence[:i])][token] += 1
    return counts.__getitem__


def one_of_each(*positions):
    """Uniform over products of single tokens."""
    return lambda beginning: dict.fromkeys(positions[len(beginning)], 1)


def biod_spaces(corpus):
    """All names of the name space, and each attribute's diversity set."""
    pieces, values = corpus.sentences.pieces, corpus.sentences.values
    alphabet = [int(pieces.tokens[pieces.starts[i]]) for i in range(6)]
    spaces = {"name": one_of_each(alphabet, alphabet)}
    for a in range(len(corpus.attributes)):
        drawn = {tuple(pieces.join(row).tolist()) for row in values[:, a]}
        assert len(drawn) == 8
        spaces[a] = one_of(sorted(drawn))
    return spaces


def bios_spaces(corpus):
    """All names and attribute values that a person can have."""

    def ids(texts):
        return [tuple(corpus.vocabulary.encode(text).tolist()) for text in texts]

    def single(texts):
        return [token for (token,) in ids(texts)]

    parts = (
        pool("first_names"),
        [f" {n}" for n in pool("middle_names")],
        [f" {n}" for n in pool("last_names")],
    )
    spaces = {"name": one_of_each(*(single(part) for part in parts))}
    spaces[0] = one_of_each(
        single(f" {m}" for m in MONTHS),
        single(f" {d}" for d in range(1, 29)),
        single([","]),
        single(f" {y}" for y in range(1900, 2100)),
    )
    lists = [
        pool("birth_cities"),
        pool("universities"),
        pool("majors"),
        [company for company, _ in employers()],
        [city for _, city in employers()],
        PRONOUNS,
    ]
    for a, entries in enumerate(lists, start=1):
        spaces[a] = one_of(ids(f" {entry}" for entry in entries))
    return spaces


def score(corpus, model, **changes):
    found = CapacityConfig(**({"n_renderings": N_RENDERINGS} | changes)).measure(model, corpus)
    return {_short(metric): metric for metric in found.metrics}


def _short(metric):
    """A metric's text, without the prefix and the split that all of them have."""
    dims = {name: value for name, value in metric.dims.items() if name != "split"}
    return metric_text(metric.name.removeprefix("capacity/"), dims)


@pytest.fixture(scope="module")
def small_biod():
    return tiny_biod_config(n_people=36).build(SEED)


@pytest.fixture(scope="module")
def small_bios():
    return BiosConfig(n_people=40, tokenizer=TokenizerName.compact).build(2)


@pytest.mark.parametrize(
    ("world", "fraction"),
    [
        *(("biod", fraction) for fraction in (0.0, 0.25, 0.5, 1.0)),
        ("bios", 0.25),
        *(pytest.param("bios", f, marks=pytest.mark.slow) for f in (0.0, 0.5, 1.0)),
    ],
)
def test_a_table_that_knows_a_fraction_of_values_scores_that_fraction(
    small_biod, small_bios, world, fraction
):
    corpus = {"biod": small_biod, "bios": small_bios}[world]
    spaces = biod_spaces(corpus) if world == "biod" else bios_spaces(corpus)
    n = corpus.n_documents
    found = score(corpus, TableModel(corpus, np.arange(n) < n * fraction, spaces))
    counted = [math.log2(a.n_values) for a in corpus.attributes if a.is_counted]
    assert found["value_bits"].value == pytest.approx(fraction * n * sum(counted), abs=1e-2)
    assert found["name_bits"].value == pytest.approx(0.0, abs=1e-2)
    accuracies = [m.value for name, m in found.items() if name.startswith("accuracy{")]
    assert all(fraction <= accuracy <= fraction + 0.85 for accuracy in accuracies)


def test_a_uniform_model_scores_zero(small_bios):
    found = score(small_bios, TableModel(small_bios, np.zeros(40, bool), bios_spaces(small_bios)))
    assert found["bits_per_parameter"].value == pytest.approx(0.0, abs=1e-4)
    assert "diversity_bits" not in found


def test_the_diversity_term_of_a_uniform_model_is_its_closed_form(small_biod):
    """As published the term is negative then: it charges the first chunk in full, D times."""
    spaces = biod_spaces(small_biod)
    found = score(small_biod, TableModel(small_biod, np.zeros(36, bool), spaces))
    k, d, possible = 3, 8, 6**2
    expected = k * d * (math.log2(possible / d) - math.log2(d))
    assert found["diversity_bits"].value == pytest.approx(expected, abs=1e-2)
    assert found["bits_per_parameter"].value == pytest.approx(expected / N_PARAMETERS, abs=1e-4)


@pytest.mark.parametrize("world", ["biod", "bios"])
def test_a_perfect_model_scores_the_maximum(small_biod, small_bios, world):
    """It knows every value and which names exist, not whose turn it is: its name loss is ln N."""
    corpus = {"biod": small_biod, "bios": small_bios}[world]
    spaces = biod_spaces(corpus) if world == "biod" else bios_spaces(corpus)
    n, made_of = corpus.n_documents, corpus.sentences
    rows = made_of.openings[:, : made_of.n_name_parts]
    names = one_of([made_of.pieces.join(row).tolist() for row in rows])
    found = score(corpus, TableModel(corpus, np.ones(n, bool), spaces | {"name": names}))
    assert found["total_bits"].value == pytest.approx(corpus.maximum_bits, rel=1e-5)
    most = found["maximum_bits_per_parameter"].value
    assert found["bits_per_parameter"].value == pytest.approx(most, rel=1e-5)
    assert most == pytest.approx(corpus.maximum_bits / N_PARAMETERS)
    assert all(m.value == 1 for name, m in found.items() if name.startswith("accuracy{"))


def test_standard_errors_are_those_of_the_mean_over_people(small_biod):
    knows = np.arange(36) < 9
    found = score(small_biod, TableModel(small_biod, knows, biod_spaces(small_biod)))
    per_person = np.where(knows, 36 * 9.0, 0.0)  # 36 people x 3 attributes of 3 bits
    stderr = per_person.std(ddof=1) / 6
    assert found["value_bits"].stderr == pytest.approx(stderr, rel=1e-4)
    assert found["value_bits"].n == 36


def test_teacher_forced_accuracy_is_greedy_decoding():
    corpus = tiny_biod_config(n_people=36, chunk_length=1, n_chunks=2, diversity=4).build(0)
    model = DecoderConfig(d_model=16, n_heads=2, init_std=0.7).build(corpus.vocabulary.size, 16, 2)
    model.eval()
    documents = corpus.rendering(0, np.arange(36))
    right = np.zeros((3, 36))
    for i in range(36):
        tokens = documents.tokens[documents.starts[i] : documents.starts[i + 1]]
        for a, (begin, end) in enumerate(documents.value_spans[i]):
            decoded = torch.from_numpy(tokens[:begin]).long()[None]
            with torch.no_grad():
                while decoded.shape[1] < end:
                    best = model(decoded)[:, -1].argmax(dim=-1, keepdim=True)
                    decoded = torch.cat([decoded, best], dim=1)
            right[a, i] = np.array_equal(decoded[0, begin:].numpy(), tokens[begin:end])
    assert 0 < right.sum() < right.size  # otherwise the comparison says nothing
    found = score(corpus, model, n_renderings=1)
    accuracies = [found[f"accuracy{{attribute=id_{a + 1}}}"].value for a in range(3)]
    assert accuracies == pytest.approx(right.mean(axis=1))


def test_batching_and_sampling_do_not_change_the_measurement(small_biod):
    model = DecoderConfig(d_model=16, n_heads=2).build(small_biod.vocabulary.size, 12, 0).eval()
    whole = score(small_biod, model)["bits_per_parameter"]
    parts = score(small_biod, model, batch_size=5)["bits_per_parameter"]
    assert parts.value == pytest.approx(whole.value, rel=1e-5)
    sampled = score(small_biod, model, max_people=20)["bits_per_parameter"]
    assert sampled.n == 20
    assert abs(sampled.value - whole.value) < 5 * sampled.stderr


def test_a_world_without_people_is_refused(small_biod):
    model = DecoderConfig(d_model=16).build(9, 12, 0)

    class Sentences:
        vocabulary, n_documents, n_epochs = small_biod.vocabulary, 1, 1
        entropy_bits, fingerprint, epoch = 0.0, str, str

    with pytest.raises(InputError, match="data=bios, bior or biod"):
        CapacityConfig().check(model, Sentences())


def test_a_uniform_model_scores_fixed_texts_by_the_tokens_of_their_items():
    config = BiorConfig(n_people=30, pool_size=10, n_texts=2, tokenizer=TokenizerName.compact)
    corpus = config.build(0)
    model = DecoderConfig(d_model=8, n_heads=2).build(corpus.vocabulary.size, 200, 0).eval()
    torch.nn.init.zeros_(model.embedding.weight)
    CapacityConfig().check(model, corpus)
    found = score(corpus, model)
    size = corpus.vocabulary.size
    texts = [corpus.rendering(number, np.arange(30)) for number in range(N_RENDERINGS)]
    names = np.mean([np.diff(documents.name_spans, axis=1) for documents in texts])
    expected = 30 * (math.log2(1000) - names * math.log2(size))
    assert found["name_bits"].value == pytest.approx(expected, rel=1e-4)
    counted = [i for i, a in enumerate(corpus.attributes) if a.is_counted]
    lengths = [np.diff(documents.value_spans[:, counted], axis=2) for documents in texts]
    values = np.mean([own.sum(axis=1) for own in lengths])
    expected = 30 * (math.log2(12 * 28 * 10 * 10**4) - values * math.log2(size))
    assert found["value_bits"].value == pytest.approx(expected, rel=1e-4)
    assert found["loss_nats"].value == pytest.approx(math.log(size), rel=1e-4)


def test_people_of_each_frequency_are_measured_separately():
    corpus = tiny_biod_config(n_people=36, frequencies=[1, 4, 9]).build(SEED)
    knows = np.arange(36) < 24  # all of the first two groups
    spaces = biod_spaces(corpus)
    found = score(corpus, TableModel(corpus, knows, spaces, n_people=36))
    fractions = [found[f"fraction_learned{{frequency={n}}}"] for n in (1, 4, 9)]
    assert [fraction.value for fraction in fractions] == pytest.approx([1.0, 1.0, 0.0], abs=1e-4)
    assert [fraction.n for fraction in fractions] == [12, 12, 12]
    parts = [found[f"name_value_bits_per_parameter{{frequency={n}}}"].value for n in (1, 4, 9)]
    assert sum(parts) == pytest.approx(found["name_value_bits_per_parameter"].value, rel=1e-4)
    assert parts[0] == pytest.approx(12 * 9 / N_PARAMETERS, rel=1e-3)


@pytest.mark.parametrize(
    ("values", "scorer", "message"),
    [
        ({}, {"max_people": 1}, r"max_people=1: the sample has no person of frequency \d"),
        ({"diversity": 1}, {}, "each attribute has a single value; raise data.diversity"),
    ],
)
def test_frequencies_without_people_or_information_are_refused(values, scorer, message):
    corpus = tiny_biod_config(n_people=36, frequencies=[1, 4, 9], **values).build(SEED)
    model = DecoderConfig(d_model=8, n_heads=2).build(corpus.vocabulary.size, 20, 0)
    with pytest.raises(InputError, match=message):
        CapacityConfig(**scorer).check(model, corpus)
    alone = tiny_biod_config(n_people=36, **values).build(SEED)
    CapacityConfig(**scorer).check(model, alone)


def test_junk_does_not_change_the_measurement_of_target_people():
    target = tiny_biod_config(name_sizes=[6, 6, 6], seq_len=16)
    config = JunkConfig(
        target=target, n_junk_people=100, exposures=4, seq_len=16, domain_token="<|u|>"
    )
    corpus = config.build(SEED)
    model = DecoderConfig(d_model=8, n_heads=2).build(corpus.vocabulary.size, 20, 0).eval()
    CapacityConfig().check(model, corpus)
    among, alone = score(corpus, model), score(corpus.parts[0], model)
    assert among == alone


def test_name_and_value_bits_exclude_the_diversity_sets(small_biod):
    model = DecoderConfig(d_model=16, n_heads=2).build(small_biod.vocabulary.size, 12, 0).eval()
    found = score(small_biod, model)
    size = sum(model.n_parameters().values())
    known = (found["name_bits"].value + found["value_bits"].value) / size
    assert found["name_value_bits_per_parameter"].value == pytest.approx(known)
