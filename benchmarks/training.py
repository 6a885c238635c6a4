"""A training step: ours, transformers in its best mode, and our own model in other loops."""

import contextlib
import itertools
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import lightning
import torch
import transformers
from torch.utils.data import DataLoader

from benchmarks.memory import peak_mebibytes
from benchmarks.peers import Defaults, next_token_loss, plain_step
from benchmarks.shapes import ON_CPU, ON_GPU, Shape
from benchmarks.timing import DEVICE, Row, Speed, race, row, wait
from physlm.train.batches import Batches, Chunk
from physlm.train.module import TrainingModule
from physlm.train.objective import Objective
from physlm.train.schedule import OptimConfig
from physlm.train.trainer import TrainerConfig

Turn = Callable[[], int]


@dataclass(frozen=True, slots=True)
class Mode:
    """How a contender computes."""

    precision: str = "fp32"
    is_compiled: bool = False

    def __str__(self) -> str:
        return f"{self.precision}, {'compiled' if self.is_compiled else 'eager'}"


def training_rows() -> Iterator[Row]:
    """Optimizer steps with clipping and AdamW: every contender in the mode that suits it best."""
    for shape in ON_GPU if DEVICE == "cuda" else ON_CPU:
        yield from _rows(shape)


def _rows(shape: Shape) -> list[Row]:
    makers = {
        "ours": ours,
        "transformers GPT-2": _transformers("gpt2"),
        "transformers Llama": _transformers("llama"),
    }
    if shape.is_bound_by_overhead:
        makers |= {
            "own model, plain loop": _plain,
            "own model, Lightning defaults": _lightning_defaults,
        }
    turns, modes = {}, {}
    with contextlib.ExitStack() as stack:
        for name, maker in makers.items():
            modes[name], turns[name] = stack.enter_context(_best(shape, name, maker))
        eager = Mode(modes["ours"].precision)
        turns["ours, uncompiled"] = stack.enter_context(ours(shape, eager))
        modes["ours, uncompiled"] = eager
        speeds = race(5, **turns)
        peaks = {name: peak_mebibytes(turn) for name, turn in turns.items() if "Light" not in name}
    return [
        *_speed_rows(shape, speeds, modes),
        *_memory_rows(shape, peaks, modes),
        *_ceiling_rows(shape, speeds["ours"]),
    ]


def _speed_rows(shape: Shape, speeds: dict[str, Speed], modes: dict[str, Mode]) -> list[Row]:
    return [
        row(
            f"training ({modes['ours']})",
            shape.name,
            f"{name} ({modes[name]})",
            speeds["ours"],
            speed,
            "tokens/s",
        )
        for name, speed in speeds.items()
        if name != "ours"
    ]


def _memory_rows(shape: Shape, peaks: dict[str, float], modes: dict[str, Mode]) -> list[Row]:
    return [
        Row(
            "peak memory of a step",
            shape.name,
            f"{name} ({modes[name]})",
            peaks["ours"],
            peak,
            "MiB",
            is_cost=True,
        )
        for name, peak in peaks.items()
        if "transformers" in name
    ]


def _ceiling_rows(shape: Shape, speed: Speed) -> list[Row]:
    return [
        Row(
            "arithmetic of a step",
            shape.name,
            f"matrix product, {precision}",
            arithmetic(shape, speed),
            ceiling(dtype),
            "GFLOP/s",
        )
        for precision, dtype in (("fp32", torch.float32), ("bf16", torch.bfloat16))
    ]


def arithmetic(shape: Shape, speed: Speed) -> float:
    """GFLOP/s of a model whose steps take that many tokens per second."""
    return speed.median * shape.operations() / shape.n_tokens / 1e9


def ceiling(dtype: torch.dtype) -> float:
    """GFLOP/s of a large matrix product, the most this device was seen to do."""
    n = 8192 if DEVICE == "cuda" else 1024
    a = torch.randn(n, n, device=DEVICE, dtype=dtype)

    def product() -> int:
        for _ in range(5):
            a @ a
        wait()
        return 5

    return race(7, product=product)["product"].median * 2 * n**3 / 1e9


Maker = Callable[[Shape, Mode], contextlib.AbstractContextManager[Turn]]


@contextlib.contextmanager
def _best(shape: Shape, name: str, maker: Maker) -> Iterator[tuple[Mode, Turn]]:
    """The fastest mode of a contender: of eager fp32 and bf16, and the better one compiled."""
    speeds: dict[Mode, float] = {}

    def measure(mode: Mode) -> None:
        with maker(shape, mode) as turn:
            speeds[mode] = race(2, turn=turn)["turn"].median

    measure(Mode("fp32"))
    measure(Mode("bf16"))
    measure(Mode(max(speeds, key=speeds.__getitem__).precision, is_compiled=True))
    best = max(speeds, key=speeds.__getitem__)
    figures = "; ".join(f"{mode} {speed:,.0f}" for mode, speed in speeds.items())
    print(f"{shape.name}: {name}: {figures}", flush=True)
    with maker(shape, best) as turn:
        yield best, turn


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
    module = TrainingModule(objective, batches, optim=OptimConfig(), trainer=TrainerConfig())
    chunks: Any = iter(batches)
    trainer = _trainer(mode, logger=False, enable_checkpointing=False)
    trainer.fit(module, _Once(next(chunks)))
    _go_on(module, trainer, is_compiled_step=mode.is_compiled)

    def turn() -> int:
        chunk = module.transfer_batch_to_device(next(chunks), module.device, 0)
        with trainer.precision_plugin.train_step_context():
            module.training_step(chunk, 0)
        return shape.n_steps * shape.n_tokens

    yield turn
    chunks.close()


def _go_on(module: TrainingModule, trainer: lightning.Trainer, *, is_compiled_step: bool) -> None:
    """Undo the end of Lightning's fit, which takes everything off the device."""
    module.to(DEVICE)
    for state in trainer.optimizers[0].state.values():
        state.update({name: value.to(DEVICE) for name, value in state.items()})
    module.is_compiled_step = is_compiled_step
    module.on_train_start()


def _transformers(kind: str) -> Maker:
    @contextlib.contextmanager
    def maker(shape: Shape, mode: Mode) -> Iterator[Turn]:
        model = transformers.AutoModelForCausalLM.from_config(
            _config(kind, shape), attn_implementation="sdpa"
        ).train()
        yield _loop(shape, mode, model.to(DEVICE), lambda tokens: model(tokens).logits)

    return maker


def _config(kind: str, shape: Shape) -> Any:
    if kind == "gpt2":
        return transformers.GPT2Config(
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
    # As many parameters: three matrices in the gated MLP, each 8/3 wide.
    return transformers.LlamaConfig(
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


@contextlib.contextmanager
def _plain(shape: Shape, mode: Mode) -> Iterator[Turn]:
    model = shape.model().to(DEVICE)
    yield _loop(shape, mode, model, model)


def _loop(shape: Shape, mode: Mode, model: Any, logits: Callable[..., torch.Tensor]) -> Turn:
    """A plain loop over tokens that lie on the device already."""
    parameters = list(model.parameters())
    optimizer = OptimConfig().build(parameters, [], is_fused=True)
    size = (min(16, shape.n_steps), shape.batch_size, shape.seq_len + 1)
    batches = itertools.cycle(torch.randint(shape.vocabulary_size, size, device=DEVICE))

    loss_of = next_token_loss(logits)
    function = torch.compile(loss_of, dynamic=False) if mode.is_compiled else loss_of

    def turn() -> int:
        for batch in itertools.islice(batches, shape.n_steps):
            with torch.autocast(DEVICE, torch.bfloat16, enabled=mode.precision == "bf16"):
                loss = function(batch)
            plain_step(loss, parameters, optimizer)
        wait()
        return shape.n_steps * shape.n_tokens

    return turn


@contextlib.contextmanager
def _lightning_defaults(shape: Shape, mode: Mode) -> Iterator[Turn]:
    """A short run of its trainer at every turn."""
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
