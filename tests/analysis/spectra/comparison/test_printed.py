"""What is printed names every row in full, and variants of the graph stand apart."""

import numpy as np
import polars as pl
import pytest

from physlm.analysis.spectra import compare_groups
from tests.analysis.spectra.comparison.frames import frame_of, texts_of

LONG = "spectral_entropy_normalised"
METRICS = (LONG, "self_mass", f"{LONG}/drop_first_1", f"{LONG}/graph_mean")


@pytest.fixture(scope="module")
def compared():
    rng = np.random.default_rng(0)
    texts = texts_of(rng, 12, equal=True)
    arms = ("model", "untrained")
    return compare_groups(
        pl.concat(
            frame_of(texts, lambda *_: rng.standard_normal(24), metrics=METRICS, heads=1, arm=arm)
            for arm in arms
        )
    )


def blocks(text):
    """Names in the first column of each table, by its title."""
    found, title = {}, ""
    for line in text.splitlines():
        if line and not line.startswith(" "):
            title = line
        elif line.startswith("  ") and not line.strip().startswith("metric"):
            found.setdefault(title, []).append(line.split()[0])
    return found


def test_every_variant_is_a_block_of_its_own_and_no_name_is_cut(compared):
    found = blocks(compared.text)
    for variant in ("drop_first_1", "graph_mean"):
        assert found[f"Variant {variant}"] == [LONG]
    for title in ("Effects, valid minus", "Accuracy, nested"):
        names = next(own for name, own in found.items() if name.startswith(title))
        assert names == ["self_mass", LONG, "any"]
    assert "…" not in compared.text
    tables = [line for line in compared.text.splitlines() if line.startswith("  ")]
    assert max(map(len, tables)) < 180


def test_the_headline_leaves_variants_out_but_for_their_verdicts(compared):
    assert "Variant" not in compared.headline
    assert "drop_first_1, graph_mean: 0 of 2 metrics beyond length and likelihood" in (
        compared.headline
    )
    assert len(compared.headline.splitlines()) < 45
