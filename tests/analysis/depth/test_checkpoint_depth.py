"""Models of `transformers`, traced like our own."""

import numpy as np
import pytest
import torch

from physlm.analysis.depth import Positions, trace
from physlm.analysis.depth.block_skipping import trace_skipping
from physlm.analysis.depth.patching import PromptPairs, recovered, trace_patching
from physlm.analysis.lenses import LogitLens
from physlm.errors import InputError
from tests.analysis.depth.planted import random_tokens
from tests.models.checkpoints import checkpoint


@pytest.mark.parametrize("kind", ["gpt2", "llama"])
def test_a_checkpoint_is_traced_and_changed_like_our_own_models(kind, tmp_path):
    model = checkpoint(tmp_path, kind)
    tokens = random_tokens((4, 9), 50)
    lens, lengths = LogitLens(model), torch.tensor([9, 5, 9, 7])
    rows = trace(model, tokens, lens, Positions(lengths=lengths), batch_size=3)
    with torch.no_grad():
        logits = model.model(tokens).logits
        embedded = model.model(tokens, output_hidden_states=True).hidden_states[0]
    places = [(i, t) for i, n in enumerate(lengths.tolist()) for t in range(1, n)]
    final = [int(logits[i, t].argmax()) for i, t in places]
    early = [int(model.unembed(embedded[i, t]).argmax()) for i, t in places]
    assert rows["final"].to_list() == final
    assert rows["top1"].to_list() == [list(pair) for pair in zip(early, final, strict=True)]
    # Without its only block, the model is the readout of state 0.
    skipped = trace_skipping(model, tokens, Positions(lengths=lengths))
    assert skipped["top1"].arr.first().to_list() == early
    np.testing.assert_allclose(
        skipped["kl_nats"].arr.first(), rows["kl_nats"].arr.first(), rtol=1e-3, atol=1e-5
    )
    with pytest.raises(InputError, match="leave segments out"):
        trace(model, tokens, lens, Positions(segments=torch.zeros_like(tokens)))


def test_a_checkpoint_is_patched(tmp_path):
    model = checkpoint(tmp_path, "llama")
    source, base = random_tokens((3, 6), 50, seed=1), random_tokens((3, 6), 50, seed=2)
    with torch.no_grad():
        change = model(source)[:, -1] - model(base)[:, -1]
    pairs = PromptPairs(
        source=source,
        base=base,
        answers=torch.stack([change.argmax(-1), change.argmin(-1)], dim=1),
        places={"all": torch.ones(3, 6, dtype=torch.bool)},
    )
    found = recovered(trace_patching(model, pairs))
    np.testing.assert_allclose(found["value"], 1, atol=1e-4)
