"""RReLU and NReLU: what is drawn in training, and what is left at inference."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_rectifiers import layers
from keras_rectifiers.layers import NReLU
from keras_rectifiers.layers import RReLU
from keras_rectifiers.layers import kernels

CLASSES = (RReLU, NReLU)
MANY = 20_000
each_class = pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)


def _numbers(tensor):
    return ops.convert_to_numpy(ops.cast(ops.stop_gradient(tensor), "float32"))


def _watched(x):
    return x.requires_grad_() if keras.config.backend() == "torch" else x


class TestBoth:
    @each_class
    def test_inference_draws_nothing(self, cls, rng):
        """Without `training`, two calls give the same numbers."""
        layer = cls()
        x = rng.normal(size=(50, 4)).astype("float32")

        first, second, third = layer(x), layer(x, training=False), cls()(x)

        np.testing.assert_array_equal(_numbers(first), _numbers(second))
        np.testing.assert_array_equal(_numbers(first), _numbers(third))

    @each_class
    def test_each_call_in_training_draws_anew(self, cls):
        """The generator moves on; a layer of the same seed repeats its calls."""
        x = -np.full((100,), 0.1, "float32")
        layer, twin = cls(seed=5), cls(seed=5)

        calls = [_numbers(layer(x, training=True)) for _ in range(2)]

        assert (calls[0] != calls[1]).any()
        for call in calls:
            np.testing.assert_array_equal(call, _numbers(twin(x, training=True)))

    @each_class
    def test_without_a_seed_layers_differ(self, cls):
        """Two layers of one model do not draw the same."""
        x = -np.full((100,), 0.1, "float32")

        first, second = (_numbers(cls()(x, training=True)) for _ in range(2))

        assert (first != second).any()

    @each_class
    def test_fit_draws_and_predict_does_not(self, cls, rng):
        """A compiled model trains on draws, and is deterministic after."""
        layer = cls(seed=5)
        model = keras.Sequential([keras.Input((4,)), layer, keras.layers.Dense(1)])
        model.compile("sgd", "mse")
        before = _numbers(layer.seed_generator.state).copy()
        x = rng.normal(size=(32, 4)).astype("float32")

        model.fit(x, x.sum(axis=1), batch_size=8, epochs=1, verbose=0)

        after = _numbers(layer.seed_generator.state).copy()
        assert (before != after).any()
        np.testing.assert_array_equal(
            model.predict(x, verbose=0), model.predict(x, verbose=0)
        )
        np.testing.assert_array_equal(after, _numbers(layer.seed_generator.state))

    @each_class
    @pytest.mark.skipif(
        keras.config.backend() == "torch", reason="nothing is compiled there by default"
    )
    def test_compiled_by_xla(self, cls, rng):
        """Steps that XLA compiles draw as well."""
        layer = cls(seed=5)
        model = keras.Sequential([keras.Input((4,)), layer, keras.layers.Dense(1)])
        model.compile("sgd", "mse", jit_compile=True)
        x = rng.normal(size=(8, 4)).astype("float32")

        before = _numbers(layer.seed_generator.state).copy()
        history = model.fit(x, x[:, 0], epochs=2, verbose=0).history

        assert np.isfinite(history["loss"]).all()
        assert (_numbers(layer.seed_generator.state) != before).any()

    @each_class
    @pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16", "float16"])
    def test_draws_in_the_compute_dtype(self, cls, policy):
        """Training under a policy gives its compute dtype, without NaN."""
        layer = cls(dtype=policy)

        y = layer(np.linspace(-9, 9, 200), training=True)

        assert keras.backend.standardize_dtype(y.dtype) == layer.compute_dtype
        assert np.isfinite(_numbers(y)).all()

    @each_class
    def test_cap_holds_in_training(self, cls):
        """No draw lifts a value over the cap."""
        x = np.full((1000,), 5.9, "float32")

        y = _numbers(cls(max_value=6.0)(x, training=True))

        assert y.max() <= 6.0

    @each_class
    def test_infinities_and_nan_in_training(self, cls):
        """-inf and inf give no NaN, and NaN stays."""
        x = np.array([-np.inf, np.inf, np.nan], "float32")

        low, high, nothing = _numbers(cls()(x, training=True))

        assert low == (-np.inf if cls is RReLU else 0.0)
        assert high == np.inf
        assert np.isnan(nothing)

    @each_class
    @pytest.mark.parametrize(
        ("seed", "error"), [(-1, ValueError), (0.5, TypeError), (True, TypeError)]
    )
    def test_seed_is_checked(self, cls, seed, error):
        """A seed is an int of 0 or more."""
        with pytest.raises(error, match=f"seed of {cls.__name__} must"):
            cls(seed=seed)

    @each_class
    def test_unknown_batch_size(self, cls, rng):
        """The shape of the draw is that of the batch, also where it is not known."""
        model = keras.Sequential([keras.Input((None, 3)), cls(seed=1)])
        model.compile("sgd", "mse")

        for shape in ((2, 5, 3), (4, 7, 3)):
            x = rng.normal(size=shape).astype("float32")
            assert np.isfinite(model.train_on_batch(x, x))


class TestRReLU:
    def test_slopes_are_uniform(self):
        """Each element has its own slope, of U(lower, upper)."""
        x = np.full((MANY,), -2.0, "float32")

        slopes = np.sort(_numbers(RReLU(0.2, 0.6, seed=1)(x, training=True)) / -2)

        expected = 0.2 + 0.4 * (np.arange(MANY) + 0.5) / MANY
        assert np.abs(slopes - expected).max() < 0.4 * 2 / np.sqrt(MANY)

    def test_defaults_are_those_of_torch(self):
        """1/8 and 1/3; at inference their mean."""
        layer = RReLU()

        y = float(_numbers(layer(np.array([-1.0], "float32")))[0])

        assert (layer.lower, layer.upper) == (1 / 8, 1 / 3)
        assert y == pytest.approx(-(1 / 8 + 1 / 3) / 2)

    def test_is_torch_s_at_inference(self, rng):
        """Values are those of `torch.nn.RReLU` in evaluation."""
        torch = pytest.importorskip("torch")
        x = rng.normal(size=(50,)).astype("float32")

        expected = torch.nn.RReLU().eval()(torch.from_numpy(x)).numpy()

        np.testing.assert_allclose(_numbers(RReLU()(x)), expected, rtol=1e-6)

    def test_mean_of_training_is_inference(self, rng):
        """Averaged over draws, training computes what inference does."""
        x = -np.abs(rng.normal(size=(8,))).astype("float32")
        layer = RReLU(seed=2)

        many = _numbers(layer(np.tile(x, (MANY, 1)), training=True))

        np.testing.assert_allclose(many.mean(axis=0), _numbers(layer(x)), rtol=0.01)

    def test_equal_bounds_are_leaky_relu(self, rng):
        """With one slope only, nothing is drawn."""
        x = rng.normal(size=(50,)).astype("float32")

        np.testing.assert_array_equal(
            _numbers(layers.LeakyReLU(0.3)(x)),
            _numbers(RReLU(0.3, 0.3)(x, training=True)),
        )

    @pytest.mark.parametrize("cap", [None, 1.0])
    def test_gradient_is_the_slope_that_was_drawn(self, pull_back, rng, cap):
        """The gradient uses the slopes of the forward pass; slopes get none."""
        x = rng.normal(size=(40,)).astype("float32")
        x[:3] = [0.0, 3.0, -np.inf]
        slopes = rng.uniform(size=x.shape).astype("float32")
        dy = rng.normal(size=x.shape).astype("float32")

        y, (dx, none) = pull_back(
            lambda x, slopes: kernels.drawn_relu(x, slopes, cap), [x, slopes], dy
        )

        expected = np.where(x > 0, x, slopes * x)
        slope = np.where(x > 0, 1, slopes).astype("float32")
        if cap is not None:
            slope[expected >= cap] = 0
            expected = np.minimum(expected, cap)
        np.testing.assert_allclose(y, expected, rtol=1e-6)
        np.testing.assert_allclose(dx, slope * dy, rtol=1e-6)
        np.testing.assert_array_equal(none, np.zeros_like(slopes))

    def test_gradient_of_the_layer(self, differentiable_gradients):
        """Value over input is the gradient, element by element: one draw for both."""
        x = ops.convert_to_tensor(-np.ones((64,), "float32"))
        layer, twin = RReLU(seed=3), RReLU(seed=3)

        (dx,) = differentiable_gradients(
            lambda x: ops.sum(layer(x, training=True)), (_watched(x),)
        )

        np.testing.assert_array_equal(_numbers(dx), -_numbers(twin(x, training=True)))
        assert len(set(_numbers(dx).tolist())) > 32

    @pytest.mark.parametrize(
        ("bounds", "error", "message"),
        [
            ((0.5, 0.1), ValueError, "upper of RReLU must not be below lower.*Swap"),
            ((np.nan, 0.1), ValueError, "lower of RReLU must be finite"),
            ((0.1, "0.2"), TypeError, "upper of RReLU must be a number"),
        ],
    )
    def test_bounds_are_checked(self, bounds, error, message):
        """Bounds are finite numbers in order."""
        with pytest.raises(error, match=message):
            RReLU(*bounds)

    def test_dead_unit_wakes_up(self, rng):
        """A unit that never fires gets gradient, and learns."""
        dense = keras.layers.Dense(
            4, RReLU(seed=1), bias_initializer=keras.initializers.Constant(-20.0)
        )
        model = keras.Sequential([keras.Input((4,)), dense, keras.layers.Dense(1)])
        before = _numbers(dense.kernel).copy()
        x = rng.normal(size=(64, 4)).astype("float32")
        model.compile(keras.optimizers.SGD(0.001), "mse")

        model.fit(x, x.sum(axis=1), epochs=1, verbose=0)

        assert (_numbers(dense.kernel) != before).all()


class TestNReLU:
    @pytest.mark.parametrize("x", [-1.0, 0.0, 2.0])
    def test_noise_has_the_variance_of_the_paper(self, x):
        """Quantiles above 0 are those of N(x, sigmoid(x))."""
        many = np.full((MANY,), x, "float32")

        y = _numbers(NReLU(seed=1)(many, training=True))

        sigma = 1 / np.sqrt(1 + np.exp(-x))
        normal = np.random.default_rng(0).normal(size=MANY) * sigma + x
        expected = np.maximum(normal, 0)
        error = 8 * sigma / np.sqrt(MANY)
        assert y.mean() == pytest.approx(expected.mean(), abs=error)
        assert y.std() == pytest.approx(expected.std(), abs=error)
        assert (y > 0).mean() == pytest.approx((normal > 0).mean(), abs=0.03)

    def test_inference_is_relu_bit_for_bit(self, rng):
        """Without training not one bit differs from Keras' ReLU."""
        x = rng.normal(size=(100,)).astype("float32")

        expected = keras.activations.relu(x, max_value=1.0)

        np.testing.assert_array_equal(
            _numbers(expected), _numbers(NReLU(max_value=1.0)(x))
        )

    def test_gradient_is_one_where_the_noisy_value_is_positive(
        self, differentiable_gradients
    ):
        """The noise is a constant for the gradient."""
        x = ops.convert_to_tensor(np.full((1000,), -0.5, "float32"))
        layer, twin = NReLU(seed=3), NReLU(seed=3)

        (dx,) = differentiable_gradients(
            lambda x: ops.sum(layer(x, training=True)), (_watched(x),)
        )

        fired = _numbers(twin(x, training=True)) > 0
        np.testing.assert_array_equal(_numbers(dx), fired.astype("float32"))
        assert 0.1 < fired.mean() < 0.4

    def test_a_unit_far_below_zero_stays_silent(self):
        """Noise shrinks with the input, as the page says."""
        y = NReLU(seed=3)(np.full((MANY,), -10.0, "float32"), training=True)

        assert _numbers(y).max() == 0
