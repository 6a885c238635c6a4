"""Tables on disk."""

import polars as pl
import pytest

from physlm.analysis.depth import trace
from physlm.analysis.lenses import LogitLens
from physlm.errors import InputError
from physlm.frames import read_frame, write_frame
from physlm.sources import sha256
from tests.analysis.depth.planted import decoder, random_tokens

PREDICTIONS = "predictions.parquet"


def test_rows_are_read_as_they_were_written(tmp_path):
    model = decoder()
    rows = trace(model, random_tokens((3, 8)), LogitLens(model))
    path = tmp_path / PREDICTIONS
    write_frame(rows, path)
    assert read_frame(path).equals(rows)
    assert read_frame(path).schema == rows.schema
    import pyarrow.parquet

    assert pyarrow.parquet.read_table(path).column("top1").to_pylist() == rows["top1"].to_list()


def test_a_reader_of_the_old_file_reads_it_to_its_end(tmp_path):
    path = tmp_path / PREDICTIONS
    old, new = pl.DataFrame({"document": [1]}), pl.DataFrame({"document": [2, 3]})
    write_frame(old, path)
    with path.open("rb") as opened:
        write_frame(new, path)
        assert pl.read_parquet(opened).equals(old)
    assert read_frame(path).equals(new)
    assert [file.name for file in tmp_path.iterdir()] == [PREDICTIONS]


def test_damaged_and_missing_files_are_refused_in_one_line(tmp_path):
    path = tmp_path / PREDICTIONS
    for content in (None, b"", b"PAR1 and nothing else"):
        if content is not None:
            path.write_bytes(content)
        with pytest.raises(InputError, match="cannot be read") as refused:
            read_frame(path)
        assert "\n" not in str(refused.value)


def test_a_table_that_has_changed_is_refused(tmp_path):
    path = tmp_path / PREDICTIONS
    write_frame(pl.DataFrame({"document": [1]}), path)
    expected = sha256(path)
    assert len(read_frame(path, expected)) == 1
    write_frame(pl.DataFrame({"document": [2]}), path)
    with pytest.raises(InputError, match="has changed since it was saved; rescore=true"):
        read_frame(path, expected)
