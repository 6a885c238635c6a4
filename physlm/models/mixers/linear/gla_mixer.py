"""The mixer of gated linear attention."""

from typing import ClassVar

from jaxtyping import Float
from torch import Tensor, nn

from physlm.models.architecture import TransformerConfig
from physlm.models.canon import canon_at
from physlm.models.context import Context
from physlm.models.mixers.linear import kernels
from physlm.models.mixers.linear.gla import gla
from physlm.models.mixers.linear.linear_mixer import (
    HeadNorm,
    LinearMixer,
    ShortConvolution,
    in_heads,
    is_token,
    without_padding,
)
from physlm.models.mixers.linear_config import FeatureMap, GlaConfig
from physlm.models.parameters import Declaration


class GlaMixer(LinearMixer):
    """Queries, keys and values in one projection; decays and the output's gate beside it."""

    declares: ClassVar = {
        "qkv": Declaration(role="attention"),
        "decay_down": Declaration(role="attention"),
        "decay_up": Declaration(role="attention"),
        "gate": Declaration(role="attention"),
        "out": Declaration(role="attention", is_residual=True),
    }

    def __init__(self, mixer: GlaConfig, config: TransformerConfig) -> None:
        super().__init__()
        d = config.d_model
        self.n_heads, self.feature_map = mixer.heads(d), mixer.feature_map
        self.has_silu = mixer.has_silu
        self.temperature = mixer.gate_temperature
        self.widths = (d // 2, d // 2, d)
        self.qkv = nn.Linear(d, 2 * d, bias=False)
        self.canon = canon_at(config.canon, "B", 2 * d)
        self.convolution = (
            ShortConvolution(2 * d, mixer.convolution_kernel) if mixer.has_convolution else None
        )
        self.decay_down = nn.Linear(d, mixer.gate_rank, bias=False)
        self.decay_up = nn.Linear(mixer.gate_rank, d // 2)
        self.gate = nn.Linear(d, d, bias=False)
        self.norm = HeadNorm(d // self.n_heads, config.norm_eps)
        self.out = nn.Linear(d, d, bias=False)

    def mixed(
        self,
        x: Float[Tensor, "batch seq width"],
        context: Context,
        state: Float[Tensor, "batch heads key value"] | None,
        chunk: int,
    ) -> tuple[Float[Tensor, "batch seq width"], Float[Tensor, "batch heads key value"]]:
        """See ``LinearMixer``."""
        qkv = self.qkv(x)
        for convolution in (self.canon, self.convolution):
            qkv = qkv if convolution is None else convolution(qkv, context)
        qkv = nn.functional.silu(qkv) if self.has_silu else qkv
        q, k, v = (in_heads(part, self.n_heads) for part in qkv.split(self.widths, -1))
        if self.feature_map is FeatureMap.elu:
            q, k = nn.functional.elu(q) + 1, nn.functional.elu(k) + 1
        decays = self.decay_up(self.decay_down(x)).float()
        log_decay = in_heads(nn.functional.logsigmoid(decays), self.n_heads)
        kept = is_token(x, context)
        out, state = self.recurrence(gla, kernels.gla, chunk)(
            q,
            without_padding(k, kept),
            v,
            without_padding(log_decay / self.temperature, kept),
            state,
            chunk,
            segments=context.mask.segments,
        )
        mixed: Tensor = self.out(self.norm(out, self.gate(x)))
        return mixed, state
