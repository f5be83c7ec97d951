"""Kernels that Theano learnt: it convolves, where all others correlate.

A kernel is mirrored along every axis of space; what the axes are, and in which
order, stays as it is in Keras 2 and was made so by another conversion before.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from keras_rectifiers.graph.variables.variable import Variable
from keras_rectifiers.legacy.weights import keras1
from keras_rectifiers.legacy.weights.conversions import CONVERSIONS
from keras_rectifiers.legacy.weights.conversions import Conversion
from keras_rectifiers.legacy.weights.conversions import Values

_Array = np.ndarray[Any, Any]
_Config = dict[str, Any]

#: Conversions of Keras 1 -> how many of their kernels Theano mirrored.
_MIRRORED = {
    "keras1_conv1d": 1,
    "keras1_conv2d_th": 1,
    "keras1_conv3d_th": 1,
    "keras1_conv2dtranspose_tf": 1,
    "keras1_conv2dtranspose_th": 1,
    "keras1_convlstm2d_tf": 2,
    "keras1_convlstm2d_th": 2,
}


def mirror(kernel: _Array) -> _Array:
    """A kernel `(…, inputs, filters)`, turned over along its axes of space.

    Args:
        kernel: With two axes behind those of space.
    """
    return np.ascontiguousarray(np.flip(kernel, axis=tuple(range(kernel.ndim - 2))))


def _mirrored(count: int) -> Any:
    def apply(values: Values, _: _Config) -> list[_Array]:
        return [*map(mirror, values[:count]), *values[count:]]

    return apply


def _after(first: Conversion, count: int) -> Conversion:
    """A conversion, and then the mirror."""

    def apply(values: Values, config: _Config) -> list[_Array]:
        return list(_mirrored(count)(first.apply(values, config), config))

    return Conversion(f"{first.about}; mirrored by Theano", first.stored, apply)


def _two_kernels(config: _Config) -> tuple[Variable, ...]:
    kernel, *bias = keras1.kernel_and_bias(config)
    return (kernel, Variable("recurrent_kernel", (), (), (None,) * 4), *bias)


CONVERSIONS["theano_kernel"] = Conversion(
    "A convolution's kernel, mirrored by Theano", keras1.kernel_and_bias, _mirrored(1)
)
CONVERSIONS["theano_convlstm2d"] = Conversion(
    "ConvLSTM2D's kernels, mirrored by Theano", _two_kernels, _mirrored(2)
)
for _name, _count in _MIRRORED.items():
    CONVERSIONS[f"{_name}_theano"] = _after(CONVERSIONS[_name], _count)
