"""Muon against torch's, which orthogonalises in bf16, and against singular values."""

import torch

from physlm.analysis.lenses.muon import Muon, orthogonalised


def gradients(n_steps):
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(3, 16, 16, generator=generator) for _ in range(n_steps)]


def test_steps_are_those_of_torch_up_to_bf16():
    start, scales = torch.randn(3, 16, 16), torch.tensor([1.0, 2.0, 0.5])
    stack = torch.nn.Parameter(start.clone())
    ours = Muon(stack, lr=0.1, scales=scales, weight_decay=0.3)
    alone = [torch.nn.Parameter(matrix.clone()) for matrix in start]
    groups = [
        # torch also multiplies the weight decay by the learning rate of the group
        {"params": [matrix], "lr": 0.1 * scale, "weight_decay": 0.3 / scale}
        for matrix, scale in zip(alone, scales.tolist(), strict=True)
    ]
    theirs = torch.optim.Muon(groups)
    for gradient in gradients(4):
        stack.grad = gradient.clone()
        for matrix, own in zip(alone, gradient, strict=True):
            matrix.grad = own.clone()
        ours.step()
        theirs.step()
    difference = (stack - torch.stack(alone)).detach().norm()
    assert difference < 0.02 * (stack.detach() - start).norm()


def test_orthogonalised_matrices_keep_their_singular_vectors():
    (stack,) = gradients(1)
    u, s, v = torch.linalg.svd(stack)
    found = torch.einsum("kij,kil,kjl->kl", orthogonalised(stack), u, v.mT)
    assert (found[s > 0.1] > 0.6).all()
    assert (found[s > 0.1] < 1.3).all()
    torch.testing.assert_close(
        orthogonalised(stack), u @ torch.diag_embed(found) @ v, atol=1e-4, rtol=1e-3
    )
