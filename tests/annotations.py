"""How tests check annotations: as mypy reads them, and around compiled functions, not in them."""

import inspect

import numba
from beartype import BeartypeConf, beartype

from physlm.data import compilation

# An int will do where a float is expected.
checked = beartype(conf=BeartypeConf(is_pep484_tower=True))

_njit, _compiled = numba.njit, compilation.compiled


def _njit_unchecked(function=None, **options):
    """Numba's decorator, for a function that checks were put around before."""
    if function is not None:
        return _njit(inspect.unwrap(function), **options)
    return lambda function: _njit(inspect.unwrap(function), **options)


def _compiled_unchecked(function):
    return _compiled(inspect.unwrap(function))


numba.njit, compilation.compiled = _njit_unchecked, _compiled_unchecked
