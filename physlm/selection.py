"""Which of several settings counts, chosen by something that no result is drawn from."""

import polars as pl

from physlm.errors import InputError


def best_of(table: pl.DataFrame, *, over: str, by: str) -> pl.DataFrame:
    """The runs of that value of a column, such as the learning rate, which did best on average.

    Args:
        table: Runs of one kind.
        over: The column that is chosen.
        by: A metric, such as the validation loss; the least is best.

    Raises:
        InputError: If a column does not exist, there are no runs, or not every value has runs of
            the same seeds.
    """
    if missing := {over, by, "seed"} - set(table.columns):
        raise InputError(f"results have no column {sorted(missing)[0]}")
    if table.is_empty():
        raise InputError(f"no runs to choose {over} from")
    groups = {rows[over][0]: rows for rows in table.partition_by(over)}
    seeds = [sorted(rows["seed"].to_list()) for rows in groups.values()]
    if any(own != seeds[0] for own in seeds):
        raise InputError(f"not every {over} has runs of the same seeds; run the whole sweep")
    return groups[min(groups, key=lambda value: float(groups[value][by].to_numpy().mean()))]
