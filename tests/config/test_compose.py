"""Overrides that Hydra composes and the configuration refuses."""

import importlib

import pytest

from physlm.config import composed
from physlm.errors import InputError


def test_an_unknown_mixer_is_refused_with_the_registered_ones():
    importlib.import_module("tests.plugin.running_mean")
    with pytest.raises(InputError) as error:
        composed(("+experiment=capacity_100x", "+model/mixer=nosuch"))
    assert str(error.value) == "+model/mixer=nosuch is not an option; one of running_mean"


def test_a_part_without_files_is_refused_with_the_registered_ones():
    with pytest.raises(InputError) as error:
        composed(("+experiment=capacity_100x", "+model/penalty=nosuch"))
    message = str(error.value)
    assert message.startswith("+model/penalty=nosuch: no file model/penalty/nosuch.yaml in conf")
    assert message.endswith("the registered penalty schemas are: attention")
    assert "\n" not in message


def test_an_unknown_key_is_refused():
    with pytest.raises(InputError, match="unknown key data.typo; --help lists the keys"):
        composed(("+experiment=capacity_100x", "+data.typo=3"))


def test_a_number_of_thousands_of_digits_is_refused_in_one_line():
    with pytest.raises(
        InputError, match=r"data.n_people=9{10,50}\.\.\.: 5014 characters cannot be"
    ):
        composed((f"data.n_people={'9' * 5000}",))
