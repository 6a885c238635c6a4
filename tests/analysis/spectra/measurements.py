"""A small measurement of the scorer ``spectra``, with random numbers that a test can look up."""

import numpy as np
import polars as pl

from physlm.measurement import Measurement, Metric

METRICS = ("hfer", "fiedler", "previous_token_mass", "sink_mass", "self_mass", "row_entropy")
SPECTRAL = ("fiedler", "hfer")
CORRUPTIONS = ("replaced", "swapped")
_INTERVALS = [
    f"{name}{end}" for name in ("d_length", "d_controls") for end in ("", "_low", "_high")
]
_EFFECTS = ("d_raw", *_INTERVALS, "d_paired")


def measurement(*, is_validated=True):
    """Two corruptions with one and four errors, two layers of two heads and their mean graph.

    Texts of the second corruption are of equal length.
    """
    rng = np.random.default_rng(0)
    comparisons = [(name, dose) for name in CORRUPTIONS for dose in (4, 1)]
    table = pl.concat(_rows(rng, *comparison) for comparison in comparisons)
    lengths = {"replaced": rng.integers(20, 60, 20), "swapped": np.full(20, 30)}
    texts = pl.concat(_texts(lengths[name], name, dose) for name, dose in comparisons)
    kept = comparisons if is_validated else []
    tables = {
        "spectra": table,
        "spectra_texts": texts,
        "spectra_values": pl.concat(
            [_values(rng, 20 * is_validated, *c) for c in kept or comparisons]
        ),
        "spectra_coverage": pl.concat([_coverage(rng, *c) for c in kept or comparisons]),
    }
    metrics = [metric for c in kept for metric in _metrics(rng, *c)]
    return Measurement(tuple(metrics), tables=tables)


def _rows(rng, corruption, dose):
    rows = []
    for arm in ("model", "untrained", "shuffled"):
        for name in (*METRICS, "hfer/drop_first_1", *(f"{own}/graph_mean" for own in METRICS)):
            heads = [-1] if "graph_mean" in name else [0, 1]
            for layer in (0, 1):
                for head in heads:
                    effects = dict(zip(_EFFECTS, rng.normal(size=len(_EFFECTS)), strict=True))
                    rows.append(
                        {"arm": arm, "layer": layer, "head": head, "metric": name}
                        | effects
                        | {"mean_valid": rng.random(), "mean_invalid": rng.random()}
                        | {"sd_valid": 1.0, "sd_invalid": 1.0, "n_valid": 10, "n_invalid": 10}
                        | {"q": rng.random() / 10, "q_paired": rng.random() / 10}
                    )
    return pl.DataFrame(rows).with_columns(corruption=pl.lit(corruption), n_errors=pl.lit(dose))


def _texts(n_tokens, corruption, dose):
    n = len(n_tokens)
    return pl.DataFrame({"text": range(n), "is_valid": [True, False] * (n // 2)}).with_columns(
        n_tokens=pl.Series(n_tokens), comparison=pl.lit(f"{corruption} {dose}")
    )


def _values(rng, n, corruption, dose):
    parts = [
        pl.DataFrame({"text": np.arange(n), "value": rng.random(n)}).with_columns(
            metric=pl.lit(name), layer=pl.lit(i), head=pl.lit(i - 1)
        )
        for i, name in enumerate(SPECTRAL)
    ]
    return pl.concat(parts).with_columns(corruption=pl.lit(corruption), n_errors=pl.lit(dose))


def _coverage(rng, corruption, dose):
    shares = np.linspace(0.1, 1, 10)
    parts = [
        pl.DataFrame({"coverage": shares, "accuracy": rng.random(10), "log_probability": shares})
        for _ in SPECTRAL
    ]
    return pl.concat(
        part.with_columns(metric=pl.lit(name), corruption=pl.lit(corruption), n_errors=pl.lit(dose))
        for name, part in zip(SPECTRAL, parts, strict=True)
    )


def _metrics(rng, corruption, dose):
    own = {"corruption": corruption, "n_errors": dose}
    dims = [
        own | {"metric": name} | arm
        for name in (*SPECTRAL, "any")
        for arm in ({}, {"arm": "untrained"}, {"arm": "shuffled"}, {"drop_first": 1})
    ]
    for of_metric in dims:
        yield _auc("spectra/auc", rng, of_metric)
    for name in ("mean_log_probability", "mean_entropy"):
        yield _auc("spectra/baseline_auc", rng, own | {"covariate": name})


def _auc(name, rng, dims):
    return Metric(name=name, value=rng.random(), unit="fraction", n=20, dims=dims)
