"""Files that decide a result are named by what they hold, wherever they lie."""

import time
from dataclasses import dataclass, field
from hashlib import sha256

import pytest

from physlm import sources
from physlm.run_id import identity
from physlm.sources import SOURCE, located, pinned


@dataclass
class Reads:
    file: str = field(default="", metadata=SOURCE)


def test_the_same_content_is_the_same_point_by_any_path(tmp_path, monkeypatch):
    (tmp_path / "a b@c").mkdir()
    for place in ("one.txt", "a b@c/two.txt"):
        (tmp_path / place).write_text("the text")
    ids = [identity(Reads(pinned(str(tmp_path / p)))) for p in ("one.txt", "a b@c/two.txt")]
    monkeypatch.chdir(tmp_path)
    ids.append(identity(Reads(pinned("one.txt"))))
    assert ids == [{"file": f"@{sha256(b'the text').hexdigest()[:16]}"}] * 3
    assert located(pinned("a b@c/two.txt")) == tmp_path / "a b@c/two.txt"


def test_another_content_is_another_point_and_no_longer_read_under_the_old_name(tmp_path):
    path, folder = tmp_path / "texts", tmp_path / "folder"
    path.write_text("one")
    folder.mkdir()
    (folder / "weights").write_text("one")
    before = [pinned(str(path)), pinned(str(folder))]
    path.write_text("two")
    (folder / "weights").write_text("two")
    assert all(pinned(str(p)) != old for p, old in zip((path, folder), before, strict=True))
    for old in before:
        with pytest.raises(ValueError, match="has changed; restore it, or give its path again"):
            located(old)


def test_what_is_pinned_or_missing_keeps_its_name(tmp_path):
    path = tmp_path / "texts"
    assert pinned(str(path)) == str(path)
    path.write_text("one")
    assert pinned(pinned(str(path))) == pinned(str(path))
    with pytest.raises(ValueError, match="none does not exist"):
        located("none")


def test_a_folder_is_all_files_below_it_but_what_programs_note_there(tmp_path):
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts" / "weights").write_text("one")
    before = pinned(str(tmp_path))
    (tmp_path / ".cache").mkdir()
    (tmp_path / ".cache" / "downloaded").write_text("today")
    assert pinned(str(tmp_path)) == before
    (tmp_path / "parts" / "weights").write_text("two")
    assert pinned(str(tmp_path)) != before


def test_a_large_file_is_another_when_it_is_written_anew(tmp_path, monkeypatch):
    """Though its hash is kept while it is the same."""
    monkeypatch.setattr(sources, "_LARGE", 0)
    path = tmp_path / "weights"
    path.write_text("one")
    before = pinned(str(path))
    time.sleep(0.05)  # longer than a tick of the clock
    path.write_text("two")
    assert pinned(str(path)) != before
