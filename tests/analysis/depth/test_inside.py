"""The documented command looks inside a finished run, in its own world."""

import json

from tests.command_line import TINY_RUN, called, record_path


def test_inside_takes_world_and_model_from_the_run(tmp_path):
    words = [*TINY_RUN, "runtime.compile=false", "runs_dir=runs"]
    parent = record_path(called(*words, cwd=tmp_path, check=0), tmp_path).parent
    small = ["lens=ridge", "n_lens_tokens=100", "n_predictions=100"]
    words = ["+experiment=inside", f"init_from={parent}", "eval=depth"]
    words += [*(f"eval.depth.{word}" for word in small), "runs_dir=runs"]
    done = record_path(called(*words, cwd=tmp_path, check=0), tmp_path)
    record, trained = (json.loads(path.read_text()) for path in (done, parent / "record.json"))
    assert record["status"] == "finished"
    assert (record["steps"], record["config"]["data"]["n_people"]) == (0, 24)
    assert record["corpus"] == trained["corpus"]
    assert (done.parent / "predictions.parquet").is_file()
    assert (done.parent / "lens" / "params.safetensors").is_file()
    assert any(metric["name"] == "depth/onset" for metric in record["metrics"])
