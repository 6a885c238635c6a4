"""Error messages of one line, and exit statuses."""

import os
import re
import traceback
from collections.abc import Iterator

import yaml
from hydra.errors import HydraException
from omegaconf.errors import OmegaConfBaseException

from physlm.early_end import ASKED_TO_STOP, INTERRUPTED
from physlm.errors import (
    DivergedError,
    FailedPointError,
    InputError,
    InterruptedRunError,
    KilledProcessError,
    UnmeasuredError,
)
from physlm.watching import tell

# Exit statuses: bad input, a fault of physlm or the machine.
BAD_INPUT, FAULT = 2, 1

# Errors that users can cause and fix, before or during computation.
_USER_ERRORS = (InputError, OSError, HydraException, OmegaConfBaseException, yaml.YAMLError)

# Labels and exit statuses of other errors; the first match counts.
_KINDS: tuple[tuple[type[BaseException], str, int], ...] = (
    (InterruptedRunError, "interrupted", INTERRUPTED),
    (KeyboardInterrupt, "interrupted", INTERRUPTED),
    (DivergedError, "diverged", FAULT),
    (KilledProcessError, "killed", FAULT),
    (UnmeasuredError, "not measured", FAULT),
)

# Remedies for errors of libraries. Classes are matched by name, so that no library is imported only
# to compare with its error classes.
_REMEDIES = (
    (
        re.compile(r"^(MemoryError|OutOfMemoryError)$|can't allocate memory"),
        "out of memory; lower trainer.batch_size, or the size of the model or the world",
    ),
    (
        re.compile(r"No space left on device|Disk quota exceeded"),
        "free space on that disk; the same command resumes",
    ),
    (
        re.compile(r"^(InductorError|BackendCompilerFailed|CppCompileError)$"),
        "the compiler failed; fix its installation, or use runtime.compile=false",
    ),
    (re.compile(r"^MisconfigurationException$"), "check the devices of this machine"),
    (
        re.compile(r"^Config group override must be a string or a list"),
        "a group takes the name of an option; write ~GROUP, such as ~eval, to remove it",
    ),
    (
        re.compile(r'^(sbatch|srun): |Could not detect "srun"'),
        "launcher=processes needs no cluster",
    ),
)


def explain(error: BaseException, prefix: str = "") -> int:
    """Print an error as one line on standard error; its exit status."""
    if os.environ.get("PHYSLM_TRACEBACK") == "1":
        traceback.print_exception(error)
    kind, status, hint = _kind(error)
    tell(f"{prefix}{kind}: {one_line(error)}{hint}")
    return status


def one_line(error: BaseException) -> str:
    """The message of an error on one line, with the cause that Hydra wraps."""
    if isinstance(error, KeyboardInterrupt):
        return ASKED_TO_STOP
    text = " ".join(str(error).split())
    if isinstance(error, HydraException) and error.__cause__ is not None:
        text = f"{text}: {str(error.__cause__).splitlines()[0]}"
    return text.split(" Config search path:")[0] or type(error).__name__


def _kind(error: BaseException) -> tuple[str, int, str]:
    """The label of an error, its exit status, and a hint."""
    if isinstance(error, FailedPointError):
        return "sweep", error.status, ""
    for known, kind, status in _KINDS:
        if isinstance(error, known):
            return kind, status, ""
    if remedy := _remedy(error):
        return "error", BAD_INPUT, f"; {remedy}"
    if isinstance(error, _USER_ERRORS):
        return "error", BAD_INPUT, ""
    return f"fault: {type(error).__name__}", FAULT, " (PHYSLM_TRACEBACK=1 shows where)"


def _remedy(error: BaseException) -> str:
    """What a user can do about a library's error; empty if unknown."""
    texts = [text for cause in _chain(error) for text in (type(cause).__name__, str(cause))]
    found = (remedy for rule, remedy in _REMEDIES if any(rule.search(text) for text in texts))
    return next(found, "")


def _chain(error: BaseException) -> Iterator[BaseException]:
    """An error and its causes."""
    found: BaseException | None = error
    while found is not None:
        yield found
        found = found.__cause__ or found.__context__
