"""Configuration of all scorers that read a model's states through a lens."""

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, ClassVar

from physlm.analysis.lenses.config import LensOptimizer, TunedLensConfig
from physlm.data.corpus import require_at_least
from physlm.errors import InputError, refused_values
from physlm.eval.scorer import ScorerConfig, require_causal
from physlm.registry import tag_of
from physlm.sources import SOURCE, located, pinned

if TYPE_CHECKING:
    import polars as pl

    from physlm.analysis.depth.sample import DepthSample
    from physlm.analysis.lenses.lens import Lens
    from physlm.analysis.lenses.state_pool import Windows
    from physlm.data.corpus import Corpus
    from physlm.models.language_model import LanguageModel


class LensKind(str, Enum):
    """How a state is read.

    Attributes:
        logit: By the model's own final norm and output head.
        ridge: After an affine map, fitted in closed form.
        tuned: After an affine map, trained from the ridge solution.
        jacobian: After the mean Jacobian of the last state with respect to it.
    """

    logit = "logit"
    ridge = "ridge"
    tuned = "tuned"
    jacobian = "jacobian"


@dataclass(kw_only=True, slots=True)
class LensScorerConfig(ScorerConfig):
    """A scorer that reads states through a lens, fitted on other documents than it analyses."""

    measures_checkpoints: ClassVar[bool] = True

    lens: LensKind = LensKind.tuned
    # A tuned lens' folder or a Jacobian lens' file to load; empty: the lens is fitted.
    lens_path: str = field(default="", metadata=SOURCE)
    n_lens_tokens: int = 16_384  # to fit the lens on, of documents that are not analysed
    lens_steps: int = 100  # of training the tuned lens
    lens_optimizer: LensOptimizer = LensOptimizer.muon
    n_predictions: int = 10_000  # to analyse
    window: int = 256  # tokens; longer documents are split into several windows
    skip_first: int = (
        1  # tokens at the start of each window, whose states are extreme in many models
    )
    batch_size: int = 32  # windows per forward pass

    def validate(self) -> None:
        """Every value in its range."""
        require_at_least(self, 1, "n_lens_tokens", "lens_steps", "n_predictions", "batch_size")
        require_at_least(self, 2, "window")
        require_at_least(self, 0, "skip_first")
        if self.lens_path and self.lens in {LensKind.logit, LensKind.ridge}:
            raise ValueError(
                f"lens_path={self.lens_path} with lens={self.lens.value}, which is not loaded; use "
                "lens=tuned or jacobian, or leave lens_path empty"
            )
        self.lens_path = pinned(self.lens_path)

    def check(self, model: "LanguageModel", corpus: "Corpus") -> None:  # noqa: ARG002
        """The model is causal and shows its states, and the lens fits it."""
        name = tag_of(type(self)).partition("/")[2]
        require_causal(name, model, "predicts no next token")
        for member in ("residuals", "unembed"):
            if not model.shows(member):
                raise InputError(f"this model has no {member}, which a lens needs; use a decoder")
        if self.lens_path:
            lens = self._loaded(model)
            if missing := [k for k in range(1, lens.n_layers) if k not in lens.states]:
                raise InputError(
                    f"lens_path={self.lens_path} reads no state {missing[0]}; of the states 0 to "
                    f"{lens.n_layers} of the model only state 0 may be missing; fit a complete lens"
                )

    def sample(self, model: "LanguageModel", corpus: "Corpus") -> "DepthSample":
        """The windows to fit the lens on, and those to analyse."""
        from physlm.analysis.depth.sample import depth_sample

        return depth_sample(
            model,
            corpus,
            n_lens_tokens=self.n_lens_tokens,
            n_predictions=self.n_predictions,
            window=self.window,
            skip_first=self.skip_first,
        )

    def traced(self, model: "LanguageModel", sample: "DepthSample") -> "tuple[Lens, pl.DataFrame]":
        """The chosen lens, and the predictions that it reads in the windows to analyse."""
        from physlm.analysis.depth.predictions import trace

        lens, size = self.fitted(model, sample), self.batch_size
        return lens, trace(model, sample.tokens, lens, sample.positions, batch_size=size)

    def fitted(self, model: "LanguageModel", sample: "DepthSample") -> "Lens":
        """The chosen lens, loaded or fitted."""
        return self.fitted_on(model, sample.fitted)

    def fitted_on(self, model: "LanguageModel", windows: "Windows") -> "Lens":
        """The chosen lens, loaded or fitted on given windows."""
        from physlm.analysis.lenses import JacobianLens, LogitLens, TunedLens

        if self.lens is LensKind.logit:
            return LogitLens(model)
        if self.lens_path:
            return self._loaded(model)
        if self.lens is LensKind.jacobian:
            return JacobianLens.fit(
                model, windows.tokens, is_visible=windows.is_visible, skip_first=self.skip_first
            )
        return TunedLens.fit(
            model, windows.tokens, self.tuned_config(), is_visible=windows.is_visible
        )

    def tuned_config(self, **changes: object) -> TunedLensConfig:
        """How a tuned or ridge lens is fitted.

        Args:
            changes: Other fields of ``TunedLensConfig``.
        """
        optimizer = self.lens_optimizer if self.lens is LensKind.tuned else LensOptimizer.none
        values = {"optimizer": optimizer, "n_steps": self.lens_steps, "skip_first": self.skip_first}
        return TunedLensConfig(**(values | changes))  # type: ignore[arg-type]

    def _loaded(self, model: "LanguageModel") -> "Lens":
        from physlm.analysis.lenses import JacobianLens, TunedLens

        with refused_values():
            path = located(self.lens_path)
        kind = TunedLens if self.lens is LensKind.tuned else JacobianLens
        return kind.load(path, model)


def pairs_of(texts: list[str] | None) -> list[tuple[str, str]] | None:
    """Pairs to compare, from texts FIRST:SECOND; None for every pair.

    Raises:
        ValueError: If a text has another form.
    """
    if texts is None:
        return None
    pairs = [tuple(text.split(":")) for text in texts]
    for text, pair in zip(texts, pairs, strict=True):
        if len(pair) != 2:
            raise ValueError(f"pairs: {text}; must be two classes, FIRST:SECOND")
    return [(first, second) for first, second in pairs]
