"""Low-rank adapters: trained in place of the frozen weights, merged into them at the end."""

import copy
from dataclasses import replace

import torch
from jaxtyping import Float
from torch import Tensor, nn

from physlm.errors import InputError
from physlm.models.inherited import Lora
from physlm.models.language_model import LanguageModel
from physlm.models.mixers.attention import Attention
from physlm.models.parameters import Declaration
from physlm.models.quantised import torchao_quiet
from physlm.models.transformer import Transformer, transformer
from physlm.rng import stream_key


def adapted(model: LanguageModel, lora: Lora, seed: int) -> Transformer:
    """A model in which only adapters are trained; initially they change nothing.

    Embedding and unembedding are untied, since the adapter is on the input embedding only.

    Raises:
        InputError: If the model is not a transformer of physlm, its mixer has no queries to adapt,
            or peft is missing or incompatible with the installed libraries.
    """
    model = transformer(model, "adapters")
    if lora.rank:
        _require_queries(model, lora.rank)
    adapted = untied(model)
    places = {
        r"blocks\.\d+\.attention\.qkv\.(query|value)": lora.rank,
        "embedding": lora.embedding_rank,
    }
    ranks = {place: rank for place, rank in places.items() if rank}
    if lora.rank:
        for block in adapted.blocks:
            block.attention.qkv = Projections(block.attention)  # type: ignore[union-attr, arg-type]
    _inject(adapted, ranks, lora.alpha, seed)
    if lora.embedding_rank:
        # peft adds these as bare parameters, whose roles no module type implies.
        adapted.embedding.declares = dict.fromkeys(  # type: ignore[assignment]
            ("lora_embedding_A", "lora_embedding_B"), Declaration(decays=True)
        )
    return adapted


def merged(model: LanguageModel) -> Transformer:
    """The same function with the adapters merged into plain weights."""
    plain = copy.deepcopy(transformer(model, "adapters"))
    for parameter in plain.parameters():
        parameter.requires_grad = True
    for block in plain.blocks:
        attention = block.attention
        if isinstance(attention.qkv, Projections):  # type: ignore[union-attr]
            attention.qkv = attention.qkv.fused()  # type: ignore[union-attr]
    plain.embedding = _merged(plain.embedding)  # type: ignore[assignment]
    return plain


def untied(model: Transformer) -> Transformer:
    """A copy whose unembedding has weights of its own."""
    free = copy.deepcopy(model)
    free.config = replace(model.config, tie_embeddings=False)
    free.unembedding.weight = nn.Parameter(model.unembedding.weight.detach().clone())
    return free


class Projections(nn.Module):
    """Separate projections to queries, keys and values."""

    def __init__(self, attention: Attention) -> None:
        super().__init__()
        shape, fused = attention.shape, attention.qkv
        widths = [shape.d_model, shape.d_kv, shape.d_kv]
        weights = torch.split(fused.weight.detach(), widths)
        has_bias = isinstance(fused.bias, Tensor)
        biases = torch.split(fused.bias.detach(), widths) if has_bias else (None,) * 3
        self.query, self.key, self.value = map(_linear, weights, biases)

    def forward(self, x: Float[Tensor, "batch seq width"]) -> Float[Tensor, "batch seq heads"]:
        """All three, concatenated as the fused projection has them."""
        return torch.cat([self.query(x), self.key(x), self.value(x)], dim=-1)

    def fused(self) -> nn.Linear:
        """One layer that computes the same."""
        states = [_merged(part).state_dict() for part in (self.query, self.key, self.value)]
        biases = [state["bias"] for state in states if "bias" in state]
        weight = torch.cat([state["weight"] for state in states])
        return _linear(weight, torch.cat(biases) if biases else None)


def _require_queries(model: Transformer, rank: int) -> None:
    config = model.config
    for block in model.blocks:
        mixer = block.attention
        if not isinstance(mixer, Attention):
            setting = f"model.position={config.position.value}"
            place = setting if config.mixer is None else "model.mixer"
            raise InputError(
                f"rank={rank}: the mixer of {place} has no queries and values to adapt; use "
                "rank=0, or tuning=full"
            )


def _inject(model: Transformer, ranks: dict[str, int], alpha: int, seed: int) -> None:
    """Add an adapter, drawn from the seed, to every module that matches a pattern."""
    try:  # peft also imports optional libraries when it injects
        with torchao_quiet(), torch.random.fork_rng():
            from peft import LoraConfig, inject_adapter_in_model  # here, since it takes seconds

            config = LoraConfig(
                r=max(ranks.values()),
                lora_alpha=alpha,
                target_modules="|".join(ranks),
                rank_pattern=ranks,
                bias="none",
            )
            torch.manual_seed(stream_key(seed, "adapters") >> 1)
            inject_adapter_in_model(config, model)
    except ImportError as error:
        raise InputError(
            f"tuning=lora needs peft ({error}); pip install 'physlm[adapters]'"
        ) from error


def _linear(weight: Float[Tensor, "out width"], bias: Float[Tensor, " out"] | None) -> nn.Linear:
    layer = nn.Linear(weight.shape[1], weight.shape[0], bias=bias is not None, device="meta")
    layer.weight = nn.Parameter(weight.clone())
    if bias is not None:
        layer.bias = nn.Parameter(bias.clone())
    return layer


def _merged(layer: nn.Module) -> nn.Module:
    """The layer with its adapter, if it has one, added to its weights."""
    if not hasattr(layer, "get_base_layer"):
        return layer
    layer.merge()  # type: ignore[operator]
    base: nn.Module = layer.get_base_layer()  # type: ignore[operator]
    return base
