"""The table of one position: what each state predicts there."""

from typing import Any

from rich import box
from rich.cells import cell_len
from rich.console import Group
from rich.table import Table
from rich.text import Text

from physlm.analysis.depth.token_text import shortened
from physlm.report.exploration.exploration import Exploration

_FEWEST = 3  # characters of a token, however narrow the terminal
_PROBABILITY = 4  # characters, with the space before
_LONGEST_INPUT = 20
CAPTION = (
    "H is the entropy and KL the divergence KL(final || state), both in nats.\n"
    "rank is the state's rank of the token that the final state predicts."
)


def table_of_states(found: Exploration, position: int, n_top: int, width: int) -> Group:
    """The likeliest tokens at each state, and how far the prediction is from the last state's.

    Args:
        found: What the states predict.
        position: Number of the token after which they predict, from 0.
        n_top: Likeliest tokens shown at each state.
        width: Columns of the terminal; texts of tokens are cut to fit.
    """
    row = found.rows.row(position, named=True)
    after = shortened(found.inputs[position], _LONGEST_INPUT)
    numbers = [_numbers(row, i) for i in range(len(row["state"]))]
    # The box has a space between columns.
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=0)
    headings = ("state", "H", "KL", "rank")
    for heading in headings:
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("top tokens and their probabilities", no_wrap=True, overflow="ellipsis")
    used = sum(1 + max(map(len, column)) for column in zip(headings, *numbers, strict=True))
    entries = _entries(found, row, n_top, width - used)
    for cells, entry in zip(numbers, entries, strict=True):
        table.add_row(*cells, entry)
    title = f"Next token after {after} (position {position}), {found.lens}"
    return Group(Text(title), table, Text(CAPTION))


def _numbers(row: dict[str, Any], i: int) -> tuple[str, ...]:
    return (
        str(row["state"][i]),
        f"{row['entropy_nats'][i]:z.2f}",
        f"{row['kl_nats'][i]:z.2f}",
        str(row["final_rank"][i]),
    )


def _entries(found: Exploration, row: dict[str, Any], n_top: int, width: int) -> list[Text]:
    """Top tokens of each state with their probabilities, in columns."""
    texts = [[found.texts[token] for token in tokens[:n_top]] for tokens in row["top_tokens"]]
    n_shown, longest = len(texts[0]), max(cell_len(text) for own in texts for text in own)
    room = (width + 2) // n_shown - 2 - _PROBABILITY
    size = min(longest, max(room, _FEWEST))
    return [
        Text("  ").join(
            _padded(text, size).append(f" {_shown(p)}")
            for text, p in zip(own, probabilities, strict=False)
        )
        for own, probabilities in zip(texts, row["top_probabilities"], strict=True)
    ]


def _padded(text: str, size: int) -> Text:
    padded = Text(text)
    padded.truncate(size, overflow="ellipsis", pad=True)
    return padded


def _shown(probability: float) -> str:
    """A probability in three characters, such as .93."""
    return "1.0" if probability >= 0.995 else f"{probability:.2f}"[1:]
