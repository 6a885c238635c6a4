"""Reading predictions at every state: ours, and one prompt at a time as published code does it."""

from collections.abc import Callable

import torch
from torch import Tensor

from benchmarks.shapes import Shape
from benchmarks.timing import Row, compare
from physlm.analysis.depth import trace
from physlm.analysis.lenses import LogitLens
from physlm.models.decoder import Decoder

SHAPE = Shape("12L, d 256, V 8192, T 64, B 8", 12, 256, 4, 8192, 64, 8, 1)


def depth_rows() -> list[Row]:
    """Predictions per second; the peer predicts once per prompt, ours at every position."""
    model = SHAPE.model().eval()
    generator = torch.Generator().manual_seed(0)
    shape = (SHAPE.batch_size, SHAPE.seq_len)
    tokens = torch.randint(0, SHAPE.vocabulary_size, shape, generator=generator)
    lens = LogitLens(model)
    return [
        compare(
            "depth: predictions read at every state",
            SHAPE.name,
            "one prompt at a time, all positions projected, the last one used",
            ours=lambda: len(trace(model, tokens, lens)),
            theirs=_one_by_one(model, tokens[:2], lens),
            unit="predictions/s",
        )
    ]


def _one_by_one(model: Decoder, prompts: Tensor, lens: LogitLens) -> Callable[[], int]:
    @torch.inference_mode()
    def run() -> int:
        for prompt in prompts:
            states = model.residuals(prompt[None])
            scores = [lens.logits(state, k)[0, -1] for k, state in enumerate(states)]
            final = scores[-1].softmax(-1)
            for own in scores:
                rank = 1 + (own > own[final.argmax()]).sum()
                divergence = (final * (final.log() - own.log_softmax(-1))).sum()
                assert min(rank, divergence) > -1e-3
        return len(prompts)

    return run
