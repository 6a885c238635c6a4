"""Options over depth, by task, and where their order settles."""

from pathlib import Path

from matplotlib.figure import Figure

from physlm.report.figures.depth import draw_bars, draw_over_states
from physlm.report.figures.experiment import draw_experiment
from physlm.report.results import Results

TASKS = {
    "birth_month_mod_2": "month mod 2",
    "birth_month_mod_6": "month mod 6",
    "birth_month_mod_12": "month mod 12",
    "major_rank_mod_5": "major mod 5",
    "major_rank_mod_20": "major mod 20",
    "birth_month_ranking": "month ranking",
}
TRAIN = {"form": "plain", "split": "train_people"}
SETTLED = "depth/options/order_settled_fraction{{form=plain,split=train_people,task={}}}"
HARDER = (
    "depth/options/difference{{depth=settled,first={},form=plain,matched=final_probability,"
    "second={},split=train_people}}"
)
DIFFERENCES = {
    "month: mod 12 - mod 2": HARDER.format("birth_month_mod_12", "birth_month_mod_2"),
    "major: mod 20 - mod 5": HARDER.format("major_rank_mod_20", "major_rank_mod_5"),
}


def draw(results: Results) -> Figure:
    """Draw the figure from the results."""
    figure = Figure(figsize=(13, 7), layout="constrained")
    (options, choices), (order, differences) = figure.subplots(2, 2)
    lines = {label: {"task": task, **TRAIN} for task, label in TASKS.items()}
    draw_over_states(options, results, "depth/options/all_in_top_k", lines)
    options.set(ylabel="fraction of questions", title="all K options among the top K")
    draw_over_states(choices, results, "depth/options/agreement", lines)
    choices.set(ylabel="fraction of questions", title="choice is the final one")
    settled = {label: SETTLED.format(task) for task, label in TASKS.items()}
    draw_bars(order, results, settled, "fraction of the blocks")
    order.axvline(0.5, color="grey", linestyle=":")
    order.set(title="order of the options settles")
    draw_bars(differences, results, DIFFERENCES, "difference of settling (blocks)")
    differences.set(title="harder - easier, equal final probability")
    return figure


if __name__ == "__main__":
    draw_experiment(Path(__file__).parent, draw)
