"""Everything that the scorer ``spectra`` measures."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
from jaxtyping import Float
from scipy import stats

from physlm.analysis.spectra.comparison.arms import ANY
from physlm.analysis.spectra.comparison.compared import Comparison, compare_all
from physlm.analysis.spectra.comparison.coverage import threshold_coverage
from physlm.analysis.spectra.comparison.groups import is_constant
from physlm.analysis.spectra.comparison.measured import MeasuredGroups, measure_groups
from physlm.analysis.spectra.comparison.median_distance import median_distance_auc
from physlm.analysis.spectra.comparison_metrics import comparison_metrics
from physlm.analysis.spectra.head_means import head_means
from physlm.analysis.spectra.head_sample import HeadSample, sample_heads
from physlm.analysis.spectra.kept_values import chosen_values, coverage_curves
from physlm.analysis.spectra.model_texts import model_texts
from physlm.analysis.spectra.planted import PlantedBlocks
from physlm.analysis.spectra.published import published_metrics, published_table, published_text
from physlm.analysis.spectra.state_probe import mean_states, probe_aucs
from physlm.analysis.spectra.text_covariates import text_covariates
from physlm.analysis.spectra.text_rows import RowOptions, text_rows
from physlm.data.corpus import Corpus
from physlm.data.labelled import Labelled, LabelledTexts
from physlm.measurement import Dim, Measurement, Metric
from physlm.models.language_model import LanguageModel
from physlm.watching import tell

if TYPE_CHECKING:
    from physlm.analysis.spectra.spectra import SpectraConfig

_ACCEPTING = ("fiedler", "hfer")  # metrics whose thresholds accept texts
_WITHIN_RANGE = ("adjacency_radius",)  # right texts are claimed to lie within a range of it
_SEED = 0  # of heads, folds, shuffled labels and the untrained model


def measured_spectra(config: "SpectraConfig", model: LanguageModel, corpus: Corpus) -> Measurement:
    """The measurement of the scorer ``spectra``; q-values are over the tests of all comparisons."""
    assert isinstance(corpus, Labelled)
    found = []
    for corruption in config.chosen(corpus):
        for dose in config.n_errors:
            texts = model_texts(
                model,
                corpus,
                corruption,
                n_problems=config.n_problems,
                n_errors=dose,
                n_least=config.n_least,
            )
            found.append(
                _measured(config, model, texts, {"corruption": corruption, "n_errors": dose})
            )
    comparisons = compare_all([own.groups for own in found], seed=_SEED)
    metrics: list[Metric] = []
    tables: dict[str, list[pl.DataFrame]] = {name: [] for name in config.table_names}
    for own, compared in zip(found, comparisons, strict=True):
        _print(compared, own.dims)
        metrics += [*comparison_metrics(compared, **own.dims), *own.metrics]
        for name, table in own.tables_of(compared).items():
            tables[name].append(table)
    for corruption in config.chosen(corpus):
        of_doses = [
            compared
            for own, compared in zip(found, comparisons, strict=True)
            if own.dims["corruption"] == corruption
        ]
        metrics += _dose_response(of_doses, config.n_errors, corruption)
    return Measurement(
        tuple(metrics),
        tables={n: pl.concat(own, how="diagonal_relaxed") for n, own in tables.items() if own},
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Measured:
    """One corruption and number of errors, before all tests are counted together."""

    dims: dict[str, Dim]
    groups: MeasuredGroups
    metrics: tuple[Metric, ...]
    tables: dict[str, pl.DataFrame]

    def tables_of(self, compared: Comparison) -> dict[str, pl.DataFrame]:
        """Tables of the texts and of their comparison, with columns that name it."""
        whole = {
            "spectra": compared.table,
            "spectra_selected": compared.selected,
            "spectra_nested": compared.nested,
            **self.tables,
        }
        labels = {name: pl.lit(value) for name, value in self.dims.items()}
        named = {name: table.with_columns(**labels) for name, table in whole.items() if table.width}
        own = f"{self.dims['corruption']} {self.dims['n_errors']}"
        texts = self.tables["spectra_texts"].with_columns(comparison=pl.lit(own))
        return named | {"spectra_texts": texts}


def _measured(
    config: "SpectraConfig", model: LanguageModel, texts: LabelledTexts, dims: dict[str, Dim]
) -> _Measured:
    options = row_options(config, model, texts)
    covariates = text_covariates(model, texts, config.batch_size)
    rows = _rows_of_arms(model, texts, options, config.planted_share)
    groups = measure_groups(rows.join(covariates, on="text"), seed=_SEED)
    metrics = [
        *_coverage(rows, groups, dims),
        *_ranges(rows, groups, dims),
        *_probes(config, model, texts, groups, dims),
        *head_means(rows.filter(arm="model"), options.sample, dims),
    ]
    tables = {
        "spectra_values": chosen_values(rows, groups.selected),
        "spectra_coverage": coverage_curves(rows, groups.selected, groups.texts),
        "spectra_texts": covariates,
    }
    if config.reference_compat:
        published = published_table(model, texts, groups.texts, config.batch_size)
        tell(published_text(published))
        metrics += published_metrics(published, len(texts), dims)
        tables["spectra_published"] = published
    return _Measured(dims, groups, tuple(metrics), tables)


def _rows_of_arms(
    model: LanguageModel, texts: LabelledTexts, options: RowOptions, planted_share: float
) -> pl.DataFrame:
    """Measure right and wrong texts in all arms: the model, an untrained one, a planted effect."""
    if options.sample.left_out:
        tell(options.sample.left_out)
    planted = PlantedBlocks(texts.is_valid, planted_share)
    arms = {
        "model": text_rows(model, texts, options),
        "untrained": text_rows(model.untrained(_SEED), texts, options),
        "planted": text_rows(model, texts, options, planted),
    }
    return pl.concat(frame.with_columns(arm=pl.lit(arm)) for arm, frame in arms.items())


def row_options(config: "SpectraConfig", model: LanguageModel, texts: LabelledTexts) -> RowOptions:
    """What is measured of each text, of heads that are drawn once."""
    return RowOptions(
        metrics=config.options(),
        sample=_sample(config, model, texts),
        heads=config.heads,
        drop_first=tuple(config.drop_first),
        batch_size=config.batch_size,
        n_lap_eigvals=config.n_lap_eigvals,
        span=None if config.span is None else (config.span[0], config.span[1]),
    )


def _sample(config: "SpectraConfig", model: LanguageModel, texts: LabelledTexts) -> HeadSample:
    import torch

    first = torch.from_numpy(texts.tokens[0])[None].long().to(model.device)
    _, maps = next(iter(model.attention_patterns(first, [0])))
    return sample_heads(
        model.n_layers, maps.shape[1], layers=config.layers, n_sampled=config.n_heads, seed=_SEED
    )


def _print(compared: Comparison, dims: dict[str, Dim]) -> None:
    dose = dims["n_errors"]
    errors = "1 error" if dose == 1 else f"{dose} errors"
    tell(f"\n{dims['corruption']}, {errors} per text\n{compared.headline}")


def _coverage(rows: pl.DataFrame, groups: MeasuredGroups, dims: dict[str, Dim]) -> Iterator[Metric]:
    """Accuracy of texts accepted by a threshold on one metric, minus that of all texts."""
    if not groups.is_validated:
        return
    trained = rows.filter(arm="model")
    for metric in sorted(set(trained["metric"]) & set(_ACCEPTING)):
        values = _by_text(trained, metric, groups)
        found = threshold_coverage(values, groups.texts, seed=_SEED)
        shares = {
            metric: found.accuracy_accepted,
            f"{metric}_log_probability": found.accuracy_log_probability,
        }
        for name, share in shares.items():
            if share is not None:
                yield Metric(
                    name="spectra/accepted_minus_all",
                    value=share - found.accuracy_all,
                    unit="fraction",
                    n=round(found.coverage * len(values)),
                    dims=dims | {"threshold": name},
                )


def _by_text(
    rows: pl.DataFrame, metric: str, groups: MeasuredGroups
) -> Float[np.ndarray, "texts columns"]:
    """The values of a metric of each text, in columns by layer and head."""
    values: np.ndarray = rows.filter(metric=metric)["value"].to_numpy()
    return values.reshape(-1, len(groups.texts.is_valid)).T


def _ranges(rows: pl.DataFrame, groups: MeasuredGroups, dims: dict[str, Dim]) -> Iterator[Metric]:
    """Whether right texts lie within a range of a metric: AUC of the distance to their median."""
    if not groups.is_validated:
        return
    trained = rows.filter(arm="model")
    for metric in sorted(set(trained["metric"]) & set(_WITHIN_RANGE)):
        values = _by_text(trained, metric, groups)
        varying = values[:, ~is_constant(values)]
        if varying.shape[1]:
            yield Metric(
                name="spectra/median_distance_auc",
                value=median_distance_auc(varying, groups.texts, seed=_SEED),
                unit="fraction",
                n=len(values),
                dims=dims | {"metric": metric},
            )


def _probes(
    config: "SpectraConfig",
    model: LanguageModel,
    labelled: LabelledTexts,
    groups: MeasuredGroups,
    dims: dict[str, Dim],
) -> Iterator[Metric]:
    """AUC of probes of the states, and that of all spectral metrics over that of the chosen one.

    ``probe_auc`` without a state is that of the state that training folds chose.
    """
    if not groups.is_validated:
        return
    states = mean_states(model, labelled, config.batch_size)
    found = probe_aucs(states, groups.texts, _SEED)
    n = len(labelled)
    for state, value in enumerate(found.by_state):
        own = dims | {"state": state}
        yield Metric(name="spectra/probe_auc", value=value, unit="fraction", n=n, dims=own)
    spectral = groups.arms["model"].nested.filter(metric=ANY)["auc_spectra"][0]
    yield Metric(name="spectra/probe_auc", value=found.chosen, unit="fraction", n=n, dims=dims)
    ratio = spectral / found.chosen
    yield Metric(name="spectra/auc_over_probe", value=ratio, unit="ratio", n=n, dims=dims)


def _dose_response(
    compared: list[Comparison], doses: list[int], corruption: str
) -> Iterator[Metric]:
    """Rank correlation of the effect in pairs, without its sign, and the number of errors."""
    if len(doses) < 2:
        return
    effects = [effect for own in compared if (effect := _effect(own)) is not None]
    if len(effects) < len(doses):
        return
    rank = float(stats.spearmanr(doses, np.abs(effects)).statistic)
    if np.isfinite(rank):
        dims: dict[str, Dim] = {"corruption": corruption}
        yield Metric(
            name="spectra/dose_correlation", value=rank, unit="rho", n=len(doses), dims=dims
        )


def _effect(compared: Comparison) -> float | None:
    own = compared.selected
    if own.is_empty():
        return None
    own = own.filter(arm="model", metric=ANY, chosen_for="spectra")
    return own["d_paired"][0] if len(own) else None
