"""Arrays beside a record: read again as they were, or refused in one line."""

import io
import zipfile

import numpy as np
import pytest

from physlm.arrays import digest, keep_arrays, read_arrays
from physlm.errors import InputError

ARRAYS = {
    "attention": {"means": np.linspace(0, 1, 12).reshape(3, 4), "names": np.array(["a", "bc"])},
    "probing": {"found": np.array([True, False])},
}


def kept(arrays, path):
    """The digests of arrays that are written."""
    keep_arrays(arrays, path)
    return {scorer: digest(own) for scorer, own in arrays.items()}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "arrays.npz"


def test_arrays_are_read_again_as_they_were(path):
    digests = kept(ARRAYS, path)
    found = read_arrays(path, digests)
    assert found.keys() == ARRAYS.keys()
    for scorer, arrays in ARRAYS.items():
        for name, array in arrays.items():
            np.testing.assert_array_equal(found[scorer][name], array)
            assert found[scorer][name].dtype == array.dtype
    with np.load(path, allow_pickle=False) as file:
        assert set(file.files) == {"attention/means", "attention/names", "probing/found"}


def test_a_scorer_more_than_the_record_says_harms_nothing(path):
    """As where a process ended after writing the arrays, and before the record."""
    digests = kept({"attention": ARRAYS["attention"]}, path)
    keep_arrays(ARRAYS, path)
    assert read_arrays(path, digests).keys() == {"attention"}
    assert read_arrays(path.with_name("none.npz"), {}) == {}


def test_every_change_is_noticed(path):
    digests = kept(ARRAYS, path)
    means = ARRAYS["attention"]["means"]
    for changed in (means + 1e-15, means.astype(np.float32), means.T, means.ravel()):
        keep_arrays({**ARRAYS, "attention": {**ARRAYS["attention"], "means": changed}}, path)
        with pytest.raises(InputError, match="the arrays of eval.attention have changed since"):
            read_arrays(path, digests)
    assert digest({"a": means}) != digest({"b": means})


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: content[: len(content) // 2],
        lambda _: b"",
        lambda _: b"no archive",
        lambda content: content.replace(content[60:90], bytes(30)),
    ],
)
def test_a_damaged_file_is_one_clear_line(path, damage):
    digests = kept(ARRAYS, path)
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(InputError, match="rescore=true measures it again") as error:
        read_arrays(path, digests)
    assert "\n" not in str(error.value)
    assert str(path) in str(error.value)


def test_a_missing_file_is_said(path):
    digests = kept(ARRAYS, path)
    path.unlink()
    with pytest.raises(InputError, match="arrays.npz is missing; restore it, or rescore=true"):
        read_arrays(path, digests)


def test_objects_are_never_unpickled(path):
    digests = kept(ARRAYS, path)
    np.savez(path, allow_pickle=True, **{"attention/means": np.array([print], dtype=object)})
    with pytest.raises(InputError, match=r"cannot be read \(Object arrays cannot be loaded"):
        read_arrays(path, digests)
    with pytest.raises(ValueError, match="Object arrays cannot be saved"):
        keep_arrays({"a": {"b": np.array([print], dtype=object)}}, path)


@pytest.mark.parametrize("shape", [(2**40,), (2**62,)])
def test_arrays_that_state_a_size_beyond_memory_are_refused(path, shape):
    buffer = io.BytesIO()
    header = {"descr": "<f8", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(buffer, header)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("attention/means.npy", buffer.getvalue())
    with pytest.raises(InputError, match=r"arrays.npz cannot be read"):
        read_arrays(path, {"attention": "0"})


def test_a_file_that_unpacks_to_more_than_memory_is_refused_unread(path, monkeypatch):
    digests = kept(ARRAYS, path)
    monkeypatch.setattr("physlm.memory.memory_bytes", lambda: 100)
    with pytest.raises(InputError, match=r"arrays.npz, unpacked, takes .* rescore=true"):
        read_arrays(path, digests)
