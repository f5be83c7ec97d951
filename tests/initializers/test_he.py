"""He initialization for a slope: the paper's formula, Keras' numbers, files."""

import json

import keras
import numpy as np
import pytest
from keras import ops

from keras_rectifiers import initializers
from keras_rectifiers import layers

SLOPES = (0.0, 0.01, 0.25, -0.5, 1.0, 3.0)
CLASSES = (initializers.HeNormal, initializers.HeUniform)
KERAS = {
    initializers.HeNormal: keras.initializers.HeNormal,
    initializers.HeUniform: keras.initializers.HeUniform,
}
each_class = pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)


@each_class
@pytest.mark.parametrize("slope", SLOPES)
@pytest.mark.parametrize(
    ("shape", "mode", "fan"),
    [
        ((300, 400), "fan_in", 300),
        ((300, 400), "fan_out", 400),
        ((300, 400), "fan_avg", 350),
        ((3, 5, 40, 200), "fan_in", 600),
    ],
)
def test_variance_is_that_of_the_paper(cls, slope, shape, mode, fan):
    """Equation 15: half of `(1 + a^2) * fan * variance` is 1."""
    weights = ops.convert_to_numpy(cls(slope, mode=mode, seed=5)(shape))

    # 120,000 numbers: five standard errors of their variance are about 2 %.
    assert (1 + slope**2) / 2 * fan * weights.var() == pytest.approx(1, rel=0.02)
    assert abs(weights.mean()) < 5 * weights.std() / np.sqrt(weights.size)


@each_class
def test_slope_zero_is_keras_own(cls):
    """Without a slope the numbers are those of Keras for the same seed."""
    ours = cls(seed=3)((7, 9))

    expected = KERAS[cls](seed=3)((7, 9))
    np.testing.assert_array_equal(
        ops.convert_to_numpy(expected), ops.convert_to_numpy(ours)
    )


def test_variance_is_kept_through_twenty_layers(rng):
    """Through layers of Leaky ReLU the second moment stays, where ReLU's gain grows."""
    x = rng.normal(size=(64, 256)).astype("float32")

    def second_moment(slope_of_kernel):
        hidden = ops.convert_to_tensor(x)
        for seed in range(20):
            kernel = initializers.HeNormal(slope_of_kernel, seed=seed)((256, 256))
            hidden = layers.LeakyReLU(0.5)(hidden @ kernel)
        return float(ops.mean(hidden**2))

    # After a rectifier the mean square is (1 + a^2) / 2 of that before it.
    assert 0.625 / 2.5 < second_moment(0.5) < 0.625 * 2.5
    assert second_moment(0.0) > 0.625 * 1.25**20 / 2.5


@each_class
def test_config_round_trip(cls):
    """A layer with the initializer comes back from JSON, and draws the same."""
    dense = keras.layers.Dense(3, kernel_initializer=cls(0.2, "fan_avg", seed=4))
    document = json.loads(json.dumps(keras.saving.serialize_keras_object(dense)))

    twin = keras.saving.deserialize_keras_object(document)

    assert type(twin.kernel_initializer) is cls
    assert twin.kernel_initializer.get_config() == {
        "negative_slope": 0.2,
        "mode": "fan_avg",
        "seed": 4,
    }
    written = document["config"]["kernel_initializer"]
    assert written["module"] == "keras_rectifiers.initializers"
    assert written["registered_name"] == f"keras_rectifiers>{cls.__name__}"
    dense.build((None, 4))
    twin.build((None, 4))
    np.testing.assert_array_equal(
        ops.convert_to_numpy(dense.kernel), ops.convert_to_numpy(twin.kernel)
    )


@each_class
def test_seed_generator_moves_on(cls):
    """With a generator of Keras each call draws anew."""
    initializer = cls(0.1, seed=keras.random.SeedGenerator(3))

    first, second = (ops.convert_to_numpy(initializer((4, 4))) for _ in range(2))

    assert (first != second).any()
    assert type(cls.from_config(initializer.get_config())) is cls


@each_class
@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"negative_slope": "0.1"}, TypeError, "negative_slope of .* must be a number"),
        ({"negative_slope": True}, TypeError, "must be a number"),
        ({"negative_slope": np.nan}, ValueError, "must be finite"),
        ({"mode": "fan"}, ValueError, "mode of He.* must be one of"),
    ],
)
def test_refused(cls, arguments, error, message):
    """Wrong arguments are named with the remedy."""
    with pytest.raises(error, match=message):
        cls(**arguments)
