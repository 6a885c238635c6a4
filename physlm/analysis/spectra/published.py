"""The published computations on compared texts, beside corrected ones and the length alone.

Published numbers are labelled ``reference_compat``: they have the faults that `reference_compat`
lists, and are chosen and measured on the same texts.
"""

import io
from collections.abc import Iterator, Mapping

import numpy as np
import polars as pl
import torch
from jaxtyping import Float
from rich import box
from rich.console import Console
from rich.table import Table

from physlm.analysis.spectra.comparison.controlled import controlled_effects
from physlm.analysis.spectra.comparison.effects import best_threshold_accuracy, raw_effects
from physlm.analysis.spectra.comparison.groups import Texts, is_constant
from physlm.analysis.spectra.maps import combined_heads
from physlm.analysis.spectra.masked import masked_metrics
from physlm.analysis.spectra.metric_options import MetricOptions
from physlm.analysis.spectra.options import Heads
from physlm.analysis.spectra.reference_compat import (
    reference_accuracy,
    reference_effect_size,
    reference_gap,
    reference_metrics,
)
from physlm.analysis.spectra.text_rows import batches
from physlm.data.labelled import LabelledTexts
from physlm.measurement import Dim, Metric
from physlm.models.language_model import LanguageModel

_LABEL = "reference_compat/"
_LENGTH = "n_tokens"
_NAMES = ("fiedler", "spectral_gap", "hfer", "smoothness", "spectral_entropy")

Values = dict[tuple[int, str], Float[np.ndarray, " texts"]]


def published_table(
    model: LanguageModel, labelled: LabelledTexts, texts: Texts, batch_size: int
) -> pl.DataFrame:
    """Effects of the published metrics in every layer, of corrected ones, and of the length.

    Args:
        model: The model.
        labelled: The texts.
        texts: The same, as the comparison knows them.
        batch_size: Texts of equal length that are read at once.

    Returns:
        One row per layer and metric, and one of ``n_tokens`` without a layer. Columns
        ``reference_compat/d`` and ``reference_compat/accuracy`` have the published values and
        statistics; ``d_raw``, ``d_length`` with its interval and ``best_threshold_accuracy``
        (in-sample) have corrected ones, of the graph of the mean over heads. Null where a metric is
        constant.
    """
    length = {(-1, _LENGTH): texts.n_tokens, (-1, _LABEL + _LENGTH): texts.n_tokens}
    found = _values(model, labelled, batch_size) | length
    rows = [
        {
            "layer": None if layer < 0 else layer,
            "metric": name,
            **_published(found[layer, _LABEL + name], texts),
            **_corrected(found[layer, name], texts),
        }
        for layer, name in found
        if not name.startswith(_LABEL)
    ]
    is_length = pl.col("metric") == _LENGTH  # which has no effect at equal length
    own = pl.DataFrame(rows, infer_schema_length=None)
    return own.with_columns(
        pl.when(~is_length).then(pl.col(name)).alias(name)
        for name in ("d_length", "d_length_low", "d_length_high")
    )


def best_layers(table: pl.DataFrame) -> pl.DataFrame:
    """The layer of the largest published effect of each metric, chosen in-sample as published."""
    size = pl.col(f"{_LABEL}d").abs().fill_null(-1.0)
    return table.filter(size == size.max().over("metric")).unique("metric", maintain_order=True)


def published_metrics(table: pl.DataFrame, n: int, dims: Mapping[str, Dim]) -> Iterator[Metric]:
    """The published effect and accuracy of each metric in its best layer, and of the length.

    Args:
        table: Result of `published_table`.
        n: Number of texts.
        dims: Dimensions of all metrics, such as the corruption.
    """
    for row in best_layers(table).iter_rows(named=True):
        layer = {} if row["layer"] is None else {"layer": row["layer"]}
        for name, unit in (("d", "sd"), ("accuracy", "fraction")):
            if (value := row[_LABEL + name]) is not None:
                own = {**dims, **layer, "metric": row["metric"]}
                yield Metric(
                    name=f"spectra/reference_compat_{name}", value=value, unit=unit, n=n, dims=own
                )


def published_text(table: pl.DataFrame) -> str:
    """Published beside corrected values, to be printed."""
    columns = ("metric", "layer", f"{_LABEL}d", f"{_LABEL}accuracy")
    corrected = ("corrected d_raw", "corrected d_length", "corrected accuracy")
    shown = Table(
        title="reference_compat: the published computations with their faults, and corrected",
        title_justify="left",
        caption="both in-sample, in the layer of the largest published d; n_tokens: length alone",
        caption_justify="left",
        box=box.SIMPLE,
    )
    for name in (*columns, *corrected):
        shown.add_column(name, justify="left" if name == "metric" else "right")
    for row in best_layers(table).iter_rows(named=True):
        interval = [row[f"d_length{end}"] for end in ("", "_low", "_high")]
        ends = "-" if None in interval else "{:.2f} [{:.2f}, {:.2f}]".format(*interval)
        layer = "-" if row["layer"] is None else str(row["layer"])
        numbers = (_number(row[name]) for name in (*columns[2:], "d_raw"))
        accuracy = _number(row["best_threshold_accuracy"])
        shown.add_row(row["metric"], layer, *numbers, ends, accuracy)
    console = Console(file=(text := io.StringIO()), width=130, color_system=None)
    console.print(shown)
    return text.getvalue()


@torch.inference_mode()
def _values(model: LanguageModel, texts: LabelledTexts, batch_size: int) -> Values:
    """Published and corrected values of each layer and metric."""
    found: Values = {}
    for batch in batches(texts, batch_size):
        tokens = torch.from_numpy(np.stack([texts.tokens[i] for i in batch])).long()
        tokens = tokens.to(model.device)
        for layer, maps in model.attention_patterns(tokens):
            state = model.residuals(tokens, [layer + 1])[0].float()
            is_last = layer == model.n_layers - 1
            given = model.hidden_states(tokens).float() if is_last else state
            own = reference_metrics(maps, given) | {
                f"{_LABEL}spectral_gap": reference_gap(maps.float().mean(1))
            }
            mean = combined_heads(maps.float(), Heads.mean)
            right = masked_metrics(mean, state, MetricOptions(metrics=list(_NAMES)))
            own |= {name: values for name, (values, _) in right.items()}
            for name, values in own.items():
                column = found.setdefault((layer, name), np.full(len(texts), np.nan))
                column[batch] = values.double().cpu().numpy()
    return found


def _published(values: Float[np.ndarray, " texts"], texts: Texts) -> dict[str, float | None]:
    valid, invalid = values[texts.is_valid], values[~texts.is_valid]
    names = (f"{_LABEL}d", f"{_LABEL}accuracy")
    if is_constant(values[:, None])[0]:
        return dict.fromkeys(names)
    numbers = (reference_effect_size(valid, invalid), reference_accuracy(valid, invalid))
    return dict(zip(names, numbers, strict=True))


def _corrected(values: Float[np.ndarray, " texts"], texts: Texts) -> dict[str, float | None]:
    names = ("d_raw", "d_length", "d_length_low", "d_length_high", "best_threshold_accuracy")
    column = values[:, None]
    if is_constant(column)[0]:
        return dict.fromkeys(names)
    accuracy = best_threshold_accuracy(column, texts.is_valid)
    found = raw_effects(column, texts.is_valid) | controlled_effects(column, texts)
    numbers = {**found, "best_threshold_accuracy": accuracy}
    own = {name: float(numbers[name][0]) for name in names}
    return {name: value if np.isfinite(value) else None for name, value in own.items()}


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"
