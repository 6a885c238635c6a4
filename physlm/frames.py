"""Tables of a run on disk: Parquet files, written atomically and verified when read."""

from pathlib import Path
from typing import TYPE_CHECKING

from physlm.atomic import replacing
from physlm.errors import InputError
from physlm.sources import sha256

if TYPE_CHECKING:
    import polars as pl

_REMEDY = "rescore=true measures it again"


def write_frame(frame: "pl.DataFrame", path: Path) -> None:
    """Write a table in one step: a reader sees the old file or the new, whole.

    Raises:
        OSError: Naming the file, if it cannot be written.
    """
    with replacing(path) as temporary:
        frame.write_parquet(temporary)


def read_frame(path: Path, expected: str | None = None) -> "pl.DataFrame":
    """Read a table.

    Args:
        path: The file.
        expected: Its SHA-256, from the record; None skips the check.

    Raises:
        InputError: If the file is missing, damaged, or has changed.
    """
    import polars as pl

    try:
        if expected is not None and sha256(path) != expected:
            raise InputError(f"{path} has changed since it was saved; {_REMEDY}")
        return pl.read_parquet(path)
    except (OSError, pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
        reason = " ".join(str(error).split())
        raise InputError(f"{path} cannot be read ({reason}); {_REMEDY}") from error
