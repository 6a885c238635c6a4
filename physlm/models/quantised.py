"""Post-training quantisation of weights, by torchao."""

import copy
import importlib
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from physlm.errors import InputError
from physlm.models.canon import Canon
from physlm.models.language_model import LanguageModel
from physlm.models.parameters import declarations
from physlm.models.transformer import Transformer, transformer


def quantised(model: LanguageModel, *, bits: int, group_size: int) -> Transformer:
    """A copy of a model in which the linear layers of blocks have quantised weights.

    Each group of neighbouring weights of a row shares one scale, symmetric around zero; each weight
    is rounded to the nearest multiple. Embeddings, positions, norms and biases are not quantised,
    as in the paper, nor are the few weights of Canon layers. The paper's GPTQ also adjusts the
    other weights of a row to compensate for each rounding; this does not.

    Args:
        model: A trained model.
        bits: Bits of a weight, from 2 to 8.
        group_size: Weights that share a scale.

    Raises:
        InputError: If torchao is missing, a row is not a multiple of the group, or blocks have
            weights outside of linear layers, norms and Canon layers.

    Source:
        Physics of Language Models, Part 3.3, section 7.
    """
    require_quantisable(model, group_size)
    torchao = _torchao()
    scheme = torchao.IntxWeightOnlyConfig(
        weight_dtype=getattr(torch, f"int{bits}"), granularity=torchao.PerGroup(group_size)
    )
    rounded = copy.deepcopy(transformer(model, "model.weight_bits"))
    torchao.quantize_(rounded.blocks, scheme)
    return rounded


def require_quantisable(model: LanguageModel, group_size: int) -> None:
    """Require that all weights of blocks except norms and Canon can be quantised.

    They must belong to linear layers, whose rows are whole groups.

    Raises:
        InputError: Naming the weight that violates it.
    """
    _torchao()
    model = transformer(model, "model.weight_bits")
    modules = dict(model.blocks.named_modules())
    linear = {name: layer for name, layer in modules.items() if isinstance(layer, nn.Linear)}
    for name, declared in declarations(model.blocks).items():
        owner = name.rpartition(".")[0]
        is_filter = isinstance(modules[owner], Canon)
        if owner not in linear and declared.role != "norm" and not is_filter:
            raise InputError(
                f"model.weight_bits: blocks.{name} does not belong to a linear layer; only linear "
                "layers can be quantised"
            )
    for name, layer in linear.items():
        if layer.in_features % group_size:
            raise InputError(
                f"model.group_size={group_size} does not divide the {layer.in_features} weights in "
                f"a row of blocks.{name}.weight; use a divisor"
            )


def _torchao() -> Any:
    try:
        with torchao_quiet():
            return importlib.import_module("torchao.quantization")
    except ImportError as error:
        raise InputError(
            f"model.weight_bits needs torchao ({error}); pip install 'physlm[quantisation]'"
        ) from error


@contextmanager
def torchao_quiet() -> Iterator[None]:
    """Silence torchao, which at import lists the kernels for other machines it could not load.

    peft imports it, too, where it is installed.
    """
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)
