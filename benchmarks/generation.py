"""Sampling: ours, and transformers' `generate` on a GPT-2 with the very same weights."""

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import transformers

from benchmarks.timing import Row, race, row
from physlm.eval.generate import generate
from physlm.eval.sampling import Sampling
from physlm.models.architecture import DecoderConfig
from physlm.models.components import PositionEncoding
from physlm.models.decoder import Decoder
from physlm.models.transformers_format import save_transformers


@dataclass(frozen=True, slots=True)
class Shape:
    """A model, and how much it writes after how much it reads."""

    name: str
    n_layers: int
    d_model: int
    n_heads: int
    vocabulary_size: int
    batch_size: int
    n_prompt: int
    n_new: int

    def model(self) -> Decoder:
        """A model that transformers' GPT-2 can express."""
        config = DecoderConfig(
            n_layers=self.n_layers,
            d_model=self.d_model,
            n_heads=self.n_heads,
            position=PositionEncoding.learned,
        )
        return config.build(self.vocabulary_size, self.n_prompt + self.n_new, 0)

    def prompts(self) -> torch.Tensor:
        """Any tokens."""
        generator = torch.Generator().manual_seed(0)
        shape = (self.batch_size, self.n_prompt)
        return torch.randint(1, self.vocabulary_size, shape, generator=generator)


SHAPES = (
    Shape("laptop: 2L, d 32, V 64, 2 + 22, B 96", 2, 32, 2, 64, 96, 2, 22),
    Shape("tiny: 2L, d 64, V 256, 16 + 112, B 8", 2, 64, 2, 256, 8, 16, 112),
    Shape("cfg: 4L, d 64, V 4, 1 + 250, B 256", 4, 64, 4, 4, 256, 1, 250),
    Shape("a: 2L, d 128, V 4096, 50 + 250, B 64", 2, 128, 4, 4096, 64, 50, 250),
)


def generation_rows() -> list[Row]:
    """New tokens per second in fp32, drawn at temperature 1 from the whole vocabulary."""
    rows: list[Row] = []
    for shape in SHAPES:
        model = shape.model()
        theirs = _transformers(shape, model)
        speeds = race(
            7,
            eager=_ours(shape, model, is_compiled=False),
            compiled=_ours(shape, model, is_compiled=True),
            dynamic=theirs("dynamic"),
            static=theirs("static"),
        )
        rows += [
            row(
                f"generation ({how})",
                shape.name,
                f"transformers generate, {cache} cache",
                speeds[how],
                speeds[cache],
                "tokens/s",
            )
            for how in ("eager", "compiled")
            for cache in ("dynamic", "static")
        ]
    return rows


def _ours(shape: Shape, model: Decoder, *, is_compiled: bool) -> Callable[[], int]:
    prompts, sampling = (
        shape.prompts(),
        Sampling(max_new_tokens=shape.n_new, is_compiled=is_compiled),
    )

    def run() -> int:
        return sum(map(len, generate(model, prompts, sampling, seed=0).tokens))

    return run


def _transformers(shape: Shape, model: Decoder) -> Callable[[str], Callable[[], int]]:
    """Their `generate` with either cache, ended by length alone, as ours."""
    with tempfile.TemporaryDirectory() as folder:
        save_transformers(model, Path(folder))
        theirs: Any = transformers.AutoModelForCausalLM.from_pretrained(folder).eval()
    theirs.generation_config.eos_token_id = None
    prompts = shape.prompts()
    settings = {
        "attention_mask": torch.ones_like(prompts),
        "do_sample": True,
        "top_k": 0,
        "min_new_tokens": shape.n_new,
        "max_new_tokens": shape.n_new,
        "pad_token_id": 0,
    }

    def with_cache(cache: str) -> Callable[[], int]:
        def run() -> int:
            with torch.inference_mode():
                written = theirs.generate(prompts, cache_implementation=cache, **settings)
            return int(written[:, shape.n_prompt :].numel())

        return run

    return with_cache
