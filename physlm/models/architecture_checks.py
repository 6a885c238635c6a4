"""Rules between the fields of an architecture; each raises a ValueError that names the field."""

import math
from typing import TYPE_CHECKING

from physlm.models.components import MlpKind, PositionEncoding, ZLossKind
from physlm.registry import tag_of

if TYPE_CHECKING:
    from physlm.models.architecture import DecoderConfig, TransformerConfig


def check_z_loss(config: "TransformerConfig") -> None:
    """Require a weight of at least 0, and a kind only with a weight."""
    if not 0 <= config.z_loss < math.inf:
        raise ValueError(f"z_loss={config.z_loss}; must be at least 0")
    if config.z_loss_kind is not ZLossKind.log_partition and not config.z_loss:
        raise ValueError(
            f"z_loss_kind={config.z_loss_kind.value} with z_loss=0.0, which adds nothing; leave it "
            "out or set z_loss"
        )


def check_position(config: "TransformerConfig") -> None:
    """Require a rotation that splits heads evenly, and the heads that each position needs."""
    for name in ("rope_fraction", "rope_heads_fraction"):
        if not 0 < getattr(config, name) <= 1:
            raise ValueError(f"{name}={getattr(config, name)}; must be above 0, at most 1")
    position = config.position
    if position is PositionEncoding.rope:
        _check_rotation(config)
    else:
        _require_no_rotation(config)
    if position is PositionEncoding.h_alibi and config.n_heads < 2:
        raise ValueError("position=h_alibi with n_heads=1; must have at least 2 heads")
    if config.has_qk_norm and (config.mixer is not None or position.is_content_free):
        other = "model.mixer" if config.mixer is not None else f"position={position.value}"
        raise ValueError(
            f"has_qk_norm=true with {other}, which norms no queries and keys; leave it out"
        )


def _require_no_rotation(config: "TransformerConfig") -> None:
    """Require the default of every setting that only rotation reads."""
    for name, default in (
        ("rope_fraction", 1.0),
        ("rope_heads_fraction", 1.0),
        ("rope_is_interleaved", False),
    ):
        if getattr(config, name) != default:
            raise ValueError(
                f"{name}={getattr(config, name)} with position={config.position.value}, which "
                "rotates nothing; leave it out or use position=rope"
            )


def _check_rotation(config: "TransformerConfig") -> None:
    width, fraction = config.d_model // config.n_heads, config.rope_fraction
    if int(width * fraction) < 2:
        raise ValueError(
            f"heads of width {width} (d_model / n_heads) are too narrow to rotate "
            f"rope_fraction={fraction} of them; widen d_model or use fewer heads"
        )
    if fraction < 1 and not _is_whole(width * fraction / 2):
        raise ValueError(
            f"rope_fraction={fraction} of heads of width {width} (d_model / n_heads) are "
            f"{width * fraction:g} dimensions; must be an even number of them"
        )
    shape = config.attention_shape
    for name, n_heads in (("n_heads", shape.n_heads), ("n_kv_heads", shape.n_kv_heads)):
        if not _is_whole(n_heads * config.rope_heads_fraction):
            raise ValueError(
                f"rope_heads_fraction={config.rope_heads_fraction} of {name}={n_heads} is not a "
                "whole number of heads; choose a fraction that gives one"
            )


def check_mixer(config: "TransformerConfig") -> None:
    """Require a mixer that uses every field that is set; learned positions are in its input."""
    if config.mixer is None:
        return
    if config.mixer.is_causal and not config.is_causal:
        raise ValueError(f"{_named(config)} looks back only; leave it out of an encoder")
    is_free = config.position in (PositionEncoding.none, PositionEncoding.learned)
    if not is_free and "position" not in config.mixer.reads:
        raise ValueError(
            f"position={config.position.value}, but {_named(config)} reads no positions; set "
            "position=none or learned"
        )
    for name in ("n_kv_heads", "sliding_window"):
        given = getattr(config, name, None)
        if given is not None and name not in config.mixer.reads:
            raise ValueError(f"{name}={given}, but {_named(config)} does not use it; leave it out")
    config.mixer.check(config)


def check_canon(config: "TransformerConfig") -> None:
    """Require positions of Canon that exist in the blocks."""
    if config.canon is None:
        return
    letters, given = {*config.canon.positions}, f"canon.positions={config.canon.positions}"
    if not config.is_causal:
        raise ValueError(f"{given}, but Canon looks back only; leave it out of an encoder")
    if "B" in letters and not config.canon_b_width:
        raise ValueError(f"{given}, but {_named(config)} has no B; leave it out")
    if config.mlp is MlpKind.none and letters & {"C", "D"}:
        raise ValueError(f"{given} with mlp=none, but C and D belong to the MLP; leave them out")
    if config.experts is not None and "D" in letters:
        raise ValueError(
            f"{given} with n_experts={config.experts.n_experts}, but the tokens of an expert are "
            "not neighbours; leave D out"
        )


def check_experts(config: "DecoderConfig") -> None:
    """Require experts that are MLPs and share the hidden units evenly."""
    if not 1 <= config.n_active_experts <= config.n_experts:
        raise ValueError(
            f"n_active_experts={config.n_active_experts}; must be from 1 to "
            f"n_experts={config.n_experts}"
        )
    for name in ("expert_capacity", "load_balance"):
        least = 0 if name == "load_balance" else 1
        if not least <= getattr(config, name) < math.inf:
            raise ValueError(f"{name}={getattr(config, name)}; must be at least {least}")
    if config.n_experts == 1:
        return
    if config.mlp is MlpKind.none:
        raise ValueError(
            f"n_experts={config.n_experts} with mlp=none, but experts are MLPs; use another mlp"
        )
    if config.d_hidden % config.n_experts:
        raise ValueError(
            f"n_experts={config.n_experts} does not divide the {config.d_hidden} hidden units "
            "(mlp_ratio x d_model), which are split evenly between experts; change one of them"
        )


def _is_whole(x: float) -> bool:
    return abs(x - round(x)) < 1e-9


def _named(config: "TransformerConfig") -> str:
    """The mixer as on the command line."""
    return "attention" if config.mixer is None else tag_of(type(config.mixer)).replace("/", "=")
