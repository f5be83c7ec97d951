"""Weights of Keras 1: gates that lay apart, and kernels in Theano's order."""

from __future__ import annotations

from typing import Any

import numpy as np

from keras_rectifiers.errors import ArchiveError
from keras_rectifiers.graph.variables.variable import Variable
from keras_rectifiers.legacy.weights.conversions import CONVERSIONS
from keras_rectifiers.legacy.weights.conversions import Conversion
from keras_rectifiers.legacy.weights.conversions import Values

_Array = np.ndarray[Any, Any]
_Config = dict[str, Any]

#: Gates of each layer in the order in which Keras 1 stored them.
_GATES = {"lstm": "icfo", "gru": "zrh", "convlstm2d": "icfo"}
#: ... and in the order in which later versions put them together.
_TOGETHER = {"lstm": "ifco", "gru": "zrh", "convlstm2d": "ifco"}
#: A kernel `(filters, stack, …)` → `(…, stack, filters)`, by its rank.
TH = {4: (2, 3, 1, 0), 5: (2, 3, 4, 1, 0)}
_FLAT = 4


def kernel_and_bias(config: _Config) -> tuple[Variable, ...]:
    """The variables of a convolution, whose kernel may have any shape.

    Args:
        config: The layer's modern config.
    """
    kernel = Variable("kernel", (), (), None)
    return (kernel, *_bias(config))


def _bias(config: _Config, shape: tuple[int | str | None, ...] = (None,)) -> Any:
    if not config.get("use_bias", True):
        return ()
    return (Variable("bias", (), (), shape),)


def _conv1d(values: Values, config: _Config) -> list[_Array]:
    """Keras 1 held the kernel of one axis as one of two axes, in two orders."""
    kernel, *rest = values
    (length,), filters = config["kernel_size"], config["filters"]
    if kernel.ndim != _FLAT:
        raise _unlike("a kernel of 4 axes", kernel)
    if kernel.shape[:2] != (length, 1) or kernel.shape[3] != filters:
        if kernel.shape[0] != filters or kernel.shape[2:] != (length, 1):
            raise _unlike(f"a kernel of length {length} for {filters} filters", kernel)
        kernel = np.transpose(kernel, TH[_FLAT])
    return [kernel[:, 0], *rest]


def _th(values: Values, _: _Config) -> list[_Array]:
    kernel, *rest = values
    return [_from_th(kernel), *rest]


def _from_th(kernel: _Array) -> _Array:
    if kernel.ndim not in TH:
        raise _unlike("a kernel of 4 or 5 axes", kernel)
    return np.transpose(kernel, TH[kernel.ndim])


def _separable_th(values: Values, _: _Config) -> list[_Array]:
    depthwise, pointwise, *rest = values
    return [_from_th(depthwise), _from_th(pointwise), *rest]


def _separable(config: _Config) -> tuple[Variable, ...]:
    names = ("depthwise_kernel", "pointwise_kernel")
    return (*(Variable(name, (), (), (None,) * 4) for name in names), *_bias(config))


def _swapped(order: tuple[int, ...]) -> Any:
    """A transposed convolution, whose kernel has its filters before its inputs."""

    def apply(values: Values, _: _Config) -> list[_Array]:
        kernel, *rest = values
        if kernel.ndim != len(order):
            raise _unlike(f"a kernel of {len(order)} axes", kernel)
        return [np.transpose(kernel, order), *rest]

    return apply


def _gates(kind: str, shapes: tuple[Any, Any, Any]) -> Any:
    """Variables of a recurrent layer with one of each for each gate."""

    def stored(config: _Config) -> tuple[Variable, ...]:
        units = config.get("units", config.get("filters"))
        known = [
            tuple(units if axis == "units" else axis for axis in shape)
            for shape in shapes
        ]
        return tuple(
            Variable(f"{letter}_{gate}", (), (), shape)
            for gate in _GATES[kind]
            for letter, shape in zip("WUb", known, strict=True)
        )

    return stored


def _together(kind: str, *, th: bool = False) -> Any:
    """Put the gates' weights side by side."""
    places = [_GATES[kind].index(gate) for gate in _TOGETHER[kind]]

    def apply(values: Values, _: _Config) -> list[_Array]:
        kinds = []
        for offset in range(3):
            arrays = [values[3 * place + offset] for place in places]
            if th:
                arrays = [_from_th(each) if each.ndim > 1 else each for each in arrays]
            kinds.append(np.concatenate(arrays, axis=-1))
        return kinds

    return apply


def _deviation(config: _Config) -> tuple[Variable, ...]:
    del config  # Keras 1 always had both
    names = ("gamma", "beta", "running_mean", "running_std")
    return tuple(
        Variable(name, (), (), ("channels",), trainable=not name.startswith("running"))
        for name in names
    )


def _variance(values: Values, config: _Config) -> list[_Array]:
    """The variance whose root, with epsilon inside, is deviation plus epsilon."""
    gamma, beta, mean, deviation = values
    epsilon = float(config.get("epsilon", 1e-3))
    root = deviation.astype("float64") + epsilon
    return [gamma, beta, mean, (root * root - epsilon).astype(deviation.dtype)]


def _maxout(values: Values, _: _Config) -> list[_Array]:
    """Several Dense layers side by side: `(feature, input, unit)` → one kernel."""
    kernel, *rest = values
    count, size, units = kernel.shape
    wide = np.transpose(kernel, (1, 0, 2)).reshape(size, count * units)
    return [wide, *(bias.reshape(count * units) for bias in rest)]


def _maxout_stored(config: _Config) -> tuple[Variable, ...]:
    kernel = Variable("W", (), (), (None, None, None))
    return (kernel, *_bias(config, (None, None)))


def _unlike(wanted: str, kernel: _Array) -> ArchiveError:
    return ArchiveError(
        f"The weights of Keras 1 must fit their layer: {wanted}. Received: one of "
        f"shape {kernel.shape}. The weights belong to another model."
    )


_IMAGES = ((None,) * 4, (None,) * 4, ("units",))
_SEQUENCES = (("input", "units"), ("units", "units"), ("units",))

CONVERSIONS.update(
    {
        "keras1_conv1d": Conversion(
            "Keras 1's Convolution1D: a kernel with an axis too many",
            kernel_and_bias,
            _conv1d,
        ),
        "keras1_conv2d_th": Conversion(
            "Keras 1's Convolution2D in Theano's order", kernel_and_bias, _th
        ),
        "keras1_conv3d_th": Conversion(
            "Keras 1's Convolution3D in Theano's order", kernel_and_bias, _th
        ),
        "keras1_separableconv2d_th": Conversion(
            "Keras 1's SeparableConvolution2D in Theano's order",
            _separable,
            _separable_th,
        ),
        "keras1_conv2dtranspose_tf": Conversion(
            "Keras 1's Deconvolution2D: inputs before filters",
            kernel_and_bias,
            _swapped((0, 1, 3, 2)),
        ),
        "keras1_conv2dtranspose_th": Conversion(
            "Keras 1's Deconvolution2D in Theano's order",
            kernel_and_bias,
            _swapped((2, 3, 0, 1)),
        ),
        "keras1_lstm": Conversion(
            "Keras 1's LSTM: 12 arrays, gates apart",
            _gates("lstm", _SEQUENCES),
            _together("lstm"),
        ),
        "keras1_gru": Conversion(
            "Keras 1's GRU: 9 arrays, gates apart",
            _gates("gru", _SEQUENCES),
            _together("gru"),
        ),
        "keras1_convlstm2d_tf": Conversion(
            "Keras 1's ConvLSTM2D: 12 arrays, gates apart",
            _gates("convlstm2d", _IMAGES),
            _together("convlstm2d"),
        ),
        "keras1_convlstm2d_th": Conversion(
            "Keras 1's ConvLSTM2D in Theano's order: 12 arrays, gates apart",
            _gates("convlstm2d", _IMAGES),
            _together("convlstm2d", th=True),
        ),
        "keras1_batch_std": Conversion(
            "BatchNormalization before Keras 1.0.6: a deviation for a variance",
            _deviation,
            _variance,
        ),
        "keras1_maxout": Conversion(
            "Keras 1's MaxoutDense: its features side by side", _maxout_stored, _maxout
        ),
    }
)
