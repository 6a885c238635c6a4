"""Everything that the scorer ``spectral_features`` measures."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import polars as pl
from jaxtyping import Bool, Float, Int

from physlm.analysis.spectra.comparison.design import control_terms
from physlm.analysis.spectra.comparison.folds import grouped_folds, joined, why_not_validated
from physlm.analysis.spectra.comparison.groups import COVARIATES, Texts, is_constant
from physlm.analysis.spectra.comparison.measured import shuffled_labels
from physlm.analysis.spectra.comparison.splits import Split
from physlm.analysis.spectra.head_sample import sample_heads
from physlm.analysis.spectra.masked import base
from physlm.analysis.spectra.metric_options import MetricOptions
from physlm.analysis.spectra.model_texts import model_texts
from physlm.analysis.spectra.placements import area_metric, placements, placements_within
from physlm.analysis.spectra.planted import PlantedBlocks
from physlm.analysis.spectra.text_columns import Columns, columns_of, n_heads
from physlm.analysis.spectra.text_covariates import text_covariates
from physlm.analysis.spectra.text_rows import RowOptions, text_rows
from physlm.data.corpus import Corpus
from physlm.data.labelled import Labelled, LabelledTexts
from physlm.errors import InputError
from physlm.measurement import Dim, Measurement, Metric
from physlm.models.language_model import LanguageModel
from physlm.rng import stream

if TYPE_CHECKING:
    from physlm.analysis.spectra.spectral_features import SpectralFeaturesConfig

SETS = {
    "free_energy": ("free_energy", "heat_capacity"),  # the heat trace restates the free energy
    "lap_eigvals": ("lap_eigvals",),
    "four_metrics": ("fiedler", "hfer", "smoothness", "spectral_entropy"),
}
CONTROLS, TOGETHER = "controls", "_and_controls"
_GAINS = (
    ("free_energy", "lap_eigvals"),
    ("free_energy", "four_metrics"),
    *((name, CONTROLS) for name in SETS),
    *((name + TOGETHER, CONTROLS) for name in SETS),
)
_UNSUPERVISED = "spacing_ratio"
_N_FOLDS, _SEED = 5, 0

Features = Mapping[str, Float[np.ndarray, "texts _own"]]
Logits = Mapping[str, Float[np.ndarray, " texts"]]


class Arm(NamedTuple):
    """Classifiers of one arm, on texts that they were not trained on.

    Attributes:
        texts: Labels, problems and controls.
        folds: The fold of each text.
        logits: Of each set of features.
    """

    texts: Texts
    folds: Int[np.ndarray, " texts"]
    logits: Logits

    def placed(self, name: str) -> Float[np.ndarray, " texts"]:
        """The placements of a set's logits, each text among those of its fold."""
        return placements_within(self.logits[name], self.texts.is_valid, self.folds)


def measured_features(
    config: "SpectralFeaturesConfig", model: LanguageModel, corpus: Corpus
) -> Measurement:
    """The measurement of the scorer ``spectral_features``."""
    assert isinstance(corpus, Labelled)
    metrics: list[Metric] = []
    tables: list[pl.DataFrame] = []
    for corruption in config.chosen(corpus):
        for dose in config.n_errors:
            labelled = model_texts(
                model, corpus, corruption, n_problems=config.n_problems, n_errors=dose
            )
            dims: dict[str, Dim] = {"corruption": corruption, "n_errors": dose}
            found, table = _measured(config, model, labelled, dims)
            metrics += found
            tables.append(table.with_columns(**{k: pl.lit(v) for k, v in dims.items()}))
    return Measurement(tuple(metrics), tables={config.table_names[0]: pl.concat(tables)})


def _measured(
    config: "SpectralFeaturesConfig",
    model: LanguageModel,
    labelled: LabelledTexts,
    dims: dict[str, Dim],
) -> tuple[list[Metric], pl.DataFrame]:
    texts = _texts(text_covariates(model, labelled, config.batch_size))
    options = _options(config, model, labelled)
    planted = PlantedBlocks(labelled.is_valid, config.planted_share)
    columns = {
        "model": columns_of(text_rows(model, labelled, options)),
        "untrained": columns_of(text_rows(model.untrained(_SEED), labelled, options)),
        "planted": columns_of(text_rows(model, labelled, options, planted)),
    }
    sets = {arm: feature_sets(own) for arm, own in columns.items()}
    mixed, shuffled = shuffled_labels(texts, _SEED)
    of_shuffled = {name: values[mixed] for name, values in sets["model"].items()}
    arms = {arm: (own, texts) for arm, own in sets.items()} | {"shuffled": (of_shuffled, shuffled)}
    found = {
        arm: nested(own, by, config.n_components, with_controls=arm == "model")
        for arm, (own, by) in arms.items()
    }
    metrics = [
        *_areas(found, dims),
        *_gains(found["model"], dims),
        *_unsupervised(columns, texts.is_valid, dims),
    ]
    return metrics, _table(found)


def feature_sets(columns: Columns) -> Features:
    """The values of each set of features that a model has, one column per layer, head and metric.

    Features that are constant up to rounding are left out.
    """
    varies = ~is_constant(columns.values.T)
    found = {}
    for name, metrics in SETS.items():
        is_own = np.array([base(metric) in metrics for *_, metric in columns.keys])
        found[name] = columns.values[is_own & varies].T
    return found


def nested(
    features: Features, texts: Texts, n_components: int, *, with_controls: bool = False
) -> Arm:
    """Classifiers of each set, in cross-validation grouped by problem.

    Components, weights and penalty are those of the training texts. The splines of the controls
    have their knots at quantiles of all texts.

    Args:
        features: One row per text.
        texts: Labels, problems and controls.
        n_components: Most principal components of a set.
        with_controls: Also classify by length, likelihood and entropy, and by these with each set.

    Raises:
        InputError: If there are too few texts or problems.
    """
    folds = grouped_folds(texts, _N_FOLDS, stream(_SEED, "outer folds"))
    if why_not := why_not_validated(texts, folds):
        raise InputError(f"eval=spectral_features: {why_not}; give more texts")
    controls = control_terms(texts)
    tests: list[Bool[np.ndarray, " texts"]] = [folds == fold for fold in np.unique(folds)]
    parts: list[Logits] = []
    for i, is_test in enumerate(tests):
        split = Split(texts, is_test, stream(_SEED, "inner folds", i))
        terms = {
            name: principal_components(values, ~is_test, n_components)
            for name, values in features.items()
        }
        if with_controls:
            both = {
                name + TOGETHER: np.column_stack([controls, own]) for name, own in terms.items()
            }
            terms |= {CONTROLS: controls, **both}
        parts.append({name: split.best(own).logits for name, own in terms.items()})
    logits = {name: joined([own[name] for own in parts], tests) for name in parts[0]}
    return Arm(texts, folds, logits)


def principal_components(
    values: Float[np.ndarray, "texts features"],
    is_training: Bool[np.ndarray, " texts"],
    n_components: int,
) -> Float[np.ndarray, "texts components"]:
    """Principal components of standardised features, all fitted on the training texts."""
    training = values[is_training]
    deviation = np.where(is_constant(training), np.inf, training.std(axis=0))
    z = (values - training.mean(axis=0)) / deviation
    _, _, directions = np.linalg.svd(z[is_training], full_matrices=False)
    found: np.ndarray = z @ directions[:n_components].T
    return found


def _options(
    config: "SpectralFeaturesConfig", model: LanguageModel, texts: LabelledTexts
) -> RowOptions:
    names = [name for own in SETS.values() for name in own if name != "lap_eigvals"]
    return RowOptions(
        metrics=MetricOptions(metrics=[*names, _UNSUPERVISED], betas=config.betas),
        sample=sample_heads(model.n_layers, n_heads(model, texts.tokens[0])),
        drop_first=(0,),
        batch_size=config.batch_size,
        n_lap_eigvals=config.n_lap_eigvals,
    )


def _texts(covariates: pl.DataFrame) -> Texts:
    problem = np.unique(covariates["problem"].to_numpy(), return_inverse=True)[1]
    own = {name: covariates[name].cast(pl.Float64).to_numpy() for name in COVARIATES}
    return Texts(covariates["is_valid"].to_numpy(), problem, own)


def _areas(arms: Mapping[str, Arm], dims: dict[str, Dim]) -> Iterator[Metric]:
    for name, arm in arms.items():
        own: dict[str, Dim] = dims if name == "model" else dims | {"arm": name}
        for features in arm.logits:
            labels: dict[str, Dim] = own | {"features": features}
            yield area_metric("features/auc", arm.placed(features), arm.texts.is_valid, **labels)


def _gains(arm: Arm, dims: dict[str, Dim]) -> Iterator[Metric]:
    for name, other in _GAINS:
        difference = arm.placed(name) - arm.placed(other)
        own: dict[str, Dim] = dims | {"features": name, "over": other}
        yield area_metric("features/auc_gain", difference, arm.texts.is_valid, **own)


def _unsupervised(
    columns: Mapping[str, Columns], is_valid: Bool[np.ndarray, " texts"], dims: dict[str, Dim]
) -> Iterator[Metric]:
    """The spacing ratio, averaged over all layers and heads, in its better direction."""
    for arm in ("model", "untrained"):
        own = columns[arm].of_metric(_UNSUPERVISED)
        if not own.keys:
            continue
        placed = placements(own.values.mean(axis=0), is_valid)
        if placed[is_valid].mean() < 0.5:
            placed = 1 - placed
        labels: dict[str, Dim] = dims if arm == "model" else dims | {"arm": arm}
        yield area_metric("features/unsupervised_auc", placed, is_valid, **labels)


def _table(arms: Mapping[str, Arm]) -> pl.DataFrame:
    """One row per text, arm and set: label, problem, fold and logit."""
    return pl.concat(
        pl.DataFrame(
            {
                "problem": arm.texts.problem,
                "is_valid": arm.texts.is_valid,
                "fold": arm.folds,
                "logit": scores,
            }
        ).with_columns(arm=pl.lit(name), features=pl.lit(features))
        for name, arm in arms.items()
        for features, scores in arm.logits.items()
    )
