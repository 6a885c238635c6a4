"""Differences between lenses of one model that published claims are about."""

from collections.abc import Iterator, Mapping

from physlm.measurement import Metric, metric_text


def contrasts(metrics: list[Metric], n_layers: int) -> list[Metric]:
    """Metrics derived from those of several lenses, where these were measured.

    - ``lens/largest_skill``: largest skill of a lens at any state below L that it reads.
    - ``lens/largest_kl_excess``: largest excess of the own lens' KL over that of another lens at
      any state below L that both read; 0 or less where it is better at all of them.
    - ``depth/frequency/own_minus_logit``: top-1 fraction of a bucket at state 1 through the own
      lens, minus that through the logit lens.
    - ``depth/frequency/weighted_minus_constant``: the same through the lens of weighted updates,
      minus that of its constant predictor.

    Args:
        metrics: Metrics of all lenses.
        n_layers: Number of blocks, L.
    """
    values = {metric.text: metric for metric in metrics}
    below: dict[str, list[int]] = {}
    for metric in metrics:
        if metric.name == "lens/kl_nats" and (k := int(metric.dims["state"])) < n_layers:
            below.setdefault(str(metric.dims["lens"]), []).append(k)
    found = []
    for lens, states in below.items():
        of_lens = {"lens": lens}
        skills = [values[metric_text("lens/skill", {**of_lens, "state": k})] for k in states]
        largest = max(skills, key=lambda metric: metric.value)
        found.append(_derived("lens/largest_skill", largest.value, largest, of_lens))
        if lens not in {"own", "untrained"}:
            shared = [k for k in states if k in below["own"]]
            excess = max(_kl(values, "own", k) - _kl(values, lens, k) for k in shared)
            found.append(_derived("lens/largest_kl_excess", excess, largest, of_lens, "nats"))
    return [*found, *_of_frequency(values)]


def _kl(values: Mapping[str, Metric], lens: str, state: int) -> float:
    return values[metric_text("lens/kl_nats", {"lens": lens, "state": state})].value


def _of_frequency(values: Mapping[str, Metric]) -> Iterator[Metric]:
    """Differences of top-1 fractions at state 1, by bucket."""
    name = "depth/frequency/top1_fraction"
    for metric in values.values():
        if metric.name != name or metric.dims["state"] != 1:
            continue
        bucket = {"bucket": metric.dims["bucket"]}
        if metric.dims["lens"] == "own":
            other = values.get(metric_text(name, {**bucket, "lens": "logit", "state": 1}))
            title = "depth/frequency/own_minus_logit"
        elif metric.dims["lens"] == "weighted":
            constant = "depth/frequency/constant_top1_fraction"
            other = values.get(metric_text(constant, {**bucket, "lens": "weighted"}))
            title = "depth/frequency/weighted_minus_constant"
        else:
            continue
        if other is not None:
            yield _derived(title, metric.value - other.value, metric, bucket)


def _derived(
    name: str, value: float, source: Metric, dims: Mapping[str, str | int | float], unit: str = ""
) -> Metric:
    return Metric(name=name, value=value, unit=unit or source.unit, n=source.n, dims=dims)
