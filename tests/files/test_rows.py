"""Arrays on the disk."""

import numpy as np
import pytest

from keras_rectifiers.errors import DataError
from keras_rectifiers.files import arrays
from keras_rectifiers.files import data as data_sets
from keras_rectifiers.files.rows import Rows
from keras_rectifiers.files.rows import is_mapped
from keras_rectifiers.files.rows import rows_of


@pytest.fixture
def x():
    return np.random.default_rng(0).normal(size=(50, 5, 20)).astype("float32")


@pytest.fixture
def mapped(x, tmp_path):
    np.save(tmp_path / "x.npy", x)
    return np.load(tmp_path / "x.npy", mmap_mode="r")


@pytest.mark.parametrize(
    "key", [3, slice(10, 20), slice(None), np.array([7, 3, 3]), np.arange(40)]
)
def test_rows_are_those_of_the_array(x, mapped, key):
    """By number, slice and numbers, in memory."""
    found = Rows(mapped)[key]

    np.testing.assert_array_equal(found, x[key])
    assert not is_mapped(found)


def test_a_subset_keeps_its_order(x, mapped):
    """Subsets of subsets are those of the array."""
    rows = Rows(mapped).subset(np.array([9, 2, 5, 7])).subset(np.array([3, 0]))

    np.testing.assert_array_equal(rows[:], x[[7, 9]])
    assert rows.shape == (2, 5, 20)


def test_what_is_done_to_rows_is_done_when_they_are_read(x, mapped):
    """A scale and a channel axis read nothing before."""
    rows = Rows(mapped)[..., None].scaled(0.5)

    assert rows.shape == (50, 5, 20, 1)
    assert rows.dtype == "float32"
    np.testing.assert_array_equal(rows[4:6], x[4:6, ..., None] * 0.5)
    np.testing.assert_array_equal(np.asarray(rows), x[..., None] * 0.5)


def test_blocks_are_all_rows(x, mapped):
    """In their order."""
    np.testing.assert_array_equal(np.concatenate(list(Rows(mapped).blocks())), x)


def test_only_maps_become_rows(x, mapped):
    """Views of maps do; arrays in memory, and maps of small rows, are arrays."""
    assert isinstance(rows_of(np.asarray(mapped)[3:]), Rows)
    assert isinstance(rows_of(mapped.reshape(50, -1)), Rows)
    assert rows_of(x) is x
    assert isinstance(rows_of(mapped[:, 0, 0]), np.ndarray)


def test_changes_of_a_private_map_stay(x, tmp_path):
    """With `mmap_mode="c"` changes are in memory alone: reading keeps them."""
    np.save(tmp_path / "x.npy", x)
    mine = np.load(tmp_path / "x.npy", mmap_mode="c")
    mine[0] = 7

    rows = Rows(mine)

    assert (rows[0] == 7).all()
    assert (rows[:][0] == 7).all()


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_large_arrays_of_files_stay_on_the_disk(x, tmp_path, monkeypatch, save):
    """A `.npy`, and what is not compressed in an `.npz`; the values are the same."""
    monkeypatch.setattr(arrays, "MAPPED_FROM", 1000)
    save(tmp_path / "data.npz", x=x, y=np.arange(50))
    np.save(tmp_path / "x.npy", x)

    found = data_sets.load(str(tmp_path / "data.npz"))
    alone = data_sets.load(str(tmp_path / "x.npy"), limit=7)

    assert found.is_on_disk == (save is np.savez)
    np.testing.assert_array_equal(found.x[:], x)
    np.testing.assert_array_equal(found.y, np.arange(50))
    assert alone.x.shape == (7, 5, 20)


def test_sizes_are_checked_before_a_file_is_mapped(x, tmp_path, monkeypatch):
    """A file that declares more than it holds is refused as before."""
    monkeypatch.setattr(arrays, "MAPPED_FROM", 1000)
    np.save(tmp_path / "x.npy", x)
    (tmp_path / "x.npy").write_bytes((tmp_path / "x.npy").read_bytes()[:-40])

    with pytest.raises(DataError, match="declares"):
        data_sets.load(str(tmp_path / "x.npy"))
