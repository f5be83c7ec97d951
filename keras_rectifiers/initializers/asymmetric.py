"""Randomized asymmetric initialization: no unit starts with all signs against it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_rectifiers import specs
from keras_rectifiers.initializers import arguments
from keras_rectifiers.layers.arguments import seed as checked_seed

_MIN_RANK = 2
#: First and second moment of Beta(2, 1), whose density is 2p on [0, 1].
BETA_MEAN = 2 / 3
BETA_SQUARE = 1 / 2
#: Lu et al. 2019, section 4.2 (0.6007 there): the root of
#: `sigma**2 / 2 + 2 * BETA_MEAN * sigma / sqrt(2 * pi) + BETA_SQUARE = 1`, at which
#: the bound on the growth of the squared length per layer is 1.
SIGMA = (math.sqrt(8 + 9 * math.pi) - 2 * math.sqrt(2)) / (3 * math.sqrt(math.pi))


def draw(fan_in: int, units: int, seed: int, *, bias: bool, dtype: Any = None) -> Any:
    """Incoming weights of units, one unit per column.

    Every entry is drawn from `N(0, SIGMA**2 / fan_in)`; then one entry of each
    column, at a place chosen at random, is replaced by a draw from Beta(2, 1).

    Args:
        fan_in: Number of inputs of a unit, bias not counted.
        units: Number of units.
        seed: Any int of 0 or more: the same one gives the same numbers.
        bias: Whether a last row is added for the bias, where the Beta entry may fall
            as well.
        dtype: Of the result; None for Keras' default.

    Returns:
        Tensor of shape `(fan_in + 1, units)`, or `(fan_in, units)` without bias.
    """
    rows = fan_in + 1 if bias else fan_in
    # The backends' generators correlate for one seed: three seeds, one for each draw.
    normal, place, beta = map(int, np.random.SeedSequence(seed).generate_state(3) >> 1)
    weights = keras.random.normal(
        (rows, units), stddev=SIGMA / math.sqrt(fan_in), dtype="float32", seed=normal
    )
    places = keras.random.randint((units,), 0, rows, dtype="int32", seed=place)
    # The distribution function of Beta(2, 1) is p**2.
    positive = ops.sqrt(keras.random.uniform((units,), dtype="float32", seed=beta))
    chosen = ops.expand_dims(ops.arange(rows, dtype="int32"), 1) == places
    return ops.cast(
        ops.where(chosen, positive, weights), dtype or keras.config.floatx()
    )


class _Asymmetric(keras.initializers.Initializer):
    """An initializer with a seed that kernel and bias can share."""

    def __init__(self, seed: int | None = None) -> None:
        # A `SeedGenerator` moves on with each draw: kernel and bias need the same one.
        given = checked_seed(seed, type(self).__name__)
        self._given_seed = given
        self.seed = arguments.fresh_seed() if given is None else given

    def get_config(self) -> dict[str, Any]:
        return {"seed": self._given_seed}


@keras.saving.register_keras_serializable(
    package=specs.PACKAGE, name="RandomizedAsymmetric"
)
class RandomizedAsymmetric(_Asymmetric):
    """Kernel of randomized asymmetric initialization (RAI).

    The incoming weights of a unit and its bias are drawn together: `fan_in + 1`
    numbers from `N(0, SIGMA**2 / fan_in)` with `SIGMA = 0.60075`, of which one, at a
    place chosen at random, is replaced by a draw from Beta(2, 1), which is positive.
    Behind a ReLU inputs are never negative, so a unit has more chance to fire than
    the one half of every symmetric distribution: deep and narrow networks are far less
    often dead at birth. `SIGMA` is such that the squared length of activations does
    not grow with depth.

    The last axis of the kernel counts the units, as in `Dense` and `Conv`; all others
    make up `fan_in`. The bias of the same draw comes from `RandomizedAsymmetricBias`
    with the same seed: `randomized_asymmetric` gives both. Give different layers
    different seeds.

    Args:
        bias: Whether the layer has a bias, which then gets its share of the positive
            entries. Defaults to True; pass False for `use_bias=False`.
        seed: An int of 0 or more, or None for one drawn at random. Defaults to None.

    Raises:
        TypeError: If `seed` is not an int.
        ValueError: If it is negative; at the call, if the shape has fewer than 2 axes.

    Example:
        >>> import keras
        >>> import keras_rectifiers
        >>> kernel = keras_rectifiers.initializers.RandomizedAsymmetric(seed=1)((64, 5))
        >>> print(bool(keras.ops.all(keras.ops.max(kernel, axis=0) > 0)))
        True

    Reference:
        Lu, Shin, Su and Karniadakis 2019, "Dying ReLU and Initialization: Theory and
        Numerical Examples", arXiv:1903.06733, section 4.
    """

    __module__ = specs.INITIALIZERS_MODULE

    def __init__(self, *, bias: bool = True, seed: int | None = None) -> None:
        super().__init__(seed)
        self.bias = bool(bias)

    def __call__(self, shape: Sequence[int], dtype: Any = None) -> Any:
        if len(shape) < _MIN_RANK:
            raise ValueError(
                "RandomizedAsymmetric needs a kernel with an input axis and a unit "
                f"axis. Received: shape={tuple(shape)}. Use RandomizedAsymmetricBias "
                "for a bias."
            )
        fan_in, units = math.prod(shape[:-1]), shape[-1]
        drawn = draw(fan_in, units, self.seed, bias=self.bias, dtype=dtype)
        return ops.reshape(drawn[:fan_in], shape)

    def get_config(self) -> dict[str, Any]:
        return {"bias": self.bias, **super().get_config()}


@keras.saving.register_keras_serializable(
    package=specs.PACKAGE, name="RandomizedAsymmetricBias"
)
class RandomizedAsymmetricBias(_Asymmetric):
    """Bias that belongs to a kernel of `RandomizedAsymmetric`.

    It is the last row of the draw whose other rows are the kernel of the same seed:
    where a unit's kernel has no positive entry of Beta(2, 1), its bias is that entry.

    Args:
        fan_in: Number of inputs of a unit: the units before a `Dense`, kernel area
            times input channels for a `Conv`. It does not follow from the shape of a
            bias.
        seed: That of the kernel. Defaults to None: a separate draw.

    Raises:
        TypeError: If an argument is not an int.
        ValueError: If `fan_in` is not above 0, or `seed` is negative; at the call, if
            the shape does not have 1 axis.

    Example:
        >>> import keras_rectifiers
        >>> bias = keras_rectifiers.initializers.RandomizedAsymmetricBias(64, seed=1)
        >>> tuple(bias((5,)).shape)
        (5,)

    Reference:
        As for `RandomizedAsymmetric`.
    """

    __module__ = specs.INITIALIZERS_MODULE

    def __init__(self, fan_in: int, seed: int | None = None) -> None:
        super().__init__(seed)
        self.fan_in = arguments.fan_in(fan_in, type(self).__name__)

    def __call__(self, shape: Sequence[int], dtype: Any = None) -> Any:
        if len(shape) != 1:
            raise ValueError(
                "RandomizedAsymmetricBias needs a shape with one axis, for the units. "
                f"Received: shape={tuple(shape)}. Use RandomizedAsymmetric for a "
                "kernel."
            )
        return draw(self.fan_in, shape[0], self.seed, bias=True, dtype=dtype)[-1]

    def get_config(self) -> dict[str, Any]:
        return {"fan_in": self.fan_in, **super().get_config()}


def randomized_asymmetric(
    fan_in: int, seed: int | None = None
) -> dict[str, keras.initializers.Initializer]:
    """Initializers of a kernel and of a bias that share one draw.

    Args:
        fan_in: Number of inputs of a unit, as in `RandomizedAsymmetricBias`.
        seed: An int of 0 or more, or None for one drawn at random; both initializers
            get it, and a saved config keeps it.

    Returns:
        The arguments `kernel_initializer` and `bias_initializer` of a layer.

    Raises:
        TypeError: If an argument is not an int.
        ValueError: If `fan_in` is not above 0, or `seed` is negative.

    Example:
        >>> import keras
        >>> from keras_rectifiers.initializers import randomized_asymmetric
        >>> dense = keras.layers.Dense(10, "relu", **randomized_asymmetric(64, seed=1))

    Reference:
        As for `RandomizedAsymmetric`.
    """
    shared = checked_seed(seed, "randomized_asymmetric")
    if shared is None:
        shared = arguments.fresh_seed()
    return {
        "kernel_initializer": RandomizedAsymmetric(seed=shared),
        "bias_initializer": RandomizedAsymmetricBias(
            arguments.fan_in(fan_in, "randomized_asymmetric"), seed=shared
        ),
    }
