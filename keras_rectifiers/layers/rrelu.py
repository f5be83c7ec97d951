"""RReLU: slopes for negative input that are redrawn at each training step."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from keras_rectifiers import specs
from keras_rectifiers.layers import arguments
from keras_rectifiers.layers import kernels

_LOWER = 1 / 8
_UPPER = 1 / 3


@keras.saving.register_keras_serializable(package=specs.PACKAGE, name="RReLU")
class RReLU(keras.layers.Layer):
    """Rectifier with a random slope for negative input, and an optional cap.

    In training each element has its own slope, redrawn at each call from
    U(lower, upper): `f(x) = min(x, max_value)` for `x > 0`, else
    `min(slope * x, max_value)`. At inference the slope is `(lower + upper) / 2`
    everywhere, and the layer is a `LeakyReLU`.
    Gradient: 1 for `x > 0`, else the slope that was drawn; 0 where the value has
    reached `max_value`.

    The slope multiplies, as in eq. 4 of the paper and in `torch.nn.RReLU`. For its
    experiments the paper states the divisor instead: `x / a` with `a` from U(3, 8), and
    `x / 5.5` at inference. The range of slopes is the same, [1/8, 1/3]; but a uniform
    divisor prefers small slopes (their mean is 0.196), and its slope at inference is
    0.182, where this layer has 0.229.

    At 0, at -inf, for NaN and in low precision it behaves as `LeakyReLU` and `PReLU`
    do. Slopes are drawn in the compute dtype.

    Input: any shape, floating point. Output: the same shape, in the compute dtype.
    Masks are passed on.

    Args:
        lower: Least slope for `x <= 0`: any finite number, no unit. Defaults to 1/8.
        upper: Greatest slope, not below `lower`. Defaults to 1/3.
        max_value: Upper bound of the output, a finite number above 0. Defaults to
            None, no bound.
        seed: An int of 0 or more, for the same draws each time, or None for a random
            one. Defaults to None.
        **kwargs: Arguments of every Keras layer, such as `name` and `dtype`.

    Raises:
        TypeError: If an argument is not a number, or `seed` is not an int.
        ValueError: If a number is not finite, `upper` is below `lower`, `max_value` is
            not above 0, or `seed` is negative.

    Example:
        >>> import keras
        >>> import keras_rectifiers
        >>> layer = keras_rectifiers.layers.RReLU(0.25, 0.75, seed=1)
        >>> y = layer(keras.ops.array([-4.0, 0.0, 2.0]))
        >>> print(keras.ops.convert_to_numpy(y))
        [-2.  0.  2.]
        >>> y = layer(keras.ops.array([-4.0, 0.0, 2.0]), training=True)
        >>> print(-3.0 <= float(y[0]) <= -1.0)
        True

    Reference:
        Xu, Wang, Chen and Li 2015, "Empirical Evaluation of Rectified Activations in
        Convolutional Network", arXiv:1505.00853, section 2.4, eq. 4.
    """

    # The module that a saved file names must not move with the source.
    __module__ = specs.LAYERS_MODULE

    def __init__(
        self,
        lower: float = _LOWER,
        upper: float = _UPPER,
        max_value: float | None = None,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        name = type(self).__name__
        self.lower = arguments.finite_number(lower, "lower", name, self.compute_dtype)
        self.upper = arguments.finite_number(upper, "upper", name, self.compute_dtype)
        if self.upper < self.lower:
            raise ValueError(
                f"upper of {name} must not be below lower. Received: "
                f"lower={lower!r}, upper={upper!r}. Swap them."
            )
        self.max_value = arguments.upper_bound(max_value, name, self.compute_dtype)
        self.seed = arguments.seed(seed, name)
        self.seed_generator = keras.random.SeedGenerator(self.seed)
        self.supports_masking = True
        self.built = True

    @property
    def mean_slope(self) -> float:
        """The slope at inference."""
        return (self.lower + self.upper) / 2

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        x = kernels.tensor(inputs, self)
        if not training or self.lower == self.upper:
            return kernels.leaky_relu(x, self.mean_slope, self.max_value)
        slopes = keras.random.uniform(
            ops.shape(x),
            self.lower,
            self.upper,
            dtype=x.dtype,
            seed=self.seed_generator,
        )
        return kernels.drawn_relu(x, slopes, self.max_value)

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "lower": self.lower,
            "upper": self.upper,
            "max_value": self.max_value,
            "seed": self.seed,
        }
