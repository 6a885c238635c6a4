"""Everything that the scorer ``spectra`` measures."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
from scipy import stats

from physlm.analysis.spectra.comparison.arms import ANY
from physlm.analysis.spectra.comparison.compared import Comparison, compare_groups
from physlm.analysis.spectra.comparison_metrics import comparison_metrics
from physlm.analysis.spectra.head_sample import HeadSample, sample_heads
from physlm.analysis.spectra.kept_values import chosen_values, coverage_curves
from physlm.analysis.spectra.planted import PlantedBlocks
from physlm.analysis.spectra.text_covariates import text_covariates
from physlm.analysis.spectra.text_rows import RowOptions, text_rows
from physlm.data.corpus import Corpus
from physlm.data.labelled import Labelled, LabelledTexts
from physlm.measurement import Dim, Measurement, Metric
from physlm.models.language_model import LanguageModel
from physlm.watching import tell

if TYPE_CHECKING:
    from physlm.analysis.spectra.spectra import SpectraConfig

_SEED = 0  # of heads, folds, shuffled labels and the untrained model


def measured_spectra(config: "SpectraConfig", model: LanguageModel, corpus: Corpus) -> Measurement:
    """The measurement of the scorer ``spectra``."""
    assert isinstance(corpus, Labelled)
    metrics: list[Metric] = []
    tables: dict[str, list[pl.DataFrame]] = {name: [] for name in config.table_names}
    for corruption in config.chosen(corpus):
        of_doses = []
        for dose in config.n_errors:
            own = corpus.labelled(config.n_problems, corruption, dose)
            dims: dict[str, Dim] = {"corruption": corruption, "n_errors": dose}
            compared, covariates, rows = compared_texts(config, model, own)
            _print(compared, corruption, dose)
            metrics += comparison_metrics(compared, **dims)
            of_doses.append(compared)
            labels = {name: pl.lit(value) for name, value in dims.items()}
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
        tables={n: pl.concat(own, how="diagonal_relaxed") for n, own in tables.items()},
    )


def compared_texts(
    config: "SpectraConfig", model: LanguageModel, texts: LabelledTexts
) -> tuple[Comparison, pl.DataFrame, pl.DataFrame]:
    """Compare right and wrong texts in all arms; also what is known of each text, and all rows."""
    options = row_options(config, model, texts)
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


def _dose_response(
    compared: list[Comparison], doses: list[int], corruption: str
) -> Iterator[Metric]:
    """Rank correlation of the effect in pairs, without its sign, and the number of errors."""
    if len(doses) < 2:
        return
    effects = [_effect(own) for own in compared]
    if any(effect is None for effect in effects):
        return
    rank = stats.spearmanr(doses, np.abs(effects)).statistic
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
