"""Linear erasure, against probes that are fitted afterwards, and a closed form of its own."""

import numpy as np
import pytest
import torch

from physlm.analysis.erasure import Eraser
from physlm.errors import InputError

WIDTH, N_CLASSES = 10, 4


def planted(n=800, seed=0):
    """Correlated states, with the mean of each class elsewhere, and the classes."""
    rng = np.random.default_rng(seed)
    classes = rng.integers(0, N_CLASSES, n)
    mixing = rng.normal(size=(WIDTH, WIDTH))
    states = rng.normal(size=(n, WIDTH)) @ mixing + 3 * rng.normal(size=(N_CLASSES, WIDTH))[classes]
    return torch.from_numpy(states), torch.from_numpy(classes)


def accuracy(states, classes):
    """Accuracy of a logistic probe, trained to its optimum on the same states."""
    probe = torch.nn.Linear(states.shape[1], N_CLASSES, dtype=torch.float64)
    optimizer = torch.optim.LBFGS(probe.parameters(), max_iter=300, line_search_fn="strong_wolfe")

    def loss():
        optimizer.zero_grad()
        found = torch.nn.functional.cross_entropy(probe(states), classes)
        found.backward()
        return found

    optimizer.step(loss)
    return (probe(states).argmax(dim=1) == classes).double().mean().item()


def test_a_probe_finds_the_class_before_and_not_after():
    states, classes = planted()
    eraser = Eraser.fit(states, classes)
    erased = eraser(states)
    most_common = classes.bincount().max().item() / len(classes)
    assert accuracy(states, classes) > 0.9
    assert accuracy(erased, classes) == pytest.approx(most_common, abs=0.01)
    means = torch.stack([erased[classes == c].mean(dim=0) for c in range(N_CLASSES)])
    torch.testing.assert_close(means, means[:1].expand_as(means))
    assert eraser.rank == N_CLASSES - 1


def test_erasing_twice_is_erasing_once():
    states, classes = planted()
    eraser = Eraser.fit(states, classes)
    torch.testing.assert_close(eraser(eraser(states)), eraser(states))
    assert eraser(states.float()).dtype == torch.float32


def test_the_change_is_the_least_of_all_maps_that_erase():
    # min E|x - Ax|^2 subject to A C = 0, with C the covariance of state and class. The Lagrangian
    # gives (A - I) S = L C', hence A = I - C (C' S^-1 C)^+ C' S^-1.
    states, classes = planted()
    centred = states - states.mean(dim=0)
    labels = torch.nn.functional.one_hot(classes).double()
    s = centred.mT @ centred / len(states)
    c = centred.mT @ (labels - labels.mean(dim=0)) / len(states)
    inverse = torch.linalg.inv(s)
    least = torch.eye(WIDTH) - c @ torch.linalg.pinv(c.mT @ inverse @ c, rtol=1e-9) @ c.mT @ inverse
    erased = Eraser.fit(states, classes)(states)
    torch.testing.assert_close(erased, states.mean(dim=0) + centred @ least.mT)
    change = (erased - states).square().sum().item()
    # The orthogonal projection erases as well, and changes more.
    axes = torch.linalg.svd(c).U[:, : N_CLASSES - 1]
    projected = centred - centred @ axes @ axes.mT
    assert accuracy(projected, classes) < 0.4
    assert change < (projected - centred).square().sum().item()


def test_states_of_few_directions_stay_in_them():
    states, classes = planted()
    wide = torch.cat([states, states[:, :2], torch.ones(len(states), 1)], dim=1)
    erased = Eraser.fit(wide, classes)(wide)
    torch.testing.assert_close(erased[:, WIDTH : WIDTH + 2], erased[:, :2])
    torch.testing.assert_close(erased[:, -1], wide[:, -1])
    torch.testing.assert_close(erased[:, :WIDTH], Eraser.fit(states, classes)(states))


def test_random_directions_leave_most_of_a_class():
    states, classes = planted()
    eraser = Eraser.random(states, N_CLASSES - 1, torch.Generator().manual_seed(0))
    erased = eraser(states)
    assert eraser.rank == N_CLASSES - 1
    torch.testing.assert_close(eraser(erased), erased)
    assert accuracy(erased, classes) > 0.6


def test_what_cannot_be_erased_is_refused():
    states, classes = planted()
    with pytest.raises(InputError, match="all states have the same class"):
        Eraser.fit(states, classes * 0)
    with pytest.raises(InputError, match="4 classes in states that vary in 2 directions"):
        Eraser.fit(states[:, :2], classes)
