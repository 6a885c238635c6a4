"""Errors that users can fix come with a remedy, whichever library raised them."""

import errno
import pickle
import re

import pytest
import torch
from safetensors import SafetensorError

from physlm.early_end import INTERRUPTED
from physlm.errors import DivergedError, InputError, KilledProcessError
from physlm.messages import BAD_INPUT, FAULT, explain


def caused(error, cause):
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "said", "status"),
    [
        (InputError("n=0; must be at least 1"), "error: n=0; must be at least 1", BAD_INPUT),
        (
            SafetensorError(
                "Error while serializing: I/O error: No space left on device (os error 28)"
            ),
            "error: .*No space left.*; free space on that disk; the same command resumes",
            BAD_INPUT,
        ),
        (
            OSError(errno.ENOSPC, "No space left on device", "runs/x"),
            "error: .*'runs/x'; free space on that disk",
            BAD_INPUT,
        ),
        (MemoryError(), "error: MemoryError; out of memory; lower", BAD_INPUT),
        (torch.OutOfMemoryError("CUDA out of memory"), "error: CUDA.*; out of memory", BAD_INPUT),
        (
            RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried"),
            "error: .*; out of memory; lower",
            BAD_INPUT,
        ),
        (
            caused(RuntimeError("while running"), RuntimeError("No space left on device")),
            "error: while running; free space",
            BAD_INPUT,
        ),
        (KeyboardInterrupt(), "interrupted: asked to stop", INTERRUPTED),
        (KilledProcessError(), "killed: ", FAULT),
        (DivergedError(3), "diverged: the loss is not finite at step 3; lower", FAULT),
        (RuntimeError("ours\nwhole"), "fault: RuntimeError: ours whole .*TRACEBACK", FAULT),
    ],
    ids=lambda x: type(x).__name__ if isinstance(x, BaseException) else "",
)
def test_errors_are_sorted_by_who_can_fix_them(capsys, error, said, status):
    assert explain(error, "point 1: ") == status
    printed = capsys.readouterr().err
    assert printed.count("\n") == 1
    assert re.match(f"point 1: {said}", printed), printed


def test_a_divergence_error_survives_pickling():
    error = pickle.loads(pickle.dumps(DivergedError(3, "lower it")))
    assert (error.step, str(error)) == (3, "the loss is not finite at step 3; lower it")
