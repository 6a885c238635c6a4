"""The figure of a model of iGSM: accuracy by number of operations, and first faults."""

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from physlm.measurement import Measurement, Metric

_LINES = {
    "igsm/accuracy": ("whole solution", "C0", "-"),
    "igsm/answer_accuracy": ("answer", "C1", "-"),
    "igsm/format": ("format", "0.6", "--"),
    "igsm/order": ("order", "C2", "--"),
    "igsm/calculation": ("calculation", "C3", "--"),
    "igsm/necessity": ("necessity", "C4", "--"),
    "igsm/chance": ("most common answer", "black", ":"),
}
_CONTROL = "known_templates"
_MOST_BARS = 8


def draw_igsm(measurement: Measurement) -> Figure:
    """Accuracies by number of operations; beside them the first faults, if there are any."""
    own = [metric for metric in measurement.metrics if metric.name.startswith("igsm/")]
    faults = [m for m in own if m.name == "igsm/first_fault" and m.value > 0]
    figure = Figure(figsize=(11 if faults else 6, 4.5), layout="constrained")
    axes = figure.subplots(1, 2 if faults else 1, squeeze=False)[0]
    _draw_accuracies(axes[0], own)
    if faults:
        _draw_faults(axes[1], faults)
    return figure


def _draw_accuracies(axes: Axes, metrics: list[Metric]) -> None:
    for name, (label, colour, style) in _LINES.items():
        points = [m for m in metrics if m.name == name and _is_of_line(m)]
        _draw_line(axes, points, label, colour, style)
    known = [m for m in metrics if m.name == "igsm/accuracy" and m.dims["set"] == _CONTROL]
    _draw_line(axes, known, "whole solution, known templates", "C9", ":")
    answers = [m for m in metrics if "given" in m.dims and m.dims.get("set") != _CONTROL]
    for i, given in enumerate(sorted({int(m.dims["given"]) for m in answers})):
        label = f"answer, sentences given: {given}"
        points = [m for m in answers if m.dims["given"] == given]
        _draw_line(axes, points, label, f"C{5 + i % 5}", "-.")
    longer = [int(m.dims["op"]) for m in metrics if m.dims.get("set") == "longer"]
    if longer:
        left, right = min(longer) - 0.5, max(longer) + 0.5
        axes.axvspan(left, right, color="0.94", label="longer than trained")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set(xlabel="operations", ylabel="fraction of solutions", ylim=(-0.03, 1.03))
    axes.legend(fontsize="x-small", loc="upper left", bbox_to_anchor=(0, -0.16), ncols=3)


def _is_of_line(metric: Metric) -> bool:
    return "given" not in metric.dims and metric.dims.get("set") != _CONTROL


def _draw_line(axes: Axes, metrics: list[Metric], label: str, colour: str, style: str) -> None:
    """Values by number of operations; set ``longest`` replaces the few such problems of others."""
    own = [m for m in metrics if "op" in m.dims and m.dims.get("set") != "reask"]
    by_op = {int(m.dims["op"]): m for m in sorted(own, key=_is_longest)}
    if not by_op:
        return
    ops = sorted(by_op)
    values, errors = ([value(by_op[op]) for op in ops] for value in (_value, _error))
    axes.errorbar(
        ops, values, errors, label=label, color=colour, linestyle=style, marker=".", linewidth=1
    )


def _is_longest(metric: Metric) -> bool:
    return metric.dims.get("set") == "longest"


def _value(metric: Metric) -> float:
    return metric.value


def _error(metric: Metric) -> float:
    return metric.stderr or 0.0


def _draw_faults(axes: Axes, metrics: list[Metric]) -> None:
    """The commonest first faults of wrong solutions, side by side for all sets."""
    kinds = sorted(
        {str(m.dims["fault"]) for m in metrics},
        key=lambda kind: -sum(m.value for m in metrics if m.dims["fault"] == kind),
    )[:_MOST_BARS]
    names = list(dict.fromkeys(_name(m) for m in metrics))
    for i, name in enumerate(names):
        own = {m.dims["fault"]: m.value for m in metrics if _name(m) == name}
        places = [k + 0.8 * (i + 0.5) / len(names) - 0.4 for k in range(len(kinds))]
        axes.barh(places, [own.get(kind, 0) for kind in kinds], 0.8 / len(names), label=name)
    axes.set_yticks(range(len(kinds)), [kind.replace("_", " ") for kind in kinds])
    axes.invert_yaxis()
    axes.set(xlabel="fraction of wrong solutions", title="first fault")
    axes.legend(fontsize="x-small")


def _name(metric: Metric) -> str:
    operations = f", {metric.dims['op']} operations" if "op" in metric.dims else ""
    return f"{metric.dims['set']}{operations}".replace("_", " ")
