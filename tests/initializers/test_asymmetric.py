"""Randomized asymmetric initialization against the formulas of Lu et al. 2019."""

import json
import math

import keras
import numpy as np
import pytest
from keras import ops

from keras_rectifiers import initializers
from keras_rectifiers.initializers import asymmetric
from keras_rectifiers.initializers import randomized_asymmetric

FAN_IN = 3
UNITS = 40_000


def _numbers(tensor):
    return ops.convert_to_numpy(tensor)


def _draw(fan_in=FAN_IN, units=UNITS, seed=11, *, bias=True):
    return _numbers(asymmetric.draw(fan_in, units, seed, bias=bias))


class TestDistribution:
    def test_sigma_is_the_paper_s(self):
        """0.6007 solves the equation of section 4.2."""
        sigma = asymmetric.SIGMA
        growth = (
            sigma**2 / 2
            + 2 * asymmetric.BETA_MEAN * sigma / math.sqrt(2 * math.pi)
            + asymmetric.BETA_SQUARE
        )

        assert sigma == pytest.approx(0.6007, abs=1e-4)
        assert growth == pytest.approx(1)

    @pytest.mark.parametrize("bias", [True, False])
    @pytest.mark.parametrize("fan_in", [1, 3, 100])
    def test_moments_are_those_of_the_mixture(self, fan_in, bias):
        """Each entry is Beta(2, 1) with chance 1 / rows, else the normal."""
        weights = _draw(fan_in, bias=bias)
        rows = fan_in + bias

        assert weights.shape == (rows, UNITS)
        mean = asymmetric.BETA_MEAN / rows
        square = (
            asymmetric.BETA_SQUARE + (rows - 1) * asymmetric.SIGMA**2 / fan_in
        ) / rows
        error = 5 * np.sqrt(square / weights.size)
        assert weights.mean() == pytest.approx(mean, abs=error)
        assert (weights**2).mean() == pytest.approx(square, rel=0.02)

    def test_one_entry_of_each_unit_is_beta(self):
        """One entry is of Beta(2, 1), at each place with the same chance."""
        fan_in = 10
        weights = _draw(fan_in, seed=2)
        # With one input and no bias the only entry is the positive one.
        alone = _draw(1, seed=2, bias=False)[0]

        ordered = np.sort(alone)
        expected = np.sqrt((np.arange(UNITS) + 0.5) / UNITS)
        assert np.abs(ordered - expected).max() < 2 / np.sqrt(UNITS)
        # Every unit has one entry at least that is positive.
        assert (weights.max(axis=0) > 0).all()
        # 0.85 lies beyond four standard deviations of the normal entries.
        rows = (weights > 0.85).sum(axis=1)
        share = (1 - 0.85**2) * UNITS / (fan_in + 1)
        np.testing.assert_allclose(rows, share, atol=5 * np.sqrt(share))

    def test_the_three_draws_do_not_depend_on_each_other(self):
        """Place, size and the other entries of a unit are uncorrelated."""
        kernel, bias = _draw(1)

        # One of the two is the normal entry, of mean 0 whatever the other one is.
        error = 5 / np.sqrt(UNITS)
        assert np.mean(kernel * bias) == pytest.approx(0, abs=error)
        assert kernel.mean() == pytest.approx(asymmetric.BETA_MEAN / 2, abs=error)
        assert bias.mean() == pytest.approx(asymmetric.BETA_MEAN / 2, abs=error)

    @pytest.mark.parametrize("fan_in", [2, 10, 50])
    def test_squared_length_does_not_grow(self, fan_in, rng):
        """Section 4.2: it follows the exact mean, which lies below the bound, 1."""
        x = np.append(np.maximum(rng.normal(size=fan_in), 0), 1.0)
        repeats = 8000
        weights = _draw(fan_in, fan_in * repeats)

        length = (np.maximum(x @ weights, 0) ** 2).reshape(repeats, fan_in).sum(1)

        expected = fan_in * np.mean(
            [_mean_square(x, place, fan_in) for place in range(fan_in + 1)]
        )
        error = 5 * length.std() / np.sqrt(repeats)
        assert length.mean() == pytest.approx(expected, abs=error)
        assert expected <= x @ x


def _mean_square(x, place, fan_in):
    """Mean of `relu(z + p * x[place])**2`, z normal and p of Beta(2, 1)."""
    sigma = asymmetric.SIGMA * math.sqrt((x @ x - x[place] ** 2) / fan_in)
    p = np.sqrt((np.arange(2000) + 0.5) / 2000)
    mean = p * x[place]
    t = mean / sigma
    phi = np.exp(-(t**2) / 2) / math.sqrt(2 * math.pi)
    below = np.array([0.5 * math.erfc(-value / math.sqrt(2)) for value in t])
    return np.mean((sigma**2 + mean**2) * below + mean * sigma * phi)


class TestInitializers:
    def test_kernel_and_bias_are_one_draw(self):
        """The pair's numbers are the rows of one matrix, which is where one is Beta."""
        dense = keras.layers.Dense(50, **randomized_asymmetric(7, seed=9))
        dense.build((None, 7))

        together = np.vstack([_numbers(dense.kernel), _numbers(dense.bias)])

        np.testing.assert_array_equal(_draw(7, 50, seed=9), together)

    def test_kernel_of_a_convolution(self):
        """All axes but the last make up the fan."""
        conv = keras.layers.Conv2D(
            6, (3, 2), **randomized_asymmetric(3 * 2 * 5, seed=1)
        )
        conv.build((None, 8, 8, 5))

        expected = _draw(30, 6, seed=1)
        kernel = _numbers(conv.kernel)
        np.testing.assert_array_equal(expected[:30].reshape(kernel.shape), kernel)
        np.testing.assert_array_equal(expected[30], _numbers(conv.bias))

    def test_without_bias_the_kernel_has_every_positive_entry(self):
        """`bias=False` leaves no unit without its entry."""
        initializer = initializers.RandomizedAsymmetric(bias=False, seed=4)

        kernel = _numbers(initializer((2, UNITS)))

        mean = asymmetric.BETA_MEAN / 2
        assert kernel.mean() == pytest.approx(mean, abs=5 / np.sqrt(2 * UNITS))

    @pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32"])
    def test_dtype(self, dtype):
        """Both give the dtype that is asked for."""
        kernel = initializers.RandomizedAsymmetric(seed=1)((3, 4), dtype)
        bias = initializers.RandomizedAsymmetricBias(3, seed=1)((4,), dtype)

        assert keras.backend.standardize_dtype(kernel.dtype) == dtype
        assert keras.backend.standardize_dtype(bias.dtype) == dtype

    def test_seeds(self):
        """Other seeds give other numbers; without one, Keras' seed decides."""
        first, second = (
            _numbers(initializers.RandomizedAsymmetric(seed=seed)((4, 4)))
            for seed in (1, 2)
        )
        assert (first != second).any()
        drawn = []
        for _ in range(2):
            keras.utils.set_random_seed(5)
            drawn.append(_numbers(initializers.RandomizedAsymmetric()((4, 4))))
        np.testing.assert_array_equal(*drawn)

    @pytest.mark.parametrize("seed", [None, 6])
    def test_layer_round_trip_through_json(self, seed):
        """The pair of a saved layer draws the same numbers again."""
        dense = keras.layers.Dense(5, **randomized_asymmetric(3, seed))

        document = json.loads(json.dumps(keras.saving.serialize_keras_object(dense)))
        twin = keras.saving.deserialize_keras_object(document)

        for layer in (dense, twin):
            layer.build((None, 3))
        for before, after in zip(dense.weights, twin.weights, strict=True):
            np.testing.assert_array_equal(_numbers(before), _numbers(after))
        written = document["config"]["bias_initializer"]
        assert written["module"] == "keras_rectifiers.initializers"
        assert written["registered_name"] == "keras_rectifiers>RandomizedAsymmetricBias"

    @pytest.mark.parametrize(
        ("make", "error", "message"),
        [
            (lambda: randomized_asymmetric(0), ValueError, "fan_in of .* above 0"),
            (lambda: randomized_asymmetric(2.0), TypeError, "fan_in of .* an integer"),
            (lambda: randomized_asymmetric(2, -1), ValueError, "must not be negative"),
            (
                lambda: randomized_asymmetric(2, keras.random.SeedGenerator(1)),
                TypeError,
                "must be an integer or None",
            ),
            (
                lambda: initializers.RandomizedAsymmetric(seed=1)((4,)),
                ValueError,
                "Use RandomizedAsymmetricBias",
            ),
            (
                lambda: initializers.RandomizedAsymmetricBias(3, seed=1)((4, 4)),
                ValueError,
                "Use RandomizedAsymmetric for a kernel",
            ),
        ],
    )
    def test_refused(self, make, error, message):
        """Wrong arguments are named with the remedy."""
        with pytest.raises(error, match=message):
            make()


class TestRedraw:
    def _model(self):
        shared = keras.layers.Dense(4, "relu", name="shared")
        inner = keras.Sequential(
            [keras.Input((4,)), keras.layers.Dense(4, use_bias=False, name="inside")]
        )
        inputs = keras.Input((6, 6, 2))
        hidden = keras.layers.Conv2D(4, 3, name="conv")(inputs)
        hidden = keras.layers.DepthwiseConv2D(3, name="depthwise")(hidden)
        hidden = keras.layers.GlobalAveragePooling2D()(hidden)
        hidden = inner(shared(shared(hidden)))
        return keras.Model(inputs, hidden)

    def test_each_layer_is_drawn_once(self):
        """Dense and Conv layers are redrawn, wherever they are; others stay."""
        model = self._model()
        before = {w.path: _numbers(w).copy() for w in model.weights}

        names = initializers.redraw_asymmetric(model, seed=3)

        assert sorted(name.split("/")[-1] for name in names) == [
            "conv",
            "inside",
            "shared",
        ]
        changed = {
            w.path for w in model.weights if (_numbers(w) != before[w.path]).any()
        }
        kept = {path for path in before if path not in changed}
        assert kept == {"depthwise/kernel", "depthwise/bias"}

    def test_same_seed_same_weights(self):
        """The seed decides every layer."""
        drawn = []
        for _ in range(2):
            model = self._model()
            model.get_layer("depthwise").set_weights(
                [np.ones((3, 3, 4, 1)), np.zeros(4)]
            )
            initializers.redraw_asymmetric(model, seed=3)
            drawn.append(model.get_weights())

        for first, second in zip(*drawn, strict=True):
            np.testing.assert_array_equal(first, second)

    def test_layers_differ(self):
        """Two layers of one shape get different weights."""
        model = keras.Sequential(
            [keras.Input((3,)), keras.layers.Dense(3), keras.layers.Dense(3)]
        )
        initializers.redraw_asymmetric(model, seed=3)

        first, _, second, _ = model.get_weights()
        assert (first != second).any()

    def test_one_layer(self):
        """A layer alone is redrawn, kernel and bias."""
        dense = keras.layers.Dense(4, name="mine")
        dense.build((None, 2))

        assert initializers.redraw_asymmetric(dense, seed=0)[0].endswith("mine")
        assert (_numbers(dense.bias) != 0).all()

    def test_not_built(self):
        """A layer without weights is named."""
        with pytest.raises(ValueError, match=r"must be built.*mine"):
            initializers.redraw_asymmetric(keras.layers.Dense(4, name="mine"))

    def test_nothing_to_redraw(self):
        """A model without such layers is refused."""
        model = keras.Sequential([keras.Input((4,)), keras.layers.ReLU()])
        with pytest.raises(ValueError, match="must have a Dense or Conv layer"):
            initializers.redraw_asymmetric(model)
