"""Leaky ReLU: a small fixed slope for negative input."""

from __future__ import annotations

from typing import Any

import keras

from keras_rectifiers import specs
from keras_rectifiers.layers import arguments
from keras_rectifiers.layers import kernels


@keras.saving.register_keras_serializable(package=specs.PACKAGE, name="LeakyReLU")
class LeakyReLU(keras.layers.Layer):
    """Rectifier with one fixed slope for negative input, and an optional cap.

    Value: `f(x) = min(x, max_value)` for `x > 0`, else
    `min(negative_slope * x, max_value)`.
    Gradient: 1 for `x > 0`, else `negative_slope`; 0 where the value has reached
    `max_value`.

    At 0 the gradient is `negative_slope`, on every backend. At -inf the value is
    `-inf` for a positive slope and 0 for slope 0. NaN stays NaN. With slope 0, and
    with a slope that the compute dtype rounds to 0, the layer is
    `keras.activations.relu`, bit for bit.

    Input: any shape, floating point. Output: the same shape, in the compute dtype.
    Masks are passed on.

    Args:
        negative_slope: Slope for `x <= 0`: any finite number, no unit. Defaults to
            0.01, the value of the paper (`keras.layers.LeakyReLU` has 0.3).
        max_value: Upper bound of the output, a finite number above 0. Defaults to
            None, no bound.
        **kwargs: Arguments of every Keras layer, such as `name` and `dtype`.

    Raises:
        TypeError: If an argument is not a number.
        ValueError: If one is not finite, or `max_value` is not above 0.

    Example:
        >>> import keras
        >>> import keras_rectifiers
        >>> layer = keras_rectifiers.layers.LeakyReLU(0.5, max_value=6.0)
        >>> y = layer(keras.ops.array([-4.0, 0.0, 2.0, 9.0]))
        >>> print(keras.ops.convert_to_numpy(y))
        [-2.  0.  2.  6.]

    Reference:
        Maas, Hannun and Ng 2013, "Rectifier Nonlinearities Improve Neural Network
        Acoustic Models", section 2.
    """

    # The module that a saved file names must not move with the source.
    __module__ = specs.LAYERS_MODULE

    def __init__(
        self,
        negative_slope: float = specs.DEFAULT_NEGATIVE_SLOPE,
        max_value: float | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        name = type(self).__name__
        self.negative_slope = arguments.finite_number(
            negative_slope, "negative_slope", name, self.compute_dtype
        )
        self.max_value = arguments.upper_bound(max_value, name, self.compute_dtype)
        self.supports_masking = True
        self.built = True

    def call(self, inputs: Any) -> Any:
        x = kernels.tensor(inputs, self)
        return kernels.leaky_relu(x, self.negative_slope, self.max_value)

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "negative_slope": self.negative_slope,
            "max_value": self.max_value,
        }
