"""The tuned lens: an affine translator of each state, fitted to the model's own predictions."""

from pathlib import Path

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from physlm.analysis.lenses.config import LensOptimizer, LensStart, TunedLensConfig
from physlm.analysis.lenses.lens import Lens, exact_dtype, width_of
from physlm.analysis.lenses.lens_files import read_lens, write_lens
from physlm.analysis.lenses.ridge import ridge_translators
from physlm.analysis.lenses.state_pool import StatePool, Windows
from physlm.analysis.lenses.training import Translators, train
from physlm.analysis.lenses.update_weights import UpdateWeights
from physlm.errors import InputError
from physlm.models.language_model import LanguageModel


class TunedLens(Lens):
    """Reads state k as h + h W + b, by the model's own final norm and output head.

    Args:
        model: The model whose states are read.
        weight: W of states 0 to L - 1. Zero weights and biases are the logit lens.
        bias: b of states 0 to L - 1.

    Attributes:
        weight: W of states 0 to L - 1.
        bias: b of states 0 to L - 1.

    Raises:
        InputError: If the lens has another width or depth than the model.

    Source:
        Belrose et al. (2023), Eliciting Latent Predictions from Transformers with the Tuned Lens.
    """

    def __init__(
        self,
        model: LanguageModel,
        weight: Float[Tensor, "states width width2"],
        bias: Float[Tensor, "states width"],
    ) -> None:
        super().__init__(model)
        _require_shape(model, weight)
        dtype = exact_dtype(weight.dtype)
        self.weight = weight.detach().to(model.device, dtype)
        self.bias = bias.detach().to(model.device, dtype)

    def translated(
        self, residual: Float[Tensor, "*any width"], state: int
    ) -> Float[Tensor, "*any width"]:
        """The estimate h + h W + b, in the wider of the types of weights and state."""
        exact = torch.promote_types(residual.dtype, self.weight.dtype)
        h = residual.to(exact)
        return h + (h @ self.weight[state].to(exact) + self.bias[state].to(exact))

    @classmethod
    def fit(
        cls,
        model: LanguageModel,
        tokens: Int[Tensor, "windows seq"],
        config: TunedLensConfig | None = None,
        *,
        is_visible: Bool[Tensor, "windows seq"] | None = None,
        segments: Int[Tensor, "windows seq"] | None = None,
        frequent: Int[Tensor, " tokens"] | None = None,
        seed: int = 0,
    ) -> "TunedLens":
        """Fit the translators on windows, which must not be analysed with the lens afterwards.

        Args:
            model: The model; it stays as it is.
            tokens: Token ids of the windows.
            config: Settings of the fit; None for the defaults.
            is_visible: False at padding and at tokens to leave out; None if all count.
            segments: Segment number of each token; None for one segment per row.
            frequent: Ids of the tokens to which ``frequent_weight`` applies.
            seed: Seed of the order of windows and tokens.

        Raises:
            InputError: If no token counts, a state is constant, or frequent tokens are missing.
            DivergedError: If the loss is not finite.
        """
        config = TunedLensConfig() if config is None else config
        windows = Windows(tokens, is_visible, segments)
        pool = StatePool(model, windows, skip_first=config.skip_first, seed=seed)
        return cls.fit_pool(pool, config, frequent=frequent, seed=seed)

    @classmethod
    def fit_pool(
        cls,
        pool: StatePool,
        config: TunedLensConfig,
        *,
        frequent: Int[Tensor, " tokens"] | None = None,
        seed: int = 0,
    ) -> "TunedLens":
        """Fit the translators on given states; see ``fit``.

        Args:
            pool: The states.
            config: Settings of the fit; its ``skip_first`` is the pool's.
            frequent: Ids of the tokens to which ``frequent_weight`` applies.
            seed: Seed of the order of tokens.
        """
        weights = UpdateWeights.of(config, frequent)
        translators = _start(pool, config, weights)
        if config.optimizer != LensOptimizer.none:
            train(translators, pool, config, weights, seed=seed)
        return cls(pool.model, translators.weight, translators.bias)

    def save(
        self,
        folder: Path,
        *,
        model_name: str = "",
        model_revision: str | None = None,
        has_pickle: bool = False,
    ) -> None:
        """Write the lens as a folder in the layout of the package `tuned-lens`.

        Args:
            folder: Gets ``params.safetensors`` and ``config.json``.
            model_name: Name or path of the model, for readers of the file.
            model_revision: Its revision.
            has_pickle: Also write ``params.pt``, the only file that `tuned-lens` reads.

        Raises:
            OSError: If the files cannot be written.
        """
        write_lens(
            self.model,
            self.weight,
            self.bias,
            Path(folder),
            model_name=model_name,
            model_revision=model_revision,
            has_pickle=has_pickle,
        )

    @classmethod
    def load(
        cls, folder: Path, model: LanguageModel, *, allows_other_model: bool = False
    ) -> "TunedLens":
        """Read the lens of a model from a folder of ours or of the package `tuned-lens`.

        Args:
            folder: Folder with ``params.safetensors`` or ``params.pt``, and ``config.json``.
            model: The model whose states are read.
            allows_other_model: Accept a lens that was fitted on another model of the same shape.

        Raises:
            InputError: If the folder holds no lens, or one of another width, depth or model.
        """
        found = read_lens(Path(folder))
        lens = cls(model, found.weight, found.bias)
        if not allows_other_model:
            found.require_model(model)
        return lens


def _start(pool: StatePool, config: TunedLensConfig, weights: UpdateWeights) -> Translators:
    n, width = pool.model.n_layers, width_of(pool.model)
    dtype = exact_dtype(pool.model.output_weight.dtype)
    if config.start == LensStart.zero:
        zeros = torch.zeros(n, width, width + 1, dtype=dtype, device=pool.model.device)
        return Translators(zeros[..., :width], zeros[..., width])
    weight, bias = ridge_translators(pool, config.ridge, weights)
    return Translators(weight.to(dtype), bias.to(dtype))


def _require_shape(model: LanguageModel, weight: Tensor) -> None:
    n, width = len(weight), weight.shape[-1]
    if width != width_of(model):
        raise InputError(
            f"the lens has width {width}, and the model has width {width_of(model)}; fit a lens on "
            "this model"
        )
    if n != model.n_layers:
        raise InputError(
            f"the lens has translators of {n} states, and the model has {model.n_layers} blocks; "
            "fit a lens on this model"
        )
