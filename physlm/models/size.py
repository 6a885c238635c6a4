"""Number of parameters of a decoder or encoder, in closed form."""

from typing import TYPE_CHECKING

from physlm.models.components import MlpKind, NormKind, PositionEncoding, n_distances

if TYPE_CHECKING:
    from physlm.models.architecture import TransformerConfig

_N_UP = {MlpKind.gelu: 1, MlpKind.silu: 1, MlpKind.gated_silu: 2, MlpKind.none: 0}
_TOLERANCE = 0.01  # of models that count as equal in size


def n_parameters(config: "TransformerConfig", vocabulary_size: int, seq_len: int) -> dict[str, int]:
    """Parameters by role, without building the model.

    For GPT-2 with width d, L layers and V tokens the total is about 12 L d^2 + V d.

    Source:
        Physics of Language Models, Part 3.3, section 2.2: embeddings count used tokens only.
    """
    d, n_layers = config.d_model, config.n_layers
    n_embedded = vocabulary_size + config.n_special
    found = {
        "embedding": (n_embedded if config.tie_embeddings else n_embedded + vocabulary_size) * d,
        "position": _position(config, seq_len),
        "attention": n_layers * _mixer(config),
        "mlp": n_layers * _mlp(config, config.d_hidden),
        "norm": n_layers * _norms(config) + _norm(config),
    }
    if config.canon is not None:
        found["canon"] = n_layers * _canon(config, config.d_hidden)
    return found


def matched_width(config: "TransformerConfig") -> int:
    """The hidden width of the MLP with which a block is closest in size to a plain one.

    A plain block has attention with rotary positions and no Canon, and an MLP of ``mlp_ratio``.
    Embeddings of tokens, positions and distances do not count.
    """
    unit = 1 if config.experts is None else config.experts.n_experts  # experts share evenly
    empty, wider = (_block(config, hidden) for hidden in (0, unit))
    if wider == empty:
        return 0
    return max(0, unit * round((_plain_block(config) - empty) / (wider - empty)))


def require_matched(config: "TransformerConfig") -> None:
    """Require that a width of the MLP makes the model as large as the plain one, to 1%.

    Raises:
        ValueError: If there is none.
    """
    if config.mlp is MlpKind.none:
        raise ValueError(
            "is_size_matched=true with mlp=none, but it sets the width of the MLP; leave it out"
        )
    wanted, hidden = _plain_block(config), matched_width(config)
    found = _block(config, hidden)
    if hidden < 1 or abs(found - wanted) > _TOLERANCE * wanted:
        raise ValueError(
            f"is_size_matched=true, but blocks closest to the {wanted} parameters of plain ones "
            f"have {found} (mlp={config.mlp.value} of {hidden} hidden units), more than 1% off; "
            "use another d_model or mlp_ratio"
        )


def _block(config: "TransformerConfig", hidden: int) -> int:
    """Parameters of a block whose MLP has a hidden width."""
    distances = config.mixer is None and config.position.has_embedded_distances
    position = _distance_projections(config) if distances else 0
    norms = _norms(config)
    return _mixer(config) + _mlp(config, hidden) + norms + _canon(config, hidden) + position


def _plain_block(config: "TransformerConfig") -> int:
    hidden = round(config.mlp_ratio * config.d_model)
    return _attention(config, is_content_free=False) + _mlp(config, hidden) + _norms(config)


def _mixer(config: "TransformerConfig") -> int:
    if config.mixer is not None:
        return config.mixer.n_parameters(config)
    return _attention(config, is_content_free=config.position.is_content_free)


def _attention(config: "TransformerConfig", *, is_content_free: bool) -> int:
    d, bias = config.d_model, int(config.has_bias)
    d_read = d if is_content_free else d + 2 * config.attention_shape.d_kv
    return (d + bias) * d_read + (d + bias) * d


def _position(config: "TransformerConfig", seq_len: int) -> int:
    """Position embeddings, and each layer's projections of distance embeddings."""
    if config.position is PositionEncoding.learned:
        return seq_len * config.d_model
    if not config.position.has_embedded_distances:
        return 0
    embedded = n_distances(seq_len, is_causal=config.is_causal) * config.d_model
    return embedded + config.n_layers * _distance_projections(config)


def _distance_projections(config: "TransformerConfig") -> int:
    d, shape = config.d_model, config.attention_shape
    is_relative = config.position is PositionEncoding.relative
    return (d + shape.d_kv if is_relative else shape.n_heads) * d


def _mlp(config: "TransformerConfig", hidden: int) -> int:
    d, bias, n_up = config.d_model, int(config.has_bias), _N_UP[config.mlp]
    if config.experts is not None:
        return (n_up + 1) * d * hidden + d * config.experts.n_experts
    return n_up * (d + bias) * hidden + (hidden + bias) * d if n_up else 0


def _norms(config: "TransformerConfig") -> int:
    """Norms of a block: before its mixer and its MLP, and of queries and keys."""
    of_heads = config.d_model + config.attention_shape.d_kv if config.has_qk_norm else 0
    return (1 if config.mlp is MlpKind.none else 2) * _norm(config) + of_heads


def _norm(config: "TransformerConfig") -> int:
    return (
        config.d_model
        if config.norm is NormKind.rmsnorm
        else (1 + config.has_bias) * config.d_model
    )


def _canon(config: "TransformerConfig", hidden: int) -> int:
    """Canon layers of a block."""
    if config.canon is None:
        return 0
    d = config.d_model
    widths = {"A": d, "B": config.canon_b_width, "C": d, "D": _N_UP[config.mlp] * hidden}
    return sum(config.canon.n_parameters(place, width) for place, width in widths.items())
