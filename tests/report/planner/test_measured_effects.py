"""Effects that were planted in results are found again."""

import math

import polars as pl
import pytest

from physlm.report.planner.case import Mlp
from physlm.report.planner.measured_effects import junk_effect, mlp_effects, weights_effect
from physlm.report.results import Results
from tests.report.planner.laws import PLANTED

BITS, PARAMETERS = 53_000.0, 27_424
SET_BITS = 3072  # 6 sets, of 256 of 1024 strings each


def plant(folder, rows):
    """Two runs of each row, which store what the planted law says of a multiple of the load."""
    runs = [
        row | {"run_id": f"{i}/{seed}", "seed": seed}
        for i, row in enumerate(rows)
        for seed in (0, 1)
    ]
    metrics = []
    for run in runs:
        load = math.exp(PLANTED.log_load(BITS, PARAMETERS, run.pop("trained", run["exposures"])))
        stored = PLANTED.fraction(load * run.pop("multiple")) * BITS
        for name, dims, value in (
            ("capacity/name_bits", "split=train", 0.25 * stored),
            ("capacity/value_bits", "split=train", 0.75 * stored),
            ("capacity/maximum_bits_per_parameter", "", (BITS + SET_BITS) / PARAMETERS),
        ):
            metrics.append({"run_id": run["run_id"], "metric": name, "dims": dims, "value": value})
        run |= {"parameters.total": PARAMETERS, "steps": round(50 * run["exposures"])}
    folder.mkdir()
    Results.of(pl.DataFrame(runs, infer_schema_length=None), metrics).write(folder)


def test_what_rounding_leaves_of_the_load_is_found(tmp_path):
    trained = {"experiment": "capacity_1000x", "exposures": 1000.0, "multiple": 1.0}
    rounded = {"experiment": "capacity_quantised", "exposures": 0.0, "trained": 1000.0}
    rows = [
        trained | {"model.group_size": None, "model.weight_bits": None},
        rounded | {"model.group_size": 32, "model.weight_bits": 8, "multiple": 0.9},
        rounded | {"model.group_size": 32, "model.weight_bits": 4, "multiple": 0.0},
        rounded | {"model.group_size": 64, "model.weight_bits": 8, "multiple": 0.1},
    ]
    plant(tmp_path / "capacity_quantised", rows)
    found, exposures = weights_effect(tmp_path, PLANTED)
    assert found[8] == pytest.approx((math.log(0.9), 0.0), abs=1e-9)
    assert found[4][0] == -math.inf
    assert exposures == 1000


def test_the_ratio_of_two_mlps_is_found(tmp_path):
    ratios = {100.0: 0.7, 1000.0: 0.9}
    same = {"optim.learning_rate": 6e-3, "model.tie_embeddings": True, "model.mlp_ratio": 4}
    for folder, column, plain, other in (
        ("capacity_gated_mlp", "model.mlp", "gelu", "gated_silu"),
        ("capacity_moe", "model.n_experts", 1, 32),
    ):
        rows = [
            same | {"exposures": exposures, column: value, "multiple": multiple}
            for exposures, ratio in ratios.items()
            for value, multiple in ((plain, 1.0), (other, ratio))
        ]
        plant(tmp_path / folder, rows)
    for effect in mlp_effects(tmp_path, PLANTED).values():
        for exposures, ratio in ratios.items():
            plain = PLANTED.log_exposed(PARAMETERS, exposures)
            assert effect.curve.log_at(exposures) == pytest.approx(plain + math.log(ratio))
    assert set(mlp_effects(tmp_path, PLANTED)) == {Mlp.gated, Mlp.moe}


def test_the_harm_of_junk_and_of_less_of_it_is_found(tmp_path):
    shares = {0.0: 0.0, 0.05: 0.1, 0.5: 0.4, 0.875: 1.0}
    fresh = {"data.junk_kind": "biographies", "data.n_junk_people": 100_000, "exposures": 100.0}
    rows = [
        fresh | {"data.junk_fraction": fraction, "multiple": 0.02**share}
        for fraction, share in shares.items()
    ]
    repeated = fresh | {"data.n_junk_people": 20, "data.junk_fraction": 0.875, "multiple": 0.9}
    plant(tmp_path / "capacity_junk", [*rows, repeated])
    left = {(None, 100.0): 0.02, (None, 300.0): 0.1, (1, 100.0): 0.05, (1, 300.0): 0.5}
    tokens = [
        {
            "exposures": exposures,
            "data.junk_fraction": 0.875,
            "data.domain_token": token,
            "data.junk_token": token,
            "multiple": multiple,
        }
        for (token, exposures), multiple in left.items()
    ]
    plant(tmp_path / "capacity_domain_token", tokens)
    found = junk_effect(tmp_path, PLANTED)
    assert dict(found.share.points) == pytest.approx(shares)
    assert found.steps == 50
    for (token, exposures), multiple in left.items():
        expected = PLANTED.log_exposed(PARAMETERS, exposures) + math.log(multiple)
        assert found.most[token is not None].curve.log_at(exposures) == pytest.approx(expected)
