"""Overrides that Hydra composes and the configuration refuses."""

import importlib

import pytest

from physlm.config import composed
from physlm.errors import InputError


def test_an_unknown_mixer_is_refused_with_the_registered_ones():
    importlib.import_module("tests.plugin.running_mean")
    with pytest.raises(InputError) as error:
        composed(("+experiment=capacity_100x", "+model/mixer=nosuch"))
    message = str(error.value)
    assert message.startswith("+model/mixer=nosuch: no file model/mixer/nosuch.yaml in conf")
    registered = message.partition("the registered mixer schemas are: ")[2]
    assert "running_mean" in registered.split(", ")
    assert "\n" not in message


def test_an_unknown_key_is_refused():
    with pytest.raises(InputError, match="unknown key data.typo; --help lists the keys"):
        composed(("+experiment=capacity_100x", "+data.typo=3"))
