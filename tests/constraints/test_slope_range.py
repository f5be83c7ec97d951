"""The constraint that keeps slopes within bounds."""

import keras
import numpy as np
import pytest

from keras_rectifiers.constraints import SlopeRange


def test_slopes_are_moved_to_the_nearer_bound():
    """What is within the bounds stays as it is."""
    slopes = keras.ops.convert_to_tensor(np.array([-1.0, 0.25, 3.0], "float32"))

    moved = keras.ops.convert_to_numpy(SlopeRange(0.0, 0.5)(slopes))

    assert moved.tolist() == [0.0, 0.25, 0.5]


@pytest.mark.parametrize("module", ["keras_rectifiers.layers", None])
def test_files_find_it_by_its_registered_name(module):
    """Files that name the module in which it once was open as well."""
    config = keras.saving.serialize_keras_object(SlopeRange(0.1, 0.5))
    assert config["registered_name"] == "keras_rectifiers>SlopeRange"
    assert config["module"] == "keras_rectifiers.constraints"
    config["module"] = module or config["module"]

    made = keras.saving.deserialize_keras_object(config)

    assert (type(made), made.lowest, made.highest) == (SlopeRange, 0.1, 0.5)
