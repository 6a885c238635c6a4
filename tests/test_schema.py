"""Configurations written in Python mean what they say, or are refused."""

import dataclasses
from enum import Enum
from types import UnionType
from typing import Union, get_args, get_origin, get_type_hints

import numpy as np
import pytest

from physlm.config import RunConfig
from physlm.data.people.augmentation import AugmentationConfig
from physlm.models.architecture import DecoderConfig
from physlm.registry import FOLDERS, schemas
from physlm.schema import Schema, converted
from physlm.train.logger import LoggerConfig
from physlm.train.runtime import RuntimeConfig
from physlm.train.schedule import OptimConfig
from physlm.train.trainer import TrainerConfig
from tests.conftest import printed

REGISTERED = [schema for group in FOLDERS for schema in schemas(group).values()]
ALL = [
    *REGISTERED,
    RunConfig,
    AugmentationConfig,
    RuntimeConfig,
    TrainerConfig,
    OptimConfig,
    LoggerConfig,
]


# Where an empty list means that nothing is measured.
MAY_BE_EMPTY = {("igsm", "ops"), ("igsm_probing", "layers")}


@pytest.mark.parametrize(("name", "scorer"), schemas("eval").items())
def test_an_empty_list_is_no_default(name, scorer):
    """Such as ``buckets=[]``, which would be measured as the default ones."""
    hints = get_type_hints(scorer)
    for field in dataclasses.fields(scorer):
        parts = get_args(hints[field.name])
        is_optional_list = type(None) in parts and list in map(get_origin, parts)
        if is_optional_list and (name, field.name) not in MAY_BE_EMPTY:
            with pytest.raises(ValueError, match=rf"{field.name}=\[\]; "):
                scorer(**{field.name: []})


def kinds_of(hint):
    """The types that a value of this annotation may have."""
    if get_origin(hint) in (Union, UnionType, list):
        return [kind for part in get_args(hint) for kind in kinds_of(part)]
    return [hint]


def fields_of(schema, kind):
    hints = get_type_hints(schema)
    return [
        f
        for f in dataclasses.fields(schema)
        if any(isinstance(k, type) and issubclass(k, kind) for k in kinds_of(hints[f.name]))
    ]


def built(schema, **values):
    """An instance that was only converted, since its rules may need other fields."""
    made = object.__new__(schema)
    for field in dataclasses.fields(schema):
        default = field.default
        if field.default_factory is not dataclasses.MISSING:
            default = field.default_factory()
        setattr(made, field.name, default)
    for name, value in values.items():
        setattr(made, name, value)
    return made


# The shape checks of these tests refuse wrong arguments themselves, so a process of its own.
GIVEN = """
import numpy as np
from physlm.data.people.biod import BiodConfig
from physlm.data.cfg.corruption import corrupt
from physlm.data.cfg.library import load_grammar
from physlm.data.tokens import Vocabulary
from physlm.models.architecture import DecoderConfig
from physlm.models.components import ExpertsShape
from physlm.models.channels.moe import Experts
from physlm.models.components import MlpKind

def said(build):
    try:
        return repr(build())
    except ValueError as error:
        return str(error)

print(said(lambda: DecoderConfig(norm="rmsnorm").norm))
print(said(lambda: DecoderConfig(mlp="gelu").mlp))
print(said(lambda: BiodConfig(n_people=8, n_attributes=2, tokenizer="gpt2").tokenizer))
print(said(lambda: DecoderConfig(norm="foo").norm))
print(said(lambda: DecoderConfig(norm=MlpKind.gelu).norm))

strings = load_grammar("cfg3b").sample(np.random.default_rng(0), 1)
print(said(lambda: Vocabulary.build("gpt2", ["Tuesday"]).size))
print(said(lambda: Vocabulary.build("bpe", ["Tuesday"])))
print(said(lambda: corrupt(load_grammar("cfg3b"), strings, "token", 0.1, 0)))
print(said(lambda: Experts(4, 8, "gated_silu", ExpertsShape(2, 1, 1.0)).gate is None))
print(said(lambda: Experts(4, 8, "relu", ExpertsShape(2, 1, 1.0))))
"""


def test_a_kind_given_as_text_is_that_kind_or_refused():
    assert printed(GIVEN).splitlines() == [
        "<NormKind.rmsnorm: 'rmsnorm'>",
        "<MlpKind.gelu: 'gelu'>",
        "<TokenizerName.gpt2: 'gpt2'>",
        "norm=foo; one of layernorm, rmsnorm",
        "norm=MlpKind.gelu; one of layernorm, rmsnorm",
        "2",
        "tokenizer=bpe; one of compact, gpt2",
        "kind=token; one of terminal, nonterminal, nonterminal_fixed",
        "False",
        "kind=relu; one of gelu, silu, gated_silu, none",
    ]


@pytest.mark.parametrize("schema", ALL, ids=lambda s: s.__name__)
def test_every_schema_refuses_kinds_that_do_not_exist(schema):
    assert issubclass(schema, Schema)
    for field in fields_of(schema, Enum):
        hint = get_type_hints(schema)[field.name]
        wrong = ["foo"] if get_origin(hint) is list else "foo"
        with pytest.raises(ValueError, match=f"^{field.name}=foo; one of "):
            converted(wrong, hint, field.name)


@pytest.mark.parametrize(
    ("field", "value", "rule"),
    [
        ("has_bias", "false", "must be true or false"),
        ("has_bias", 1, "must be true or false"),
        ("n_layers", "2", "must be a whole number"),
        ("n_layers", 2.5, "must be a whole number"),
        ("n_layers", True, "must be a whole number"),
        ("n_layers", None, "must be a whole number"),
        ("mlp_ratio", "4", "must be a number"),
        ("mlp_ratio", np.nan, "must be a finite number"),
        ("init_std", np.inf, "must be a finite number"),
    ],
)
def test_a_value_of_another_type_is_refused_by_name(field, value, rule):
    with pytest.raises(ValueError, match=f"^{field}=.*; {rule}$"):
        Schema.__post_init__(built(DecoderConfig, **{field: value}))


def test_numbers_of_numpy_and_whole_floats_for_shares_name_the_same_run():
    config = built(OptimConfig, learning_rate=1, warmup_steps=np.int64(7))
    Schema.__post_init__(config)
    assert (type(config.learning_rate), type(config.warmup_steps)) == (float, int)
