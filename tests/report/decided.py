"""Claims decided on small tables of runs, which have a column for each metric."""

import polars as pl

from physlm.report.claim import Claim
from physlm.report.results import Results
from physlm.report.verdict import decide

VALUES = {1000: [1.9, 1.95, 2.0], 100: [1.0, 1.1, 1.2], 10: [0.1]}
RESULTS = pl.DataFrame(
    [
        {
            "data.exposures": e,
            "bits": v,
            "most": 2.0,
            "scale": "laptop",
            "status": "finished",
            "optim.learning_rate": 0.1,
        }
        for e, vs in VALUES.items()
        for v in vs
    ]
)


_METRICS = {"bits", "most", "loss", "of_a", "of_b", "x", "y", "qa/accuracy", "recall/accuracy"}
_METRICS |= {"spectra/accuracy_and_gain"}


def long(table):
    """A table with a column for each metric as results."""
    if "run_id" not in table.columns:
        table = table.with_columns(run_id=pl.int_range(len(table)).cast(pl.String))
    metrics = [name for name in table.columns if name in _METRICS]
    rows = [
        {"run_id": row["run_id"], "metric": name, "dims": "", "value": row[name]}
        for row in table.iter_rows(named=True)
        for name in metrics
        if row[name] is not None
    ]
    return Results.of(table.drop(metrics), rows)


def decided(rule, table):
    return decide(rule, long(table))


def claim(**changes):
    values = {
        "id": "c",
        "statement": "s",
        "source": "p",
        "published": "2",
        "metric": "bits",
        "select": {"data.exposures": 1000},
        "scale": "laptop",
        "expect": {"at_least": 1.8},
        "command": "run",
    }
    return Claim(**(values | changes))


def paired(values, others):
    """Two kinds of runs, of two seeds, over three ways of augmentation."""
    rows = []
    for kind, of_seeds in (("a", values), ("b", others)):
        for seed, row in enumerate(of_seeds):
            for way, value in enumerate(row):
                rows.append(
                    {
                        "experiment": kind,
                        "seed": seed,
                        "way": way,
                        "scale": "laptop",
                        "status": "finished",
                        f"of_{kind}": value,
                    }
                )
    return pl.DataFrame(rows, infer_schema_length=None)


FOLLOWS = {
    "metric": "of_a",
    "select": {"experiment": "a"},
    "expect": {"at_least": 0.8},
    "follows": {"metric": "of_b", "select": {"experiment": "b"}, "over": "way"},
}


def of_values(a, b, **columns):
    """Runs at 1000 and at 100 exposures with these values."""
    rows = [
        {
            "data.exposures": e,
            "bits": float(v),
            "scale": "laptop",
            "status": "finished",
            "seed": s,
            **{name: values[i][s] for name, values in columns.items()},
        }
        for i, (e, values_) in enumerate(((1000, a), (100, b)))
        for s, v in enumerate(values_)
    ]
    return pl.DataFrame(rows)
