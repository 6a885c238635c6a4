"""How tests check annotated shapes: in all that has some, and in nothing else.

Checks of all types would double the time of tests, and mypy does them; around compiled functions,
which have no annotations, they would keep Numba from compiling. Only the first calls of a function
are checked: checks of all calls take a fifth of the time of the tests.
"""

import functools
import inspect
import sys

import jaxtyping
from beartype import BeartypeConf, beartype
from jaxtyping import install_import_hook

# As for mypy, an int will do where a float is expected.
checked = beartype(conf=BeartypeConf(is_pep484_tower=True))

_jaxtyped = jaxtyping.jaxtyped
_CHECKED_CALLS = 50  # of each function in each process


def _jaxtyped_if_shaped(**options):
    """The decorator that the import hook writes above every function and class."""
    decorate = _jaxtyped(**options)

    def decorated(thing):
        hints = inspect.get_annotations(thing).values()
        if not any("jaxtyping." in repr(hint) for hint in hints):
            return thing
        return decorate(thing) if inspect.isclass(thing) else _at_first(thing, decorate(thing))

    return decorated


def _at_first(plain, checked):
    """A function that is checked in its first calls, and never while torch traces it."""
    n_checked = 0

    @functools.wraps(plain)
    def called(*args, **values):
        nonlocal n_checked
        torch = sys.modules.get("torch")
        if (torch and torch.compiler.is_compiling()) or n_checked >= _CHECKED_CALLS:
            return plain(*args, **values)
        n_checked += 1
        return checked(*args, **values)

    return called


def check_shapes(*packages):
    """Check the shapes of what is imported from these packages from now on."""
    jaxtyping.jaxtyped = _jaxtyped_if_shaped
    install_import_hook(packages, f"{__name__}.checked")
