"""What tests of training share."""

import pytest
import torch


@pytest.fixture
def uncompiled(monkeypatch):
    """A whole step as it is written; the compiler does not see through the tests' shape checks."""
    monkeypatch.setattr(torch, "compile", lambda function, **_: function)
