"""Contenders in a race of training steps: ours, other architectures, ours in other loops."""

import contextlib
import importlib.util
import itertools
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import lightning
import torch
import transformers
from torch import nn
from torch.utils.data import DataLoader

from benchmarks.peers import Defaults, next_token_loss, plain_step
from benchmarks.plain_models import nano_gpt, zoology
from benchmarks.shapes import Shape
from benchmarks.timing import DEVICE, wait
from physlm.train.batches import Batches, Chunk
from physlm.train.module import TrainingModule
from physlm.train.objective import Objective
from physlm.train.parts import Parts
from physlm.train.runtime import RuntimeConfig
from physlm.train.schedule import OptimConfig
from physlm.train.trainer import Precision, TrainerConfig

Turn = Callable[[], int]


@dataclass(frozen=True, slots=True)
class Mode:
    """How a contender computes."""

    precision: str = "fp32"
    is_compiled: bool = False
    n_cores: int = 1

    def __str__(self) -> str:
        cores = "" if self.n_cores == 1 else f", {self.n_cores} cores"
        return f"{self.precision}, {'compiled' if self.is_compiled else 'eager'}{cores}"


Maker = Callable[[Shape, Mode], contextlib.AbstractContextManager[Turn]]


def others() -> dict[str, Maker]:
    """Architectures of others by name, each in a plain loop."""
    makers = {
        "zoology": _plain_loop(zoology),
        "nanoGPT": _plain_loop(nano_gpt),
        "transformers GPT-2": _plain_loop(_transformers_gpt2),
        "transformers Llama": _plain_loop(_transformers_llama),
    }
    if importlib.util.find_spec("litgpt") is None:
        # It asks for an older huggingface_hub than transformers, but computes without it.
        print("litgpt is not installed and does not take part: pip install --no-deps litgpt")
        return makers
    return makers | {"litgpt": _plain_loop(_litgpt)}


def own_loops() -> dict[str, Maker]:
    """Our own model, in loops of others."""
    return {
        "own model, plain loop": _plain_loop(Shape.model),
        "own model, Lightning defaults": lightning_defaults,
    }


@dataclass
class _Once:
    """A loader of one chunk, after which everything is set up."""

    chunk: Chunk

    def __iter__(self) -> Iterator[Chunk]:
        yield self.chunk


@contextlib.contextmanager
def ours(shape: Shape, mode: Mode) -> Iterator[Turn]:
    """Chunks through the Lightning module, set up once as the trainer does."""
    objective = Objective(shape.model(), eos=0, is_visible_across_documents=True)
    batches = Batches(shape.corpus(), shape.seq_len, shape.batch_size, shape.n_steps)
    settings = TrainerConfig(batch_size=shape.batch_size, precision=Precision(mode.precision))
    n_parts, n_processes = 1, 1
    if mode.n_cores > 1 and mode.is_compiled:
        runtime = RuntimeConfig(n_cores=mode.n_cores)
        n_parts, n_processes = runtime.batch_parts(settings, shape.seq_len)
    module = TrainingModule(
        objective,
        batches,
        optim=OptimConfig(),
        trainer=settings,
        n_parts=n_parts,
        n_processes=n_processes,
    )
    chunks: Any = iter(batches)
    trainer = _trainer(mode, logger=False, enable_checkpointing=False)
    trainer.fit(module, _Once(next(chunks)))
    _go_on(module, trainer, is_compiled_step=mode.is_compiled)

    def turn() -> int:
        chunk = module.transfer_batch_to_device(next(chunks), module.device, 0)
        with trainer.precision_plugin.train_step_context():
            module.training_step(chunk, 0)
        return shape.n_steps * shape.n_tokens

    if n_processes > 1:
        _take_steps_until_all_take_part(module, turn)
    yield turn
    chunks.close()
    if module.compiled_step is not None:
        module.compiled_step.close()


def _take_steps_until_all_take_part(module: TrainingModule, turn: Turn) -> None:
    """Other processes start at the first step, and are there once they have compiled theirs."""
    turn()
    assert module.compiled_step is not None
    parts = module.compiled_step.gradients
    assert isinstance(parts, Parts)
    while not all(worker.is_ready for worker in parts.workers):
        turn()


def _go_on(module: TrainingModule, trainer: lightning.Trainer, *, is_compiled_step: bool) -> None:
    """Undo the end of Lightning's fit, which takes everything off the device."""
    module.to(DEVICE)
    for state in trainer.optimizers[0].state.values():
        state.update({name: value.to(DEVICE) for name, value in state.items()})
    module.is_compiled_step = is_compiled_step
    module.on_train_start()


def _plain_loop(build: Callable[[Shape], nn.Module]) -> Maker:
    """A loop over tokens that lie on the device already."""

    @contextlib.contextmanager
    def maker(shape: Shape, mode: Mode) -> Iterator[Turn]:
        model = build(shape).to(DEVICE).train()
        yield _loop(shape, mode, model)

    return maker


def _loop(shape: Shape, mode: Mode, model: nn.Module) -> Turn:
    parameters = list(model.parameters())
    optimizer = OptimConfig().build(parameters, [], is_fused=True)
    size = (min(16, shape.n_steps), shape.batch_size, shape.seq_len + 1)
    batches = itertools.cycle(torch.randint(shape.vocabulary_size, size, device=DEVICE))

    loss_of = next_token_loss(model)
    function = torch.compile(loss_of, dynamic=False) if mode.is_compiled else loss_of

    def turn() -> int:
        with _threads(mode.n_cores):
            for batch in itertools.islice(batches, shape.n_steps):
                with torch.autocast(DEVICE, torch.bfloat16, enabled=mode.precision == "bf16"):
                    loss = function(batch)
                plain_step(loss, parameters, optimizer)
            wait()
        return shape.n_steps * shape.n_tokens

    return turn


@contextlib.contextmanager
def _threads(n: int) -> Iterator[None]:
    """Other architectures use several cores within each operation."""
    before = torch.get_num_threads()
    torch.set_num_threads(n)
    yield
    torch.set_num_threads(before)


def _transformers_gpt2(shape: Shape) -> nn.Module:
    return _transformers(
        transformers.GPT2Config(
            vocab_size=shape.vocabulary_size,
            n_positions=shape.seq_len,
            n_embd=shape.d_model,
            n_layer=shape.n_layers,
            n_head=shape.n_heads,
            resid_pdrop=0.0,
            embd_pdrop=0.0,
            attn_pdrop=0.0,
            use_cache=False,
            bos_token_id=0,
            eos_token_id=0,
        )
    )


def _transformers_llama(shape: Shape) -> nn.Module:
    # As many parameters: three matrices in the gated MLP, each 8/3 wide.
    return _transformers(
        transformers.LlamaConfig(
            vocab_size=shape.vocabulary_size,
            max_position_embeddings=shape.seq_len,
            hidden_size=shape.d_model,
            intermediate_size=8 * shape.d_model // 3,
            num_hidden_layers=shape.n_layers,
            num_attention_heads=shape.n_heads,
            use_cache=False,
            tie_word_embeddings=True,
            bos_token_id=0,
            eos_token_id=0,
        )
    )


class _Logits(nn.Module):
    """A model of transformers that gives its logits alone."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """Scores of the next token."""
        logits: torch.Tensor = self.model(tokens).logits
        return logits


def _transformers(config: Any) -> nn.Module:
    return _Logits(
        transformers.AutoModelForCausalLM.from_config(config, attn_implementation="sdpa")
    )


def _litgpt(shape: Shape) -> nn.Module:
    """GPT-NeoX as litgpt has it, but one branch after the other; its head is tied as elsewhere."""
    import litgpt

    model: nn.Module = litgpt.GPT(
        litgpt.Config(
            name="",
            block_size=shape.seq_len,
            vocab_size=shape.vocabulary_size,
            padded_vocab_size=shape.vocabulary_size,
            n_layer=shape.n_layers,
            n_head=shape.n_heads,
            n_embd=shape.d_model,
            intermediate_size=4 * shape.d_model,
            rotary_percentage=1.0,
            parallel_residual=False,
            mlp_class_name="GptNeoxMLP",
            norm_class_name="LayerNorm",
        )
    )
    model.lm_head.weight = model.transformer.wte.weight  # type: ignore[union-attr]
    return model


@contextlib.contextmanager
def lightning_defaults(shape: Shape, mode: Mode) -> Iterator[Turn]:
    """Our own model in a short run of Lightning's trainer at every turn."""
    tokens = torch.randint(shape.vocabulary_size, (4, shape.batch_size, shape.seq_len + 1))
    model = shape.model().to(DEVICE)
    scores = torch.compile(model, dynamic=False) if mode.is_compiled else model
    module = Defaults(model, next_token_loss(scores), is_fused=mode.precision == "fp32")

    def turn() -> int:
        with tempfile.TemporaryDirectory() as folder:
            # The start of its trainer is part of no step, hence enough steps to outweigh it.
            n_steps = 4 * shape.n_steps
            trainer = _trainer(mode, default_root_dir=folder, gradient_clip_val=1.0)
            steps = list(itertools.islice(itertools.cycle(tokens), n_steps))
            trainer.fit(module, DataLoader(steps, batch_size=None))  # type: ignore[arg-type]
        return n_steps * shape.n_tokens

    yield turn


def _trainer(mode: Mode, **settings: Any) -> lightning.Trainer:
    precision: Any = {"fp32": "32-true", "bf16": "bf16-mixed"}[mode.precision]
    return lightning.Trainer(
        accelerator=DEVICE,
        devices=1,
        precision=precision,
        max_epochs=1,
        enable_model_summary=False,
        limit_val_batches=0,
        enable_progress_bar=False,
        **settings,
    )
