"""Arrays reach the child process as they are."""

import numpy as np
import pytest

from keras_rectifiers.errors import DataError
from keras_rectifiers.exporting import handover
from keras_rectifiers.files.data import Data

_A, _B = np.arange(6.0).reshape(3, 2), np.arange(3)


@pytest.mark.parametrize(
    "x", [_A, [_A, _B], {"b": _B, "a": _A}], ids=["array", "list", "dict"]
)
@pytest.mark.parametrize("y", [None, np.array([1, 0, 1])], ids=["bare", "labels"])
def test_arrays_come_back_in_their_structure(x, y, tmp_path):
    """Keys, order, dtypes and values."""
    handover.write(Data(x, y), tmp_path / "data.npz")
    back = handover.read(tmp_path / "data.npz")

    def leaves(value):
        items = value.items() if isinstance(value, dict) else enumerate(value)
        return [(key, each.dtype, each.tolist()) for key, each in items]

    assert type(back.x) is type(x)
    assert leaves(back.x) == leaves(x)
    assert (back.y is None) == (y is None)


def test_what_is_kept_for_evaluation_comes_along(tmp_path):
    """Beside the rest, in its own structure."""
    labels = np.array([1, 0, 1])
    given = Data(_A, labels, x_test={"b": _B, "a": _A}, y_test=labels[::-1])
    handover.write(given, tmp_path / "data.npz")
    back = handover.read(tmp_path / "data.npz")

    assert np.array_equal(back.x, _A)
    assert list(back.x_test) == ["b", "a"]
    assert np.array_equal(back.x_test["a"], _A)
    assert back.y_test.tolist() == [1, 0, 1]


@pytest.mark.parametrize(
    "x", [np.array([{}, {}]), [np.float32(1)], [[_A]]], ids=["objects", "0d", "deep"]
)
def test_what_is_no_array_is_refused(x, tmp_path):
    """Nothing is pickled."""
    if isinstance(x, list) and isinstance(x[0], list):
        x = [[np.array("text", object)]]
    with pytest.raises(DataError, match="arrays"):
        handover.write(Data(x), tmp_path / "data.npz")

    assert not (tmp_path / "data.npz").exists()
