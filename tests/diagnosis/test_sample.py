"""A uniform sample of batches that pass by."""

import keras
import numpy as np
import pytest

from keras_rectifiers.diagnosis.sample import Sample

_tensor = keras.ops.convert_to_tensor


def _taken(size, *batches, instead=None):
    sample = Sample(size)
    for batch in batches:
        sample.add(batch)
    found = sample.taken(instead)
    return keras.tree.map_structure(
        lambda each: each if each is None else keras.ops.convert_to_numpy(each), found
    )


def test_few_samples_are_all_kept_in_their_order():
    """Up to the size nothing is left out."""
    taken = _taken(8, _tensor([[1.0], [2.0]]), _tensor([[3.0]]))

    np.testing.assert_array_equal(taken, [[1], [2], [3]])


def test_every_sample_has_the_same_chance():
    """Of a hundred batches the mean place of the kept ones is near the middle."""
    batches = [_tensor(np.arange(10 * n, 10 * n + 10)) for n in range(100)]

    taken = _taken(200, *batches)

    assert len(np.unique(taken)) == 200
    assert abs(taken.mean() - 499.5) < 4 * 289 / np.sqrt(200)
    np.testing.assert_array_equal(taken, _taken(200, *batches))


def test_the_parts_of_a_sample_stay_together():
    """Structures keep their form, arrays their dtype."""
    batches = [
        {"a": _tensor(np.arange(n, n + 5)), "b": [_tensor(-np.arange(n, n + 5.0))]}
        for n in range(0, 50, 5)
    ]

    taken = _taken(7, *batches)

    np.testing.assert_array_equal(taken["a"], -taken["b"][0])
    assert taken["a"].shape == (7,)
    assert taken["a"].dtype.kind == "i"
    assert taken["b"][0].dtype.kind == "f"


@pytest.mark.parametrize(
    "batches",
    [
        (np.zeros((2, 3)), np.zeros((2, 4))),
        (["some", "words"],),
        ([np.zeros((2, 3)), np.zeros((4, 3))],),
        (),
    ],
    ids=["shapes", "words", "lengths", "nothing"],
)
def test_what_has_no_sample_is_left_to_the_first_batch(batches):
    """Shapes that differ, words, and data that are none."""
    given = [
        keras.tree.map_structure(
            lambda each: _tensor(each) if isinstance(each, np.ndarray) else each, batch
        )
        for batch in batches
    ]

    assert Sample(4).taken("first") == "first"
    assert _taken(4, *given) is None
