"""What cannot be held is refused before it is allocated, whichever count asks for it."""

import tracemalloc
from functools import partial

import pytest

from physlm.config import RunConfig, composed
from physlm.data.cfg.corpus import BagKind, CfgConfig
from physlm.data.cfg.formats import from_text
from physlm.data.cfg.tables import tables
from physlm.data.people.biod import BiodConfig
from physlm.data.people.bior import BiorConfig
from physlm.data.people.bios import BiosConfig
from physlm.memory import memory_bytes, require_memory
from physlm.models.architecture import DecoderConfig, EncoderConfig
from physlm.preparation import corpus_of, model_of, prepare

HUGE = 10**12
SMALL = [
    "data=biod",
    "data.n_people=20",
    "data.seq_len=16",
    "model.d_model=16",
    "model.n_heads=2",
    "trainer.batch_size=2",
    "runtime.device=cpu",
]


MOST = 2**26


def refused(build, message):
    """The bytes that were allocated before a refusal that names what is too large."""
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match=message):
            build()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


WORLDS = [
    (BiodConfig, {"n_people": HUGE}, "n_people=1000000000000 exceeds the 160000000 distinct names"),
    (BiodConfig, {"n_people": HUGE, "name_sizes": [10**5] * 3}, "n_people=1000000000000 of 10"),
    (BiodConfig, {"n_attributes": HUGE}, "n_people=10000 of n_attributes=1000000000000"),
    (BiodConfig, {"n_chunks": HUGE, "diversity": 1}, "n_chunks=1000000000000"),
    (BiodConfig, {"chunk_length": HUGE, "alphabet_size": 1, "diversity": 1}, "chunk_length=10000"),
    (BiodConfig, {"diversity": HUGE, "chunk_length": 20}, "diversity=1000000000000 for n_attr"),
    (BiodConfig, {"alphabet_size": HUGE}, "alphabet_size=1000000000000 takes"),
    (BiodConfig, {"name_sizes": [HUGE]}, r"name_sizes=\[1000000000000\] takes"),
    (BiodConfig, {"name_sizes": [HUGE] * 9}, "make more than 4611686018427387904 names"),
    (BiodConfig, {"frequencies": [HUGE]}, r"frequencies=\[1000000000000\] takes"),
    (BiosConfig, {"n_people": HUGE}, "n_people=1000000000000 exceeds the 160000000 distinct names"),
    (BiosConfig, {"n_minority": HUGE}, "n_people=1000000010000 exceeds the 160000000 distinct"),
    (
        BiosConfig,
        {"n_minority": 1, "majority_repeats": HUGE},
        "majority_repeats=1000000000000 for n_people=10000 takes",
    ),
    (BiorConfig, {"n_texts": HUGE}, "n_texts=1000000000000 for n_people=10000 takes"),
    (BiorConfig, {"n_people": HUGE}, "n_people=1000000000000"),
    (CfgConfig, {"bags": BagKind.disjoint, "n_bag_tokens": HUGE}, "n_bag_tokens=1000000000000"),
    (CfgConfig, {"n_strings": 10**19}, "n_strings=10000000000000000000...; must be at most 9"),
]


@pytest.mark.parametrize(("kind", "values", "message"), WORLDS)
def test_a_world_that_cannot_be_held_is_refused(kind, values, message):
    assert refused(lambda: kind(**values).build(0), message) < MOST


MODELS = [
    ({"n_layers": HUGE}, "model.n_layers=1000000000000"),
    ({"d_model": 2 * 10**9}, "model.d_model=2000000000"),
    ({"mlp_ratio": 1e9}, "a model of"),
    ({"mlp_ratio": 1e300}, r"mlp_ratio=1e\+300 makes too many hidden"),
    ({"n_experts": 2**40, "mlp_ratio": 2.0**40}, "a model of"),
]


@pytest.mark.parametrize("kind", [DecoderConfig, EncoderConfig])
@pytest.mark.parametrize(("values", "message"), MODELS)
def test_a_model_that_cannot_be_held_is_refused(kind, values, message):
    if kind is EncoderConfig and "n_experts" in values:
        pytest.skip("of decoders only")
    config = composed(tuple(SMALL))

    def build():
        config.model = kind(**{"d_model": 16, "n_heads": 2} | values)
        model_of(config, 100)

    assert refused(build, message) < MOST


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["data.seq_len=10000000000"], "trainer.batch_size=2 of seq_len=10000000000 takes"),
        (["trainer.batch_size=10000000000"], "trainer.batch_size=10000000000 of seq_len=16 takes"),
        (["data.seq_len=10000000000", "model.position=learned"], "a model of"),
    ],
)
def test_a_step_that_cannot_be_held_is_refused(words, message):
    config = composed((*SMALL, *words))
    assert refused(lambda: model_of(config, 100), message) < MOST


def test_runs_without_number_are_refused():
    config = composed(tuple(SMALL))
    for values in ({"seeds": HUGE}, {"seeds": 10**9}):
        build = partial(RunConfig, data=config.data, model=config.model, **values)
        assert refused(build, "seeds=10000") < MOST


def test_a_grammar_of_endless_strings_is_refused():
    rules = [f"{i} -> {i - 1} {i - 1}" for i in range(199, 1, -1)]
    text = "\n".join(["root 199", "terminals 1", *rules])
    message = r"a string of \d{60} tokens, the grammar's longest"
    assert refused(lambda: tables(from_text(text), {}), message) < MOST


def test_memory_is_that_of_the_machine_and_is_compared_as_a_whole():
    assert 2**28 < memory_bytes() < 2**50
    half = memory_bytes() // 2
    require_memory({"a": half, "b": half})
    with pytest.raises(ValueError, match=r"^b takes .* GiB of memory at least, and this machine"):
        require_memory({"a": half, "b": half + 2})


@pytest.mark.parametrize("name", ["capacity_1000x", "capacity_junk", "cfg_learn", "extraction"])
def test_what_the_papers_used_can_be_composed_here(name):
    config = composed((f"+experiment={name}", "scale=paper"))
    assert config.run_id
    if name == "cfg_learn":
        assert corpus_of(config).n_documents


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["runtime.n_threads=1000000"], "n_threads=1000000; must be from 1 to 1024"),
        (["runtime.n_cores=1000000"], "n_cores=1000000; must be from 1 to 1024"),
        (["runtime.n_devices=1000000"], "n_devices=1000000; must be from 1 to 1024"),
        (["runtime.n_nodes=1000000"], "n_nodes=1000000; must be from 1 to 1024"),
        (["model.expert_capacity=-1"], "expert_capacity=-1.0; must be at least 1"),
    ],
)
def test_more_of_a_machine_than_any_has_is_refused(words, message):
    assert refused(lambda: composed((*SMALL, *words)), message) < MOST


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["runtime.steps_per_chunk=9223372036854775807", "data.exposures=1000000000"],
            "runtime.steps_per_chunk=9223372036854775807 takes",
        ),
        (["data.exposures=9223372036854775807"], "data.exposures=9223372036854775807 of 20 doc"),
        (["data.seq_len=10000000000", "data.n_people=10000000"], "of seq_len=10000000000 takes"),
    ],
)
def test_a_training_that_cannot_be_held_or_counted_is_refused(words, message):
    """The last before its world is built, which would take seconds."""
    assert refused(lambda: prepare(composed((*SMALL, *words))), message) < MOST
