"""Functions compiled by Numba: which of them Python may call."""

import pytest

from physlm.data.compilation import compiled, compiled_within


@compiled_within
def doubled(number):
    return 2 * number


@compiled
def quadrupled(number):
    return doubled(doubled(number))


def test_a_part_of_compiled_code_is_called_by_compiled_code():
    assert quadrupled(3) == 12


def test_a_part_of_compiled_code_refuses_python_instead_of_ending_the_process():
    with pytest.raises(TypeError, match="doubled can be called by compiled functions only"):
        doubled(3)
