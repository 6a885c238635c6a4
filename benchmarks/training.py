"""A training step: ours through Lightning, and transformers' GPT-2 of the same shape in a loop."""

import contextlib
import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import lightning
import torch
import transformers

from benchmarks.timing import Row, compare
from physlm.data.bio.biod import AttributeOrder, BiodConfig
from physlm.models.decoder import DecoderConfig
from physlm.models.position import PositionEncoding
from physlm.train.batches import Batches, Chunk
from physlm.train.module import TrainerConfig, TrainingModule
from physlm.train.schedule import OptimConfig


@dataclass(frozen=True, slots=True)
class Shape:
    """A model and a batch; the vocabulary follows from the alphabet."""

    name: str
    n_layers: int
    d_model: int
    n_heads: int
    alphabet_size: int
    seq_len: int
    batch_size: int
    n_steps: int

    def corpus_config(self) -> BiodConfig:
        """A world whose tokens fill the windows."""
        return BiodConfig(n_people=1000, exposures=10**6, alphabet_size=self.alphabet_size,
                          chunk_length=2, diversity=256, name_sizes=[32, 32, 32],
                          attribute_order=AttributeOrder.fixed, seq_len=self.seq_len)  # fmt: skip


SHAPES = (
    Shape("laptop: 2L, d 32, V 39, T 22, B 96", 2, 32, 2, 32, 22, 96, 40),
    Shape("tiny: 2L, d 64, V 263, T 128, B 8", 2, 64, 2, 256, 128, 8, 20),
    Shape("a: 2L, d 128, V 4103, T 512, B 8", 2, 128, 4, 4096, 512, 8, 2),
)


def training_rows() -> list[Row]:
    """Optimizer steps with clipping and AdamW in fp32, tokens per second."""
    rows = []
    for shape in SHAPES:
        vocabulary_size = shape.corpus_config().build(0).vocabulary.size
        with _ours(shape, vocabulary_size) as ours:
            theirs = _transformers(shape, vocabulary_size)
            peer = "transformers GPT-2, plain loop"
            rows.append(compare("training", shape.name, peer, ours=ours, theirs=theirs))
    return rows


@dataclass
class _Once:
    """A loader of one chunk, after which everything is set up."""

    chunk: Chunk

    def __iter__(self) -> Iterator[Chunk]:
        yield self.chunk


@contextlib.contextmanager
def _ours(shape: Shape, vocabulary_size: int) -> Iterator[Callable[[], int]]:
    """Chunks through the Lightning module, set up once as the trainer does."""
    corpus = shape.corpus_config().build(0)
    config = DecoderConfig(
        n_layers=shape.n_layers, d_model=shape.d_model, n_heads=shape.n_heads,
        position=PositionEncoding.learned,
    )  # fmt: skip
    model = config.build(vocabulary_size, shape.seq_len, 0)
    batches = Batches(corpus, shape.seq_len, shape.batch_size, shape.n_steps)
    module = TrainingModule(model, batches, optim=OptimConfig(), trainer=TrainerConfig(),
                            is_visible_across_documents=True)  # fmt: skip
    chunks: Any = iter(batches)
    trainer = lightning.Trainer(accelerator="cpu", logger=False, enable_checkpointing=False,
                                enable_progress_bar=False, enable_model_summary=False,
                                max_epochs=1, limit_val_batches=0)  # fmt: skip
    trainer.fit(module, _Once(next(chunks)))

    def step() -> int:
        chunk = next(chunks)
        module.training_step(chunk, 0)
        return sum(chunk.n_targets)

    yield step
    chunks.close()


def _transformers(shape: Shape, vocabulary_size: int) -> Callable[[], int]:
    """The same number of steps of transformers' GPT-2 with the same optimizer, data resident."""
    config = transformers.GPT2Config(
        vocab_size=vocabulary_size, n_positions=shape.seq_len, n_embd=shape.d_model,
        n_layer=shape.n_layers, n_head=shape.n_heads, resid_pdrop=0.0, embd_pdrop=0.0,
        attn_pdrop=0.0, use_cache=False, attn_implementation="sdpa",
        bos_token_id=0, eos_token_id=0,
    )  # fmt: skip
    model: Any = transformers.GPT2LMHeadModel(config).train()
    optimizer = OptimConfig().build(list(model.parameters()), [], is_fused=True)
    tokens = torch.randint(vocabulary_size, (16, shape.batch_size, shape.seq_len + 1))
    batches = itertools.cycle(tokens)

    def steps() -> int:
        for batch in itertools.islice(batches, shape.n_steps):
            logits = model(batch[:, :-1]).logits
            loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), batch[:, 1:].flatten())
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            optimizer.zero_grad()
        return shape.n_steps * shape.batch_size * shape.seq_len

    return steps
