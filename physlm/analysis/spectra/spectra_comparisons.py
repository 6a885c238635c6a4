"""Everything that the scorer ``spectra`` measures."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
from scipy import stats

from physlm.analysis.spectra.comparison.arms import ANY
from physlm.analysis.spectra.comparison.compared import Comparison, compare_groups
from physlm.analysis.spectra.comparison.coverage import threshold_coverage
from physlm.analysis.spectra.comparison_metrics import comparison_metrics
from physlm.analysis.spectra.head_means import head_means
from physlm.analysis.spectra.head_sample import HeadSample, sample_heads
from physlm.analysis.spectra.kept_values import chosen_values, coverage_curves
from physlm.analysis.spectra.model_texts import model_texts
from physlm.analysis.spectra.planted import PlantedBlocks
from physlm.analysis.spectra.published import published_metrics, published_table, published_text
from physlm.analysis.spectra.state_probe import probe_aucs
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
_SEED = 0  # of heads, folds, shuffled labels and the untrained model


def measured_spectra(config: "SpectraConfig", model: LanguageModel, corpus: Corpus) -> Measurement:
    """The measurement of the scorer ``spectra``."""
    assert isinstance(corpus, Labelled)
    metrics: list[Metric] = []
    tables: dict[str, list[pl.DataFrame]] = {name: [] for name in config.table_names}
    for corruption in config.chosen(corpus):
        of_doses = []
        for dose in config.n_errors:
            own = model_texts(
                model,
                corpus,
                corruption,
                n_problems=config.n_problems,
                n_errors=dose,
                n_least=config.n_least,
            )
            dims: dict[str, Dim] = {"corruption": corruption, "n_errors": dose}
            compared, covariates, rows = compared_texts(config, model, own)
            _print(compared, corruption, dose)
            metrics += comparison_metrics(compared, **dims)
            metrics += _coverage(rows, compared, dims)
            metrics += _probes(config, model, own, compared, dims)
            sample = row_options(config, model, own).sample
            metrics += head_means(rows.filter(arm="model"), sample, dims)
            of_doses.append(compared)
            labels = {name: pl.lit(value) for name, value in dims.items()}
            if config.reference_compat:
                published = published_table(model, own, compared.texts, config.batch_size)
                tell(published_text(published))
                metrics += published_metrics(published, len(own), dims)
                tables["spectra_published"].append(published.with_columns(**labels))
            tables["spectra"].append(compared.table.with_columns(**labels))
            kept = chosen_values(rows, compared.selected)
            tables["spectra_values"].append(kept.with_columns(**labels))
            curves = coverage_curves(rows, compared.selected, compared.texts)
            tables["spectra_coverage"].append(curves.with_columns(**labels))
            tables["spectra_texts"].append(
                covariates.with_columns(comparison=pl.lit(f"{corruption} {dose}"))
            )
        metrics += _dose_response(of_doses, config.n_errors, corruption)
    return Measurement(
        tuple(metrics),
        tables={n: pl.concat(own, how="diagonal_relaxed") for n, own in tables.items() if own},
    )


def compared_texts(
    config: "SpectraConfig", model: LanguageModel, texts: LabelledTexts
) -> tuple[Comparison, pl.DataFrame, pl.DataFrame]:
    """Compare right and wrong texts in all arms.

    Returns:
        The comparison, what is known of each text, and the rows of all arms.
    """
    options = row_options(config, model, texts)
    if options.sample.left_out:
        tell(options.sample.left_out)
    covariates = text_covariates(model, texts, config.batch_size)
    planted = PlantedBlocks(texts.is_valid, config.planted_share)
    arms = {
        "model": text_rows(model, texts, options),
        "untrained": text_rows(model.untrained(_SEED), texts, options),
        "planted": text_rows(model, texts, options, planted),
    }
    rows = pl.concat(frame.with_columns(arm=pl.lit(arm)) for arm, frame in arms.items())
    return compare_groups(rows.join(covariates, on="text"), seed=_SEED), covariates, rows


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


def _print(compared: Comparison, corruption: str, dose: int) -> None:
    tell(f"\n{corruption}, {dose} error{'s' * (dose > 1)} a text\n{compared.text}")


def _coverage(rows: pl.DataFrame, compared: Comparison, dims: dict[str, Dim]) -> Iterator[Metric]:
    """Share of right texts among those accepted by a threshold on one metric, minus among all."""
    if compared.nested.is_empty():  # the problems allow no cross-validation
        return
    trained = rows.filter(arm="model")
    for metric in sorted(set(trained["metric"]) & set(_ACCEPTING)):
        own = trained.filter(metric=metric)
        values = own["value"].to_numpy().reshape(-1, len(compared.texts.is_valid)).T
        found = threshold_coverage(values, compared.texts, seed=_SEED)
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


def _probes(
    config: "SpectraConfig",
    model: LanguageModel,
    labelled: LabelledTexts,
    compared: Comparison,
    dims: dict[str, Dim],
) -> Iterator[Metric]:
    """AUC of probes of the states, and that of all spectral metrics over the best of them."""
    if compared.nested.is_empty():
        return
    found = dict(probe_aucs(model, labelled, compared.texts, config.batch_size, _SEED))
    n = len(labelled)
    for state, value in found.items():
        own = dims | {"state": state}
        yield Metric(name="spectra/probe_auc", value=value, unit="fraction", n=n, dims=own)
    spectral = compared.nested.filter(arm="model", metric=ANY)["auc_spectra"][0]
    ratio = spectral / max(found.values())
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
