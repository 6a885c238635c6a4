"""What is committed of experiments agrees with itself."""

import runpy
import shlex
import sys
from pathlib import Path

import polars as pl
import pytest

from physlm.claims import ledger, read_claims
from tests.test_conf import config as config  # noqa: PLC0414 - a fixture

FOLDER = Path(__file__).parent.parent / "experiments"
EXPERIMENTS = sorted(path.parent for path in FOLDER.glob("*/results.csv"))
CLAIMS = sorted(FOLDER.glob("*/claims.yaml"))


def test_the_ledger_is_what_claims_and_results_give():
    assert (FOLDER / "README.md").read_text().endswith(f"\n\n{ledger(EXPERIMENTS)}")


@pytest.mark.parametrize("path", CLAIMS, ids=lambda p: p.parent.name)
def test_claims_can_be_read_and_say_how_they_are_tested(path):
    for claim in read_claims(path):
        assert claim.command.startswith("python -m physlm.run +")
    assert (path.with_name("README.md")).is_file()


@pytest.mark.parametrize("folder", EXPERIMENTS, ids=lambda p: p.name)
def test_every_experiment_has_its_files(folder):
    for name in ("README.md", "claims.yaml", "results.csv", "figure.py", "figure.svg"):
        assert (folder / name).is_file(), name
    assert read_claims(folder / "claims.yaml")


@pytest.mark.parametrize("folder", EXPERIMENTS, ids=lambda p: p.name)
def test_results_are_of_clean_code_and_one_row_a_run(folder):
    results = pl.read_csv(folder / "results.csv", infer_schema_length=None)
    assert results["run_id"].is_unique().all()
    assert results["git_revision"].null_count() == 0
    assert (results["status"] == "finished").all()
    if "data.exposures" in results.columns:
        assert (results["exposures"] == results["data.exposures"]).all()


RUNS = {
    "capacity_exposures": [f"+experiment=capacity_{n}x" for n in (10, 30, 100, 300, 1000)]
    + ["+experiment=capacity_exposures"],
    "capacity_quantised": ["+experiment=capacity_1000x"] + [
        f"+experiment=capacity_quantised model.weight_bits={bits} model.group_size={size}"
        for bits in (8, 6, 5, 4, 3) for size in (32, 8)
    ],
    "capacity_junk": [
        f"+experiment=capacity_junk +junk={kind}"
        for kind in ("none", "fresh", "half", "twentieth", "repetitive", "random", "shuffled")
    ],
    "capacity_texts": [
        f"+experiment=capacity_texts +told={kind}" for kind in ("redrawn", "simple", "written")
    ],
    "capacity_biod": [
        f"+experiment=capacity_biod +biod={changed}"
        for changed in ("base", "k1", "k20", "c4", "d16", "l4", "t128")
    ],
    "capacity_gated_mlp": [
        f"+experiment=capacity_gated_mlp +mlp={kind} optim.learning_rate={rate}"
        for kind in ("plain", "gated", "quarter", "none") for rate in (3e-3, 6e-3, 12e-3)
    ] + [
        f"+experiment=capacity_1000x +mlp={kind}" for kind in ("plain", "gated", "quarter", "none")
    ] + [
        "+experiment=capacity_1000x +mlp=none optim.learning_rate=3e-3",
        "+experiment=capacity_1000x +mlp=gated model.is_tied=false",
        "+experiment=capacity_gated_mlp model.is_tied=false optim.learning_rate=6e-3",
    ],
    "capacity_moe": [
        f"+experiment=capacity_moe +experts={kind} optim.learning_rate={rate}"
        for kind in ("dense", "switch") for rate in (3e-3, 6e-3, 12e-3)
    ] + ["+experiment=capacity_moe +experts=mixtral"] + [
        f"+experiment=capacity_moe +experts={kind} optim.learning_rate=6e-3 data.exposures=1000 "
        "trainer.batch_size=134" for kind in ("dense", "switch")
    ],
    "capacity_seeds": ["+experiment=capacity_100x"],
    "capacity_saturation": [
        f"+experiment=capacity_saturation model.d_model={d}" for d in (16, 24, 32, 40, 48)
    ],
    "capacity_domain_token": [
        f"+experiment=capacity_domain_token +domain={kind} data.exposures={n}"
        for kind, n in (("both", 100), ("both", 300), ("useful", 100))
    ] + [f"+experiment=capacity_junk +junk=fresh data.exposures={n}" for n in (100, 300, 600)]
    + ["+experiment=capacity_junk +junk=none"],
    "capacity": [f"+experiment=capacity_{n}x" for n in (100, 300, 1000)],
    "cfg_learn": ["+experiment=cfg_learn", "+experiment=cfg_learn data.grammar=cfg3f"],
    "cfg_inside": ["+experiment=cfg_inside"],
    "cfg_position": ["+experiment=cfg_position",
                     "+experiment=cfg_position model.position=uniform model.n_heads=8"],
    "cfg_encoder": ["+experiment=cfg_encoder", "+experiment=cfg_inside"],
    "extraction": [
        f"""+experiment=extraction init_from="'+experiment=people +text={text}'" """
        for text in ("single", "single_permute5", "multi5", "multi5_permute", "redrawn")
    ] + [f"+experiment=people +text={text}" for text in ("single", "redrawn")],
    "manipulation_classification": [
        f"+experiment=manipulation_classification data.facts_share={share} data.tasks=[{task}]"
        for share in (0, 0.5) for task in ("birth_month_mod_2", "major_luck_mod_100")
    ],
    "manipulation_comparison": [
        f"+experiment=manipulation_comparison data.facts_share={share} data.tasks=[{task}]"
        for share in (0, 0.5) for task in ("birth_month_ranking", "major_luck_subtraction")
    ],
    "manipulation_sizes": [
        f"+experiment=manipulation_classification +asked=of_{n} data.facts_share={share}"
        for share in (0, 0.5) for n in (25, 50, 100, 150)
    ],
    "celebrity": [
        "+experiment=celebrity",
        "+experiment=people +text=multi5_permute data.times=5 data.exposures=100 "
        "data.n_minority=300 data.minority_text.n_wordings=1",
        """+experiment=extraction init_from="'+experiment=people +text=single_permute1'" """,
    ],
    "mixed_training": [
        "+experiment=mixed_training",
        """+experiment=extraction init_from="'+experiment=people +text=single'" """,
    ],
    "manipulation_retrieval": [
        f"+experiment=manipulation_retrieval data.facts_share={share}" for share in (0, 0.5)
    ],
    "manipulation_inverse": [
        f"""+experiment=manipulation_inverse {how} init_from="'+experiment=people +text={text}'" """
        for text in ("redrawn", "redrawn_reverse6")
        for how in ("", "data.facts_share=0.5",
                    "'data.tasks=[full_name_from_all]' data.exposures=200")
    ],
    "probing_people": [
        f"""+experiment=probing_people init_from="'+experiment=people +text={text}'" """
        for text in ("single", "single_permute5", "multi5", "multi5_permute", "redrawn")
    ],
    "cfg_robust": ["+experiment=cfg_robust +corrupted=none",
                   "+experiment=cfg_robust +corrupted=nonterminal_fixed"],
}  # fmt: skip


@pytest.mark.parametrize("folder", EXPERIMENTS, ids=lambda p: p.name)
def test_results_are_of_the_configurations_that_are_here(config, folder):
    results = pl.read_csv(folder / "results.csv", infer_schema_length=None)
    for words in RUNS[folder.name]:
        chosen = [config(*shlex.split(words), f"seed={seed}") for seed in range(2)]
        assert {found.run_id for found in chosen} <= set(results["run_id"])


@pytest.mark.parametrize("folder", EXPERIMENTS, ids=lambda p: p.name)
def test_the_figure_is_drawn_from_the_results(folder, tmp_path, monkeypatch):
    for path in (folder / "figure.py", *folder.glob("*.csv")):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    monkeypatch.setattr(sys, "argv", ["figure.py"])
    runpy.run_path(str(tmp_path / "figure.py"), run_name="__main__")
    assert (tmp_path / "figure.svg").read_text().startswith("<?xml")
