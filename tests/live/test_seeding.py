"""Numbers are those of Keras' own function, and TensorFlow stays where it is."""

import keras
import numpy as np
import pytest

from keras_rectifiers.live.seeding import seed_everything
from tests import fresh

_DRAWN = """
import json, random, sys
import keras, numpy as np
from keras_rectifiers.live.seeding import seed_everything
seed_everything(7)
drawn = [float(keras.random.normal(())), float(np.random.rand()), random.random()]
print(json.dumps([drawn, "tensorflow" in sys.modules]))
"""


def test_the_same_numbers_are_drawn():
    """By Keras, by numpy and by an initializer."""
    found = []
    for seed in (keras.utils.set_random_seed, seed_everything):
        seed(7)
        drawn = keras.random.normal((3,)), keras.initializers.HeNormal()((2, 2))
        found.append([*map(keras.ops.convert_to_numpy, drawn), np.random.random(2)])  # noqa: NPY002

    for mine, theirs in zip(*found, strict=True):
        np.testing.assert_array_equal(mine, theirs)


@pytest.mark.skipif(
    keras.backend.backend() == "tensorflow", reason="it is what Keras runs on"
)
def test_tensorflow_is_not_loaded(tmp_path):
    """It takes seconds, for numbers that nobody draws; the others are Keras' own."""
    drawn, loaded = fresh.run(tmp_path, _DRAWN)
    keras_own = _DRAWN.replace("seed_everything(7)", "keras.utils.set_random_seed(7)")

    assert not loaded
    assert drawn == fresh.run(tmp_path, keras_own)[0]
