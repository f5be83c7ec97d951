"""The kernels against a reference that says each rule with a plain `if`."""

import math

import hypothesis
import hypothesis.extra.numpy
import hypothesis.strategies
import keras
import ml_dtypes
import numpy as np
import pytest
from keras import ops

from keras_rectifiers.layers import kernels

DTYPES = ("float16", "bfloat16", "float32", "float64")
ALPHAS = (0.0, 0.01, 0.25, 1.0, 1.5, -0.3)
CAPS = (None, 6.0)


def _kind(dtype):
    return ml_dtypes.bfloat16 if dtype == "bfloat16" else np.dtype(dtype)


def _inputs(dtype):
    """Ordinary numbers, and every number at which a rectifier can go wrong."""
    info = ml_dtypes.finfo(_kind(dtype))
    tiny, largest = float(info.tiny), float(info.max)
    numbers = [-math.inf, -largest, -1.0, -tiny, -0.0, 0.0, tiny, 1.0, 5.5, 6.0, 6.5]
    numbers += [largest, math.inf, math.nan, -2.5, 3.0]
    return np.array(numbers).astype(_kind(dtype))


def _upstream(x):
    """A different output gradient at each place, 0 and negative ones among them."""
    return (np.arange(x.size) % 5 - 1.0).reshape(x.shape).astype(x.dtype)


def _value(x, alpha, cap):
    """What the rectifier is, for one number, rounded as the dtype rounds."""
    if math.isnan(x):
        return x
    if x > 0:
        y = x
    elif alpha == 0:
        y = type(x)(0)
    else:
        y = x * alpha
    return y if cap is None or y < cap else type(x)(cap)


def _input_gradient(x, alpha, dy, cap):
    if cap is not None and _value(x, alpha, cap) >= cap:
        return type(x)(0)
    return dy if not x <= 0 else dy * alpha


def _slope_term(x, alpha, dy, cap):
    x, y, dy = float(x), _value(x, alpha, cap), float(dy)
    if math.isnan(x):
        return x
    if dy == 0 or x > 0 or (cap is not None and y >= cap):
        return 0.0
    return dy * x


def _each(function, *columns):
    with np.errstate(all="ignore"):
        return np.array([function(*row) for row in zip(*columns, strict=True)])


def _assert_same(expected, actual):
    """Equal but for one rounding, and for numbers flushed to 0."""
    info = ml_dtypes.finfo(actual.dtype)
    np.testing.assert_allclose(
        actual.astype("float64"),
        np.asarray(expected).astype("float64"),
        rtol=2 * float(info.eps),
        atol=float(info.tiny),
    )


def _bits(array):
    return np.ascontiguousarray(array).tobytes()


@pytest.mark.parametrize("cap", CAPS)
@pytest.mark.parametrize("dtype", DTYPES)
class TestAgainstReference:
    def test_prelu(self, pull_back, dtype, cap):
        """Value and both gradients of PReLU follow the rules at each number."""
        x = np.tile(_inputs(dtype), len(ALPHAS))
        alpha = np.repeat(np.array(ALPHAS), len(_inputs(dtype))).astype(x.dtype)
        dy = _upstream(x)
        caps = [cap] * x.size

        # One slope for each number: so each number has an alpha gradient of its own.
        y, (dx, dalpha) = pull_back(
            lambda x, a: kernels.prelu(x, a, cap), [x[None], alpha], dy[None]
        )

        _assert_same(_each(_value, x, alpha, caps), y[0])
        known = ~np.isnan(x)
        _assert_same(_each(_input_gradient, x, alpha, dy, caps)[known], dx[0][known])
        finite = np.isfinite(x)
        terms = _each(_slope_term, x, alpha, dy, caps)[finite]
        with np.errstate(over="ignore"):
            _assert_same(terms.astype(x.dtype), dalpha[finite])

    @pytest.mark.parametrize("alpha", ALPHAS)
    def test_leaky_relu(self, pull_back, dtype, alpha, cap):
        """Value and gradient of Leaky ReLU follow the rules at each number."""
        x = _inputs(dtype)
        slopes = np.full(x.shape, alpha, x.dtype)
        dy = _upstream(x)
        caps = [cap] * x.size

        y, (dx,) = pull_back(lambda x: kernels.leaky_relu(x, alpha, cap), [x], dy)

        _assert_same(_each(_value, x, slopes, caps), y)
        known = ~np.isnan(x)
        _assert_same(_each(_input_gradient, x, slopes, dy, caps)[known], dx[known])


class TestSlopeGradient:
    def test_infinite_input_without_gradient_adds_nothing(self, pull_back):
        """A -inf whose output gradient is 0 leaves alpha's gradient alone."""
        x = np.array([[-np.inf, -2.0], [-3.0, -np.inf]], "float32")
        dy = np.array([[0.0, 1.0], [1.0, 0.0]], "float32")

        _, (_, dalpha) = pull_back(kernels.prelu, [x, np.zeros(2, "float32")], dy)

        np.testing.assert_array_equal([-3.0, -2.0], dalpha)

    @pytest.mark.parametrize("alpha", [0.0, 0.25])
    def test_infinite_input_gives_no_nan(self, pull_back, alpha):
        """A -inf gives alpha a negative gradient and never NaN."""
        x = np.array([[-np.inf]], "float32")

        y, (dx, dalpha) = pull_back(
            kernels.prelu, [x, np.full(1, alpha, "float32")], np.ones_like(x)
        )

        assert float(y[0, 0]) == (0.0 if alpha == 0 else -np.inf)
        assert float(dx[0, 0]) == alpha
        assert float(dalpha[0]) < -3e38

    @pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
    def test_half_floats_are_summed_in_float32(self, pull_back, dtype):
        """A sum beyond the range and precision of a half float arrives exactly."""
        x = np.full((64, 40, 32, 3), -1.0, _kind(dtype))

        _, (_, dalpha) = pull_back(
            kernels.prelu, [x, np.zeros(3, "float32")], np.ones_like(x)
        )

        np.testing.assert_array_equal([-81920.0] * 3, dalpha)

    @pytest.mark.parametrize(
        ("shape", "alpha_shape"),
        [
            ((5, 4), (4,)),
            ((5, 7, 4), (4,)),
            ((2, 6, 97, 3), (3,)),
            ((2, 3, 130, 3), (3,)),
            ((2, 2, 3, 8, 5), (5,)),
            ((2, 3, 4, 5), (3, 1, 1)),
            ((2, 3, 4, 5), (3, 4, 5)),
            ((2, 3, 4, 5), (1, 4, 1)),
            ((2, 3, 4, 5), (1, 1, 1)),
            ((0, 4, 3), (3,)),
        ],
    )
    def test_sums_over_the_shared_axes(self, pull_back, rng, shape, alpha_shape):
        """Each slope receives the terms of all the positions that share it."""
        x = rng.normal(size=shape)
        dy = rng.normal(size=shape)
        alpha = rng.normal(size=alpha_shape)

        _, (dx, dalpha) = pull_back(kernels.prelu, [x, alpha], dy)

        terms = np.where(x <= 0, x * dy, 0)
        padded = (1,) * (x.ndim - alpha.ndim) + alpha_shape
        shared = tuple(axis for axis, length in enumerate(padded) if length == 1)
        expected = terms.sum(axis=shared, keepdims=True).reshape(alpha_shape)
        np.testing.assert_allclose(dalpha, expected, rtol=1e-9, atol=1e-9)
        np.testing.assert_allclose(dx, np.where(x <= 0, alpha, 1) * dy)


class TestSlopeZero:
    numbers = hypothesis.extra.numpy.arrays(
        "float32",
        # Few shapes: each one is compiled.
        hypothesis.strategies.sampled_from([(1, 1), (3, 5), (2, 3, 16), (1, 67)]),
        # A backend's ReLU contradicts itself, from lane to lane, on subnormals, on the
        # sign of NaN, and on that of -0.0 (which the map makes 0.0).
        elements=hypothesis.strategies.floats(
            width=32, allow_nan=False, allow_subnormal=False
        ).map(lambda number: number + 0.0),
    )

    @hypothesis.given(numbers)
    @hypothesis.example(np.array([[-np.inf, 0.0], [-2e-38, np.inf]], "float32"))
    @pytest.mark.parametrize("cap", CAPS)
    def test_prelu_is_relu_bit_for_bit(self, cap, x):
        """With alpha 0, not one bit differs from Keras' ReLU."""
        x = ops.convert_to_tensor(x)
        expected = keras.activations.relu(x, max_value=cap)

        actual = kernels.prelu(x, ops.zeros(x.shape[-1:]), cap)

        assert _bits(ops.convert_to_numpy(expected)) == _bits(
            ops.convert_to_numpy(actual)
        )

    @hypothesis.given(numbers)
    @pytest.mark.parametrize("cap", CAPS)
    def test_leaky_relu_is_relu_bit_for_bit(self, cap, x):
        """With slope 0, not one bit differs from Keras' ReLU."""
        x = ops.convert_to_tensor(x)
        expected = keras.activations.relu(x, max_value=cap)

        actual = kernels.leaky_relu(x, 0.0, cap)

        assert _bits(ops.convert_to_numpy(expected)) == _bits(
            ops.convert_to_numpy(actual)
        )

    @pytest.mark.parametrize("cap", CAPS)
    def test_gradient_is_that_of_relu(self, pull_back, rng, cap):
        """With alpha 0, the input's gradient equals that of Keras' ReLU."""
        x = rng.normal(scale=5, size=(8, 9, 4)).astype("float32")
        x[0, 0] = [0.0, -0.0, 6.0, -np.inf]
        dy = rng.normal(size=x.shape).astype("float32")
        dy[1, 0] = [np.inf, -np.inf, np.nan, 0.0]
        x[1, 0] = -1.0
        y, (dx,) = pull_back(
            lambda x: keras.activations.relu(x, max_value=cap), [x], dy
        )

        ours, (ours_dx, _) = pull_back(
            lambda x, a: kernels.prelu(x, a, cap), [x, np.zeros(4, "float32")], dy
        )

        np.testing.assert_array_equal(y, ours)
        finite = np.isfinite(dy)
        np.testing.assert_array_equal(dx[finite], ours_dx[finite])
        np.testing.assert_array_equal(ours_dx[1, 0], np.zeros(4))

    @pytest.mark.parametrize("slope", [1e-9, -1e-9])
    def test_slope_that_underflows_is_zero(self, pull_back, slope):
        """A slope that float16 rounds to 0 gives 0 at -inf, and not NaN."""
        x = np.array([[-np.inf, -1.0, 2.0]], "float16")

        leaky, _ = pull_back(
            lambda x: kernels.leaky_relu(x, slope), [x], np.ones_like(x)
        )
        learned, _ = pull_back(
            kernels.prelu, [x, np.full(3, slope, "float32")], np.ones_like(x)
        )

        np.testing.assert_array_equal([[0.0, 0.0, 2.0]], leaky)
        np.testing.assert_array_equal([[0.0, 0.0, 2.0]], learned)


class TestCap:
    def test_is_that_of_keras_relu6(self, pull_back):
        """Value and gradient at, below and above the cap are those of ReLU(6)."""
        x = np.array([[-1.0, 0.5, 5.99, 6.0, 6.01, 100.0, np.inf]], "float32")
        relu6 = keras.layers.ReLU(6.0)
        y, (dx,) = pull_back(relu6, [x], np.ones_like(x))

        ours, (ours_dx, _) = pull_back(
            lambda x, a: kernels.prelu(x, a, 6.0),
            [x, np.zeros(7, "float32")],
            np.ones_like(x),
        )
        leaky, (leaky_dx,) = pull_back(
            lambda x: kernels.leaky_relu(x, 0.5, 6.0), [x], np.ones_like(x)
        )

        np.testing.assert_array_equal(y, ours)
        np.testing.assert_array_equal(dx, ours_dx)
        np.testing.assert_array_equal(y[0, 1:], leaky[0, 1:])
        np.testing.assert_array_equal(dx[0, 1:], leaky_dx[0, 1:])

    def test_holds_on_the_negative_side_too(self, pull_back):
        """A negative slope turns large negative input into the cap, gradient 0."""
        x = np.array([[-1.0, -2.0, -3.0, -np.inf]], "float32")
        alpha = np.full(4, -3.0, "float32")

        y, (dx, dalpha) = pull_back(
            lambda x, a: kernels.prelu(x, a, 6.0), [x, alpha], np.ones_like(x)
        )

        np.testing.assert_array_equal([[3.0, 6.0, 6.0, 6.0]], y)
        np.testing.assert_array_equal([[-3.0, 0.0, 0.0, 0.0]], dx)
        np.testing.assert_array_equal([-1.0, 0.0, 0.0, 0.0], dalpha)


def test_second_derivatives(pull_back, differentiable_gradients):
    """A penalty on the gradients has the gradients that differences show."""

    def penalty(x, alpha):
        gradients = differentiable_gradients(
            lambda x, a: ops.sum(kernels.prelu(x, a) ** 2), (x, alpha)
        )
        return sum(ops.sum(gradient**2) for gradient in gradients)

    def reference(x, alpha):
        y = np.where(x > 0, x, alpha * x)
        dx = 2 * y * np.where(x > 0, 1, alpha)
        dalpha = np.sum(np.where(x > 0, 0, 2 * y * x), axis=0)
        return np.sum(dx**2) + np.sum(dalpha**2)

    x = np.array([[-2.0, 3.0, -1.0], [1.0, -4.0, 2.0]])
    alpha = np.array([0.1, 0.2, 0.3])

    value, (dx, dalpha) = pull_back(penalty, [x, alpha], np.array(1.0))

    assert value == pytest.approx(reference(x, alpha))
    for index in np.ndindex(x.shape):
        step = np.zeros_like(x)
        step[index] = 1e-6
        change = reference(x + step, alpha) - reference(x - step, alpha)
        assert dx[index] == pytest.approx(change / 2e-6, rel=1e-5)
    for index, slope in enumerate(np.eye(3) * 1e-6):
        change = reference(x, alpha + slope) - reference(x, alpha - slope)
        assert dalpha[index] == pytest.approx(change / 2e-6, rel=1e-5)
