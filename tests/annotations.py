"""How tests check annotated shapes: in all that has some, and in nothing else.

Checks of all types would double the time of tests, and mypy does them; around compiled functions,
which have no annotations, they would keep Numba from compiling.
"""

import inspect

import jaxtyping
from beartype import BeartypeConf, beartype
from jaxtyping import install_import_hook

# As for mypy, an int will do where a float is expected.
checked = beartype(conf=BeartypeConf(is_pep484_tower=True))

_jaxtyped = jaxtyping.jaxtyped


def _jaxtyped_if_shaped(**options):
    """The decorator that the import hook writes above every function and class."""
    decorate = _jaxtyped(**options)

    def decorated(thing):
        hints = inspect.get_annotations(thing).values()
        return decorate(thing) if any("jaxtyping." in repr(hint) for hint in hints) else thing

    return decorated


def check_shapes(*packages):
    """Check the shapes of what is imported from these packages from now on."""
    jaxtyping.jaxtyped = _jaxtyped_if_shaped
    install_import_hook(packages, f"{__name__}.checked")
