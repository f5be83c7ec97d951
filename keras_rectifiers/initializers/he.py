"""He initialization for a rectifier of a given slope."""

from __future__ import annotations

from typing import Any

import keras

from keras_rectifiers import specs
from keras_rectifiers.initializers import arguments
from keras_rectifiers.layers.arguments import finite_number


class _He(keras.initializers.VarianceScaling):
    """Weights of variance `2 / ((1 + negative_slope**2) * fan)`."""

    _DISTRIBUTION = ""

    def __init__(
        self, negative_slope: float = 0.0, mode: str = "fan_in", seed: Any = None
    ) -> None:
        name = type(self).__name__
        self.negative_slope = finite_number(negative_slope, "negative_slope", name)
        super().__init__(
            scale=2.0 / (1.0 + self.negative_slope**2),
            mode=arguments.mode(mode, name),
            distribution=self._DISTRIBUTION,
            seed=seed,
        )

    def get_config(self) -> dict[str, Any]:
        # Keras' own config of the seed; scale and distribution follow from the rest.
        return {
            "negative_slope": self.negative_slope,
            "mode": self.mode,
            "seed": super().get_config()["seed"],
        }


@keras.saving.register_keras_serializable(package=specs.PACKAGE, name="HeNormal")
class HeNormal(_He):
    """Normal weights that keep the variance through a rectifier of a given slope.

    Weights are drawn from a normal distribution of mean 0 and variance
    `2 / ((1 + negative_slope**2) * fan)`, cut at two standard deviations; the
    variance is that after the cut, as in `keras.initializers.HeNormal`. With slope 0
    the numbers are those of Keras' initializer for the same seed, bit for bit. With
    slope 1, a linear layer, they are those of `keras.initializers.LecunNormal`.

    Args:
        negative_slope: Slope `a` of the rectifier behind the layer, no unit: the
            `negative_slope` of a Leaky ReLU, the starting `alpha` of a PReLU, the mean
            slope of an RReLU. Any finite number. Defaults to 0, ReLU.
        mode: Which fan divides: `"fan_in"` keeps the variance of activations (eq. 10
            of the paper), `"fan_out"` that of gradients (eq. 14), `"fan_avg"` takes
            their mean. Defaults to `"fan_in"`.
        seed: An int, a `keras.random.SeedGenerator` or None, as in Keras.

    Raises:
        TypeError: If `negative_slope` is not a number.
        ValueError: If it is not finite, or `mode` is another word.

    Example:
        >>> import keras
        >>> import keras_rectifiers
        >>> dense = keras.layers.Dense(
        ...     64,
        ...     activation=keras_rectifiers.layers.LeakyReLU(0.3),
        ...     kernel_initializer=keras_rectifiers.initializers.HeNormal(0.3),
        ... )

    Reference:
        He, Zhang, Ren and Sun 2015, "Delving Deep into Rectifiers",
        arXiv:1502.01852, section 2.2: `(1 + a**2) / 2 * n * Var(w) = 1` (eq. 15).
    """

    __module__ = specs.INITIALIZERS_MODULE
    _DISTRIBUTION = "truncated_normal"


@keras.saving.register_keras_serializable(package=specs.PACKAGE, name="HeUniform")
class HeUniform(_He):
    """Uniform weights that keep the variance through a rectifier of a given slope.

    Weights are drawn uniformly from `[-limit, limit]` with
    `limit = sqrt(6 / ((1 + negative_slope**2) * fan))`, so that their variance is that
    of `HeNormal`. With slope 0 the numbers are those of `keras.initializers.HeUniform`
    for the same seed, bit for bit.

    Args:
        negative_slope: As in `HeNormal`.
        mode: As in `HeNormal`.
        seed: As in `HeNormal`.

    Raises:
        TypeError: If `negative_slope` is not a number.
        ValueError: If it is not finite, or `mode` is another word.

    Example:
        >>> import keras_rectifiers
        >>> kernel = keras_rectifiers.initializers.HeUniform(0.25, seed=1)((300, 10))
        >>> tuple(kernel.shape)
        (300, 10)

    Reference:
        He, Zhang, Ren and Sun 2015, "Delving Deep into Rectifiers",
        arXiv:1502.01852, eq. 15.
    """

    __module__ = specs.INITIALIZERS_MODULE
    _DISTRIBUTION = "uniform"
