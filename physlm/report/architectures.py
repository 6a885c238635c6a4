"""The comparison of architectures by tasks, with standard errors over seeds."""

from collections.abc import Iterable, Sequence

import polars as pl
from scipy import stats

from physlm.errors import InputError
from physlm.measurement import dims_text, metric_text, parse_dims, parse_metric
from physlm.report.results import Results
from physlm.report.summary import varying_science
from physlm.stats.model_selection import best_of

RATE = "optim.learning_rate"
ACCURACY, LOSS = "task/accuracy", "task/loss_nats"
DEPTH, CHANCE = "task/depth", "task/chance"


def compared_architectures(
    results: Results,
    curves: pl.DataFrame | None = None,
    *,
    metrics: Sequence[str] = (),
    loss: str | None = None,
    threshold: float = 0.5,
) -> pl.DataFrame:
    """Every architecture on every task, by the labels of runs.

    Where runs of an architecture differ in the learning rate, each seed contributes its run at the
    rate with the lowest mean loss in all other seeds.

    Args:
        results: Of runs with labels; others are left out.
        curves: Metrics measured during training, as `tabulate_curves` gives them; None if unknown.
        metrics: Metrics to compare by, each on the tasks that have it; empty for all accuracies of
            synthetic tasks.
        loss: Metric by which learning rates are chosen; None for the loss of the same answers.
        threshold: Value of a metric whose first time in training is looked up.

    Returns:
        One row for each metric, experiment and label, in alphabetical order: ``mean``, ``stderr``
        and ``n`` over seeds; ``chance`` and ``depth`` if the task has them; ``tokens`` read before
        the threshold was reached, as the mean over the ``n_reached`` seeds that did;
        ``learning_rate`` as text; ``speed`` of training in tokens per second; ``parameters``.

    Raises:
        InputError: If no run has a label, a metric is unknown, runs of one label differ in more
            than seed and learning rate, or a rate cannot be chosen.
    """
    results = _labelled(results)
    rows = [
        {"metric": metric, **_row(metric, own, curves, threshold)}
        for metric in metrics or _accuracies(results)
        for own in chosen_runs(metric, results, loss)
    ]
    return pl.DataFrame(rows, infer_schema_length=None)


def caveats(results: Results) -> list[str]:
    """Why a comparison of labelled runs may be unfair or incomplete, in one line each.

    Runs without a label, or not finished; within an experiment, labels that differ in seeds,
    learning rates, data, optimisation or, by more than 1%, in size without embeddings.

    Raises:
        InputError: If no run has a label.
    """
    finished = _labelled(results).runs
    n_unlabelled = len(results.runs) - int((results.runs["label"] != "").sum())
    stopped = results.runs.filter((pl.col("label") != "") & (pl.col("status") != "finished"))
    found = [f"runs without a label, left out: {n_unlabelled}"] if n_unlabelled else []
    if len(stopped):
        labels = ", ".join(stopped["label"].unique().sort())
        found.append(f"runs that are not finished, left out: {len(stopped)} of {labels}")
    for own in finished.partition_by("experiment", maintain_order=True):
        found += _unfair(own)
    return found


def _unfair(runs: pl.DataFrame) -> list[str]:
    """What differs between the labels of one experiment, beside the architecture."""
    base, *others = runs.partition_by("label", maintain_order=True)
    found = []
    for own in others:
        between = f"{own['experiment'][0]}: {own['label'][0]} and {base['label'][0]} differ in"
        keys = [name for name in runs.columns if _must_agree(name)]
        keys = [name for name in keys if set(own[name]) != set(base[name])]
        if keys:
            found.append(f"{between} {', '.join(keys)}")
        sizes = [_size(rows) for rows in (own, base)]
        if abs(sizes[0] - sizes[1]) > 0.01 * sizes[1]:
            found.append(f"{between} size: {sizes[0]:,.0f} against {sizes[1]:,.0f} parameters")
    return found


def _must_agree(name: str) -> bool:
    return name == "seed" or name.startswith(("data.", "optim.", "trainer."))


def _size(runs: pl.DataFrame) -> float:
    """Parameters without embeddings."""
    embedding = runs["parameters.embedding"] if "parameters.embedding" in runs.columns else 0
    return float((runs["parameters.total"] - embedding).max())  # type: ignore[arg-type]


def _labelled(results: Results) -> Results:
    columns = results.runs.columns
    found = results.filter(pl.col("label") != "") if "label" in columns else None
    if found is None or found.runs.filter(status="finished").is_empty():
        raise InputError(
            "no finished run has a label; name architectures by +architecture=NAME or label=NAME"
        )
    return found.of_runs(found.runs.filter(status="finished").sort("experiment", "label", "seed"))


def _accuracies(results: Results) -> list[str]:
    """All accuracies except those by graph depth, whose runs have an overall one, too."""
    kinds = results.metrics.filter(metric=ACCURACY).select("dims").unique(maintain_order=True)
    found = [parse_dims(dims) for (dims,) in kinds.iter_rows()]
    if not found:
        raise InputError("no run has task/accuracy; name what to compare by --metrics")
    return [metric_text(ACCURACY, dims) for dims in found if "depth" not in dims]


def chosen_runs(metric: str, results: Results, loss: str | None = None) -> Iterable[pl.DataFrame]:
    """The runs of each experiment and label that have a metric, at the chosen learning rate.

    Args:
        metric: Text of the metric.
        results: Of finished runs with labels.
        loss: Metric by which learning rates are chosen; None for the loss of the same answers.

    Raises:
        InputError: As `compared_architectures` does.
    """
    loss = loss or metric_text(LOSS, parse_metric(metric)[1])
    known = set(results.texts)
    extra = [other for other in (loss, DEPTH, _by_chance(metric)) if other in known]
    table = results.table(metric, *extra).filter(pl.col(metric).is_not_null())
    for own in table.partition_by("experiment", "label", maintain_order=True):
        yield _selected(own, loss)


def chance_of(rows: pl.DataFrame, metric: str) -> float | None:
    """The accuracy by chance, if the metric is an accuracy and chosen runs recorded it."""
    chance = _by_chance(metric)
    return rows[chance][0] if metric.startswith(ACCURACY) and chance in rows.columns else None


def _by_chance(metric: str) -> str:
    return metric_text(CHANCE, parse_metric(metric)[1])


def _selected(rows: pl.DataFrame, loss: str) -> pl.DataFrame:
    """One run for each seed."""
    label = rows["label"][0]
    mixed = [name for name in varying_science(rows) if name != RATE]
    if mixed:
        raise InputError(
            f"runs of label={label} differ in {mixed[0]}; give them labels of their own, or choose "
            "by --where"
        )
    if RATE not in rows.columns or rows[RATE].n_unique() == 1:
        return rows
    try:
        return best_of(rows, over=RATE, by=loss)
    except InputError as error:
        raise InputError(
            f"label={label}: {error}; --loss names another metric to choose by"
        ) from error


def _row(
    metric: str, rows: pl.DataFrame, curves: pl.DataFrame | None, threshold: float
) -> dict[str, object]:
    values = rows[metric]
    reached = _reached(metric, rows, curves, threshold)
    rates = sorted(set(rows[RATE])) if RATE in rows.columns else []
    return {
        "experiment": rows["experiment"][0],
        "label": rows["label"][0],
        "mean": values.mean(),
        "stderr": stats.sem(values) if len(values) > 1 else None,
        "n": len(values),
        "chance": chance_of(rows, metric),
        "depth": rows[DEPTH].mean() if DEPTH in rows.columns else None,
        "tokens": None if reached is None else reached.mean(),
        "n_reached": None if reached is None else len(reached),
        "learning_rate": " or ".join(f"{rate:g}" for rate in rates),
        "speed": rows["tokens_per_second"].mean(),
        "parameters": rows["parameters.total"].mean(),
    }


def _reached(
    metric: str, rows: pl.DataFrame, curves: pl.DataFrame | None, threshold: float
) -> pl.Series | None:
    """Tokens after which runs first reached a value, of those that did; None without curves."""
    if curves is None:
        return None
    name, dims = parse_metric(metric)
    is_own = pl.col("run_id").is_in(rows["run_id"].to_list())
    own = curves.filter(is_own, metric=name, dims=dims_text(dims))
    if own.is_empty():
        return None
    own = own.filter(pl.col("value") >= threshold)
    return own.group_by("run_id").agg(pl.col("tokens").min())["tokens"]
