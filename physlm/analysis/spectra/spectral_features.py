"""How well sets of spectral features classify right and wrong texts, beside likelihood."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

from physlm.analysis.spectra.spectral_best_of import require_maps
from physlm.data.corpus import require_at_least, require_some
from physlm.data.labelled import Labelled
from physlm.errors import InputError, refused_values
from physlm.eval.scorer import ScorerConfig
from physlm.measurement import Measurement
from physlm.registry import register

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from physlm.data.corpus import Corpus
    from physlm.models.language_model import LanguageModel

_FEWEST = 10  # texts of each label, two for each fold


@register("eval", "spectral_features")
@dataclass(kw_only=True, slots=True)
class SpectralFeaturesConfig(ScorerConfig):
    """AUC of classifiers that read many spectral features of all layers and heads at once.

    Sets (dimension ``features``): ``free_energy``, the free energy and heat capacity at several
    inverse temperatures; ``lap_eigvals``, the largest eigenvalues of LapEigvals; ``four_metrics``,
    Fiedler value, high-frequency energy ratio, smoothness and spectral entropy. Each is reduced to
    its principal components and read by a logistic regression, in nested cross-validation grouped
    by problem: components, weights and penalty are those of training folds.

    ``features/auc`` is the area under the ROC curve on held-out texts, each compared with those of
    its fold, also of ``controls`` (length, log-probabilities and entropy) and of each set with them
    (``free_energy_and_controls``); ``features/auc_gain`` is the difference of two of them. Arms: an
    untrained model, labels shuffled within problems, and an effect planted into the maps.
    ``features/unsupervised_auc`` is that of the mean spacing ratio, without any training, in its
    better direction, so that chance is slightly above 0.5. Standard errors are over texts, for the
    classifiers as they were trained.

    Source:
        Free-energy signatures (arXiv 2606.19404), LapEigvals (arXiv 2502.17598), Geometry of Reason
        (arXiv 2601.00791), for the features; the comparison is physlm's.
    """

    version: ClassVar[int] = 2
    figure_names: ClassVar[tuple[str, ...]] = ("spectral_features",)
    table_names: ClassVar[tuple[str, ...]] = ("features_logits",)

    corruptions: list[str] | None = None  # null: all that the world has
    n_errors: list[int] = field(default_factory=lambda: [1])  # per wrong text, each measured apart
    n_problems: int = 200  # problems, each with a right and a wrong text
    betas: list[float] = field(default_factory=lambda: [0.1, 0.3, 1.0, 3.0, 10.0])  # 1/temperature
    n_lap_eigvals: int = 5  # largest eigenvalues of LapEigvals of each layer and head
    n_components: int = 32  # principal components of each set
    planted_share: float = 0.1  # of the attention of wrong texts, in the arm with a planted effect
    batch_size: int = 32  # texts of equal length

    def validate(self) -> None:
        """Every value in its range."""
        require_at_least(self, _FEWEST, "n_problems")
        require_at_least(self, 1, "n_lap_eigvals", "n_components", "batch_size")
        require_some(self, "corruptions", "n_errors", "betas")
        for name in ("n_errors", "betas"):
            values = getattr(self, name)
            if min(values) <= 0 or len(set(values)) < len(values):
                raise ValueError(f"{name}={values}; must be distinct positive numbers")
        if self.corruptions and len(set(self.corruptions)) < len(self.corruptions):
            raise ValueError(f"corruptions={self.corruptions}; name each once")
        if not 0 < self.planted_share < 1:
            raise ValueError(f"planted_share={self.planted_share}; must lie between 0 and 1")

    def check(self, model: "LanguageModel", corpus: "Corpus") -> None:
        """The model has attention maps of two layers, and the world right and wrong texts."""
        from physlm.analysis.spectra.model_texts import model_texts, require_corruptions

        require_maps("spectral_features", model)
        if model.n_layers < 2:
            raise InputError(
                "eval=spectral_features: LapEigvals need two or more layers, and the model has one"
            )
        require_corruptions("spectral_features", corpus, self.corruptions)
        assert isinstance(corpus, Labelled)
        for corruption in self.chosen(corpus):
            for n_errors in self.n_errors:
                with refused_values():
                    texts = model_texts(
                        model,
                        corpus,
                        corruption,
                        n_problems=self.n_problems,
                        n_errors=n_errors,
                        n_least=self.n_lap_eigvals,
                    )
                n_valid = int(texts.is_valid.sum())
                if min(n_valid, len(texts) - n_valid) < _FEWEST:
                    raise InputError(
                        f"eval=spectral_features: {n_valid} right and {len(texts) - n_valid} wrong "
                        f"texts; at least {_FEWEST} of each are needed"
                    )

    def chosen(self, corpus: Labelled) -> list[str]:
        """The corruptions to measure."""
        return list(corpus.corruptions if self.corruptions is None else self.corruptions)

    def measure(self, model: "LanguageModel", corpus: "Corpus") -> Measurement:
        """Classifiers of each corruption and number of errors, and their controls."""
        from physlm.analysis.spectra.feature_metrics import measured_features

        return measured_features(self, model, corpus)

    def figures(self, measurement: Measurement) -> dict[str, "Figure"]:
        """The area under the ROC curve of each set of features and arm."""
        from physlm.analysis.spectra.features_figure import draw_features

        return {"spectral_features": draw_features(measurement)}
