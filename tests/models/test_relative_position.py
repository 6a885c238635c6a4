import pytest
import torch

from physlm.models.relative_position import RelativePositions, by_pair


@pytest.mark.parametrize(
    ("n_rows", "n_scores", "first"), [(5, 6, 4), (5, 6, 0), (4, 8, 3), (1, 2, 0)]
)
def test_moved_rows_are_those_of_a_double_loop(n_rows, n_scores, first):
    scores = torch.randn(2, 3, n_rows, n_scores, generator=torch.Generator().manual_seed(0))
    moved = by_pair(scores, first)
    assert moved.shape == (2, 3, n_rows, n_scores - 1)
    for row in range(n_rows):
        for column in range(n_rows):
            if 0 <= first + column - row < n_scores - 1:
                assert torch.equal(moved[..., row, column], scores[..., row, first + column - row])


@pytest.mark.parametrize("n_positions", [1, 4, 6])
def test_distances_beyond_the_window_share_the_furthest_embedding(n_positions):
    furthest = 3
    for is_causal in (True, False):
        distances = RelativePositions(furthest + 1, 2, is_causal=is_causal)
        lowest = 0 if is_causal else -furthest
        found = distances(n_positions)
        expected = [
            distances.embedding.weight[min(max(d, lowest), furthest) - lowest]
            for d in range(0 if is_causal else 1 - n_positions, n_positions)
        ]
        assert torch.equal(found, torch.stack(expected))
