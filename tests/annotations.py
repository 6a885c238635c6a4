"""How tests check annotations: as mypy reads them, and around compiled functions, not in them."""

import inspect

from beartype import BeartypeConf, beartype

from physlm.data import compilation

# An int will do where a float is expected.
checked = beartype(conf=BeartypeConf(is_pep484_tower=True))

_compiled = compilation.compiled


def _compiled_unchecked(function):
    """Compile a function that checks were put around before: the compiler knows none of them."""
    return _compiled(inspect.unwrap(function))


compilation.compiled = _compiled_unchecked
