"""The table of states, against the model's own scores, and in narrow terminals."""

import io
import re
from dataclasses import replace

import pytest
import torch
from rich.console import Console

from physlm.report.exploration.table import table_of_states
from tests.report.exploration.explorations import N_LAYERS, exploration, subject

POSITION = 4


def printed(found, *, width, n_top=5):
    console = Console(file=io.StringIO(), width=width)
    console.print(table_of_states(found, POSITION, n_top, width))
    return console.file.getvalue().splitlines()


def rows(found, *, width, n_top=5):
    """The cells of each state, without caption and headings."""
    lines = [re.split(r"\s+", line.strip()) for line in printed(found, width=width, n_top=n_top)]
    return lines[3 : 4 + N_LAYERS]


@torch.no_grad()
def test_each_number_is_what_the_models_own_scores_give():
    found, model = exploration(), subject().model
    tokens = torch.tensor([found.tokens])
    scores = model.unembed(model.residuals(tokens))[:, 0, POSITION].log_softmax(-1)
    final = scores[-1]
    for k, cells in enumerate(rows(found, width=200)):
        own = scores[k]
        divergence = (final.exp() * (final - own)).sum()
        rank = 1 + int((own > own[final.argmax()]).sum())
        assert cells[:4] == [
            str(k),
            f"{-(own.exp() * own).sum():.2f}",
            f"{divergence:.2f}",
            str(rank),
        ]
        top = own.sort(descending=True)
        texts = [subject().text_of([token]).replace(" ", "·") for token in top.indices[:5].tolist()]
        assert cells[4::2] == texts
        shown = [1.0 if p == "1.0" else float(f"0{p}") for p in cells[5::2]]
        assert shown == pytest.approx(top.values[:5].exp().tolist(), abs=0.00501)


@pytest.mark.parametrize("n_top", [1, 5])
def test_rows_fit_80_columns_with_their_numbers_below_each_other(n_top):
    found = exploration()
    found = replace(found, texts={token: f"·{'long' * 30}{token}" for token in found.texts})
    lines = printed(found, width=80, n_top=n_top)
    assert max(map(len, lines)) <= 80
    ends = [[m.end() for m in re.finditer(r" (?:\.\d\d|1\.0)(?= |$)", line)] for line in lines[3:7]]
    assert all(len(own) == n_top for own in ends)
    assert len(set(map(tuple, ends))) == 1
    assert all("…" in line for line in lines[3:7])


def test_texts_of_tokens_are_no_markup_and_no_control_characters():
    own = exploration()
    found = replace(own, texts=dict.fromkeys(own.texts, "[bold]\\x1b[31m:smile:"))
    assert all("[bold]\\x1b[31m:smile:" in line for line in printed(found, width=200)[3:7])
