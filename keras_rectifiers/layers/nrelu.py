"""NReLU: a ReLU whose input is noisy in training."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from keras_rectifiers import specs
from keras_rectifiers.layers import arguments
from keras_rectifiers.layers import kernels


@keras.saving.register_keras_serializable(package=specs.PACKAGE, name="NReLU")
class NReLU(keras.layers.Layer):
    """Rectifier of noisy input in training, plain ReLU at inference.

    In training: `f(x) = min(max_value, max(0, x + noise))`, with noise redrawn for each
    element at each call from N(0, sigmoid(x)); sigmoid(x) is the variance.
    At inference: `min(max_value, max(0, x))`, bit for bit `keras.activations.relu`.
    Gradient in training: 1 where `x + noise` is above 0 and below the cap, else 0.
    The noise counts as a constant: it is a sample, and its size is not trained.

    Noise moves a unit that is just below 0 over the line now and then, and so gives
    it gradient. It shrinks as exp(x / 2): a unit far below 0 stays silent.

    At -inf the value is 0, at inf it is inf or the cap. NaN stays NaN. Noise is drawn
    in the compute dtype.

    Input: any shape, floating point. Output: the same shape, in the compute dtype.
    Masks are passed on.

    Args:
        max_value: Upper bound of the output, a finite number above 0. Defaults to
            None, no bound.
        seed: An int of 0 or more, for the same draws each time, or None for a random
            one. Defaults to None.
        **kwargs: Arguments of every Keras layer, such as `name` and `dtype`.

    Raises:
        TypeError: If `max_value` is not a number, or `seed` is not an int.
        ValueError: If `max_value` is not finite or not above 0, or `seed` is negative.

    Example:
        >>> import keras
        >>> import keras_rectifiers
        >>> layer = keras_rectifiers.layers.NReLU(seed=1)
        >>> print(keras.ops.convert_to_numpy(layer(keras.ops.array([-4.0, 2.0]))))
        [0. 2.]
        >>> noisy = layer(keras.ops.full((1000,), 2.0), training=True)
        >>> print(round(float(keras.ops.mean(noisy))))
        2

    Reference:
        Nair and Hinton 2010, "Rectified Linear Units Improve Restricted Boltzmann
        Machines", section 2 (NReLU).
    """

    # The module that a saved file names must not move with the source.
    __module__ = specs.LAYERS_MODULE

    def __init__(
        self, max_value: float | None = None, seed: int | None = None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        name = type(self).__name__
        self.max_value = arguments.upper_bound(max_value, name, self.compute_dtype)
        self.seed = arguments.seed(seed, name)
        self.seed_generator = keras.random.SeedGenerator(self.seed)
        self.supports_masking = True
        self.built = True

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        x = kernels.tensor(inputs, self)
        if training:
            normal = keras.random.normal(
                ops.shape(x), dtype=x.dtype, seed=self.seed_generator
            )
            x = x + ops.stop_gradient(normal * ops.sqrt(ops.sigmoid(x)))
        return kernels.leaky_relu(x, 0.0, self.max_value)

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "max_value": self.max_value,
            "seed": self.seed,
        }
