"""Every architecture beside the RoPE baseline of equal size: training, decoding and memory.

Of the model of `+experiment=depo`, uncompiled. Memory is the peak of a training step.
"""

from collections.abc import Callable

import torch
from omegaconf import OmegaConf

from benchmarks.memory import peak_mebibytes
from benchmarks.peers import next_token_loss, plain_step
from benchmarks.timing import DEVICE, Row, race, row, wait
from physlm.config.compose import composed, register
from physlm.config.files import config_dir
from physlm.eval.generate import generate
from physlm.eval.sampling import Sampling
from physlm.models.language_model import LanguageModel
from physlm.train.schedule import OptimConfig

_SCALE = "gpu" if DEVICE == "cuda" else "laptop"
_BASELINE = "rope"
_VOCABULARY = 64
_BATCH, _LENGTH = 32, 128  # of a training step
_N_STEPS = 2
_N_PROMPTS, _N_PROMPT, _N_NEW = 8, 16, 112
_TURNS = 3


def architecture_rows() -> list[Row]:
    """All of `+architecture=`, in turns with the baseline."""
    register()
    words = OmegaConf.load(config_dir() / "architecture.yaml").options
    models = {str(name): _model(str(name)) for name in words}
    return [*_training_rows(models), *_decoding_rows(models), *_memory_rows(models)]


def _model(name: str) -> LanguageModel:
    config = composed(("+experiment=depo", f"scale={_SCALE}", f"+architecture={name}"))
    return config.architecture.build(_VOCABULARY, _N_PROMPT + _N_NEW, 0).to(DEVICE)


def _size(models: dict[str, LanguageModel]) -> str:
    n_parameters = sum(p.numel() for p in models[_BASELINE].parameters())
    return f"{n_parameters / 1e6:.1f}M parameters"


def _training_rows(models: dict[str, LanguageModel]) -> list[Row]:
    """Optimizer steps with clipping and AdamW, in fp32."""
    turns = {name: _steps(model) for name, model in models.items()}
    shape = f"{_size(models)}, batch {_BATCH}, T {_LENGTH}"
    return _beside_baseline("training step of an architecture", shape, turns)


def _steps(model: LanguageModel) -> Callable[[], int]:
    parameters = list(model.parameters())
    optimizer = OptimConfig().build(parameters, [], is_fused=True)
    tokens = torch.randint(_VOCABULARY, (_BATCH, _LENGTH + 1), device=DEVICE)
    loss_of = next_token_loss(model)

    def turn() -> int:
        model.train()
        for _ in range(_N_STEPS):
            plain_step(loss_of(tokens), parameters, optimizer)
        wait()
        return _N_STEPS * _BATCH * _LENGTH

    return turn


def _decoding_rows(models: dict[str, LanguageModel]) -> list[Row]:
    """New tokens, drawn at temperature 1."""
    prompts = torch.randint(_VOCABULARY, (_N_PROMPTS, _N_PROMPT))
    sampling = Sampling(max_new_tokens=_N_NEW, is_compiled=False)

    def decoding(model: LanguageModel) -> Callable[[], int]:
        return lambda: sum(map(len, generate(model, prompts, sampling, seed=0).tokens))

    turns = {name: decoding(model) for name, model in models.items()}
    shape = f"{_size(models)}, {_N_PROMPTS} texts, {_N_PROMPT} + {_N_NEW} tokens"
    return _beside_baseline("decoding of an architecture", shape, turns)


def _beside_baseline(work: str, shape: str, turns: dict[str, Callable[[], int]]) -> list[Row]:
    speeds = race(_TURNS, **turns)
    own = speeds.pop(_BASELINE)
    return [
        row(f"{work}: {name}", shape, _BASELINE, speed, own, "tokens/s")
        for name, speed in speeds.items()
    ]


def _memory_rows(models: dict[str, LanguageModel]) -> list[Row]:
    peaks = {name: peak_mebibytes(_steps(model)) for name, model in models.items()}
    own = peaks.pop(_BASELINE)
    shape = f"{_size(models)}, batch {_BATCH}, T {_LENGTH}"
    return [
        Row(
            f"peak memory of an architecture: {name}",
            shape,
            _BASELINE,
            peak,
            own,
            "MiB",
            is_cost=True,
        )
        for name, peak in peaks.items()
    ]
