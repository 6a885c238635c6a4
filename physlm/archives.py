"""Archives that another person may have sent, checked before they are unpacked."""

import zipfile
from pathlib import Path


def is_sound(path: Path) -> bool:
    """Whether a zip file is whole and holds everything uncompressed, as torch writes it.

    torch verifies no checksums, and a small compressed file may unpack to any size.

    Raises:
        OSError: If it cannot be read.
        zipfile.BadZipFile: If it is no zip file.
    """
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
        is_stored = all(member.compress_type == zipfile.ZIP_STORED for member in members)
        is_no_larger = sum(member.file_size for member in members) <= path.stat().st_size
        return is_stored and is_no_larger and archive.testzip() is None


def unpacked_bytes(path: Path) -> int:
    """The size of everything in a zip file, as its directory states it.

    Raises:
        OSError: If it cannot be read.
        zipfile.BadZipFile: If it is no zip file.
    """
    with zipfile.ZipFile(path) as archive:
        return sum(member.file_size for member in archive.infolist())
