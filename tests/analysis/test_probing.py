"""A planted feature is found where a probe can reach it; a shuffled label is not."""

import numpy as np
import pytest
import torch

from physlm.analysis.probing import Labels, ProbeRecipe, Probes, fit_probes, is_found
from physlm.analysis.reach import Reach

RECIPE = ProbeRecipe(n_heads=4, d_position=64, n_steps=250, batch_size=40, learning_rate=2e-2)
N, T, WIDTH = 400, 12, 24


def planted(offset, *, seed=0, is_shuffled=False):
    """States of noise that hold, at every position, the label of the position ``offset`` before."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(0, 3, (N, T), generator=generator)
    directions = torch.randn((3, WIDTH), generator=torch.Generator().manual_seed(99))
    states = 0.3 * torch.randn((N, T, WIDTH), generator=generator)
    states = states + directions[labels.roll(offset, dims=1)]
    if is_shuffled:
        labels = labels.flatten()[torch.randperm(N * T, generator=generator)].view(N, T)
    return states, Labels((3,), labels[None], torch.ones((N, T), dtype=torch.bool))


def accuracy(offset, reach, *, is_shuffled=False):
    states, labels = planted(offset, is_shuffled=is_shuffled)
    probes = fit_probes(states, labels, reach, RECIPE, seed=0)
    states, labels = planted(offset, seed=1, is_shuffled=is_shuffled)
    found = is_found(probes, states, labels)[0]
    return float(found[:, 1 : T - 3].double().mean())


@pytest.mark.parametrize(
    ("offset", "reach", "is_there"),
    [
        (0, Reach.diagonal, True),
        (1, Reach.diagonal, False),
        (1, Reach.tridiagonal, True),
        (3, Reach.tridiagonal, False),
        (3, Reach.full, True),
        pytest.param(0, Reach.tridiagonal, True, marks=pytest.mark.slow),
        pytest.param(0, Reach.full, True, marks=pytest.mark.slow),
        pytest.param(1, Reach.full, True, marks=pytest.mark.slow),
        pytest.param(3, Reach.diagonal, False, marks=pytest.mark.slow),
    ],
)
def test_a_planted_feature_is_found_where_the_probe_reaches(offset, reach, is_there):
    found = accuracy(offset, reach)
    assert found > 0.9 if is_there else abs(found - 1 / 3) < 0.06


@pytest.mark.parametrize(
    "reach",
    [Reach.full, *(pytest.param(r, marks=pytest.mark.slow) for r in Reach if r is not Reach.full)],
)
def test_a_shuffled_label_is_not_found(reach):
    assert abs(accuracy(0, reach, is_shuffled=True) - 1 / 3) < 0.06


def test_a_probe_is_linear_in_the_states():
    probes = Probes((3, 2), WIDTH, T, Reach.full, RECIPE, seed=0)
    a, b = torch.randn((2, 5, T, WIDTH))
    for ab, pa, pb, bias in zip(probes(a + b), probes(a), probes(b), probes(0 * a), strict=True):
        torch.testing.assert_close(ab + bias, pa + pb, atol=1e-4, rtol=1e-4)


def test_the_output_of_a_probe_is_the_sum_of_its_definition():
    probes = Probes((3, 2), WIDTH, T, Reach.tridiagonal, RECIPE, seed=0)
    states = torch.randn((1, T, WIDTH))
    answer = probes(states)[1]
    for i in range(T):
        expected = torch.zeros(2)
        near = [k for k in range(T) if abs(i - k) <= 1]
        for h in range(RECIPE.n_heads):
            p = probes.positions[1, h]
            weights = torch.stack([p[i] @ p[k] for k in near]).div(16**0.5).softmax(dim=0)
            for weight, k in zip(weights, near, strict=True):
                expected = expected + weight * (states[0, k] @ probes.functions[:, h, 3:])
        torch.testing.assert_close(answer[0, i], expected)


def test_each_row_of_labels_has_its_own_probe():
    """Probes that are trained together or alone predict the same."""
    states, labels = planted(0)
    both = Labels((3, 3), labels.classes.expand(2, -1, -1), labels.is_asked)
    found = is_found(fit_probes(states, both, Reach.full, RECIPE, seed=0), states, both)
    assert (found.double().mean(dim=(1, 2)) > 0.95).all()


def test_positions_without_a_label_do_not_train_the_probe():
    states, labels = planted(0)
    is_asked = torch.from_numpy(np.arange(T) < 6).expand(N, T)
    classes = torch.where(is_asked, labels.classes, 0)
    changed = torch.where(is_asked, labels.classes, 1)
    found = [
        fit_probes(states, Labels((3,), c, is_asked), Reach.full, RECIPE, seed=0).functions
        for c in (classes, changed)
    ]
    torch.testing.assert_close(*found)
