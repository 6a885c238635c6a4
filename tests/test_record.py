import hashlib
import json
import subprocess
import sys
import textwrap

import pytest

from physlm.atomic import replacing
from physlm.errors import InputError
from physlm.measurement import Metric
from physlm.record import RunRecord, read_record
from physlm.run_directory import RunDirectory
from physlm.science import flatten


def make_record(**changes):
    metric = Metric(
        name="capacity/bits_per_parameter",
        value=1.9,
        unit="bits/parameter",
        n=1000,
        stderr=0.01,
        dims={"split": "train"},
    )
    values = {
        "run_id": "abc",
        "experiment": "test",
        "status": "finished",
        "config": {
            "seed": 0,
            "data": {"n_people": 1000, "name_sizes": [3, 4]},
            "model": {"d_model": 32},
        },
        "software": {"physlm": "0.1.0", "git_revision": "f00", "git_dirty": False},
        "device": "cpu",
        "corpus": {"fingerprint": "x", "entropy_bits": 10.0},
        "parameters": {"embedding": 10, "total": 30},
        "steps": 5,
        "tokens": 60,
        "exposures": 4.0,
        "wall_seconds": 1.0,
        "tokens_per_second": 60.0,
        "metrics": (metric,),
        "published": {"capacity/bits_per_parameter{split=train}": 2.0},
    }
    return RunRecord(**(values | changes))


def test_a_record_reads_back_as_it_was_written(tmp_path):
    directory = RunDirectory(tmp_path)
    assert directory.read_record() is None
    directory.write_record(make_record())
    assert directory.read_record() == make_record()


def test_a_finished_run_drops_its_checkpoint_and_a_diverged_one_keeps_it(tmp_path):
    directory = RunDirectory(tmp_path)
    directory.checkpoint.write_text("state")
    directory.write_record(make_record(status="diverged", stopped_at_step=3))
    assert directory.checkpoint.exists()
    directory.write_record(make_record())
    assert not directory.checkpoint.exists()


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text[:50],
        lambda _: "",
        lambda _: "[1, 2]",
        lambda text: text.replace('"steps"', '"stepz"'),
        lambda text: text.replace('"value": 1.9', '"value": NaN'),
        lambda text: json.dumps(json.loads(text) | {"config": "x"}),
        lambda text: text.replace('"value": 1.9', '"value": 1.8'),
        lambda text: text.replace('"seed": 0', '"seed": 1'),
        lambda text: json.dumps({k: v for k, v in json.loads(text).items() if k != "metrics"}),
        lambda text: json.dumps({k: v for k, v in json.loads(text).items() if k != "seal"}),
    ],
)
def test_a_damaged_record_is_one_clear_line(tmp_path, damage):
    directory = RunDirectory(tmp_path)
    directory.write_record(make_record())
    directory.record.write_text(damage(directory.record.read_text()))
    with pytest.raises(InputError, match="delete it to run this point again") as error:
        read_record(directory.record)
    assert "\n" not in str(error.value)


def test_a_record_is_read_however_it_is_laid_out(tmp_path):
    directory = RunDirectory(tmp_path)
    directory.write_record(make_record())
    content = json.loads(directory.record.read_text())
    directory.record.write_text(json.dumps(content))
    assert directory.read_record("abc") == make_record()


def test_a_record_of_another_version_is_told_from_a_damaged_one(tmp_path):
    directory = RunDirectory(tmp_path)
    directory.write_record(make_record())
    content = json.loads(directory.record.read_text()) | {"schema_version": 1}
    directory.record.write_text(json.dumps(content))
    with pytest.raises(InputError, match=r"another version of physlm \(schema_version=1, here 2\)"):
        read_record(directory.record)


def test_the_record_of_another_run_is_refused(tmp_path):
    directory = RunDirectory(tmp_path)
    directory.write_record(make_record())
    with pytest.raises(InputError, match=r"record.json is of another run \(abc, here xyz\)"):
        directory.read_record("xyz")


def test_a_record_without_a_configuration_is_no_proof_of_a_run(tmp_path):
    directory = RunDirectory(tmp_path)
    directory.write_record(make_record(config={"seed": 0}))
    with pytest.raises(InputError, match="does not say its data; delete it to run this point"):
        directory.read_record("abc", {"seed": 0, "data": {"n_people": 3}})


def test_a_kept_file_is_vouched_for_to_the_last_bit(tmp_path):
    directory = RunDirectory(tmp_path)
    content = bytes(range(100))
    record = make_record(sha256={"model.safetensors": hashlib.sha256(content).hexdigest()})
    for bit in range(0, 800, 37):
        flipped = bytearray(content)
        flipped[bit // 8] ^= 1 << bit % 8
        directory.model.write_bytes(flipped)
        with pytest.raises(InputError, match="model.safetensors has changed since"):
            directory.vouched(directory.model, record)
    assert directory.vouched(directory.model, make_record()) == directory.model
    directory.model.write_bytes(content)
    assert directory.vouched(directory.model, record) == directory.model
    directory.model.unlink()
    with pytest.raises(InputError, match="model.safetensors is missing"):
        directory.vouched(directory.model, record)


def test_a_failed_write_leaves_the_old_file_whole(tmp_path):
    path = tmp_path / "file"
    path.write_text("old")

    def write_and_fail():
        with replacing(path) as temporary:
            temporary.write_text("half of the n")
            raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match=f"{path} could not be written: No space"):
        write_and_fail()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_second_process_is_kept_out_and_a_killed_one_keeps_nobody_out(tmp_path):
    holder = subprocess.Popen(
        [
            sys.executable,
            "-c",
            textwrap.dedent(f"""
            import time
            from pathlib import Path
            from physlm.run_directory import RunDirectory
            with RunDirectory(Path({str(tmp_path)!r})).locked():
                print("locked", flush=True)
                time.sleep(60)
        """),
        ],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "locked\n"
    with (
        pytest.raises(InputError, match="in use by another process"),
        RunDirectory(tmp_path).locked(),
    ):
        pass
    holder.kill()
    holder.wait()
    holder.stdout.close()
    with RunDirectory(tmp_path).locked():
        pass


def test_flattened_keys_are_what_one_types():
    nested = {"seed": 1, "data": {"n_people": 2, "sets": {"a": []}}}
    assert flatten(nested) == {"seed": 1, "data.n_people": 2, "data.sets.a": []}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"steps": "many"}, "steps is 'many'"),
        ({"config": 3}, "config is 3"),
        ({"sha256": {"model.safetensors": 1}}, "sha256 is"),
        ({"parameters": [1]}, r"parameters is \[1\]"),
        ({"corpus": {}}, "corpus is"),
        ({"status": "done"}, "status is 'done'"),
    ],
)
def test_values_of_other_types_are_refused_whoever_sealed_them(changes, said, tmp_path):
    directory = RunDirectory(tmp_path)
    directory.write_record(make_record(**changes))
    with pytest.raises(InputError, match=f"record.json is not a record.*{said}"):
        directory.read_record()


def test_a_record_of_endless_depth_is_refused(tmp_path):
    (tmp_path / "record.json").write_text("[" * 100_000)
    with pytest.raises(InputError, match="is not a record"):
        read_record(tmp_path / "record.json")
