"""A file of weights: the same for the same weights, and of one run."""

import pytest
import torch

from physlm.errors import InputError
from physlm.record import Origin
from physlm.weights import Weights, keep_weights, load_weights


def test_the_same_weights_are_the_same_file_though_metadata_has_no_order(tmp_path):
    """Tied weights are in the metadata, too; a process draws the order once for each file."""
    first = torch.nn.ModuleDict({name: torch.nn.Linear(2, 2) for name in "abcde"})
    for linear in first.values():
        linear.weight = first["a"].weight
    files = []
    for i in range(8):
        keep_weights(first, tmp_path / str(i), Origin("run", "corpus"))
        files.append((tmp_path / str(i)).read_bytes())
    assert len(set(files)) == 1
    second = torch.nn.ModuleDict({name: torch.nn.Linear(2, 2) for name in "abcde"})
    for linear in second.values():
        linear.weight = second["a"].weight
    load_weights(second, Weights(tmp_path / "0", Origin("run", "corpus")), seq_len=1)
    assert torch.equal(second["e"].weight, first["a"].weight)
    with pytest.raises(InputError, match="is of another run"):
        load_weights(second, Weights(tmp_path / "0", Origin("run", "words")), seq_len=1)
