"""Weights that are stored differently from Keras 3.

A conversion says what the old file holds for a layer, and makes of it what the
layer wants. Keras 1 stored gates apart and kernels in Theano's order. Theano itself
convolves, where all others correlate: its kernels are mirrored along every axis of
space. CuDNN multiplies from the left, gate by gate: it keeps the transpose of each
gate's kernel, and two biases for each gate, one for the input and one for the state.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

import numpy as np

from keras_rectifiers.errors import ArchiveError
from keras_rectifiers.graph.variables.variable import Variable

_Array = np.ndarray[Any, Any]
_Config = dict[str, Any]
_Shape = tuple[int | str | None, ...]
Values = Sequence[_Array]
#: Layer's modern config -> variables as the old file has them.
_Stored = Callable[[_Config], tuple[Variable, ...]]
#: (stored arrays, layer's modern config) -> arrays as expected.
_Apply = Callable[[Values, _Config], list[_Array]]


@dataclasses.dataclass(frozen=True)
class Conversion:
    """One way in which old weights differ.

    Attributes:
        about: What it does, in one line for the documentation.
        stored: Layer's modern config -> variables as the old file has them.
        apply: (stored arrays, layer's modern config) -> arrays as expected.
    """

    about: str
    stored: _Stored
    apply: _Apply

    def moved(self, values: Values, config: _Config) -> list[_Array] | None:
        """Slots of an optimizer as Keras 3 wants them; None where there are none.

        A conversion that only moves numbers moves those of a slot in the same way;
        one that calculates, such as a sum of two biases, has no slot to show for it.

        Args:
            values: One slot of each old weight; zeros for one that has none.
            config: The layer's modern config.
        """
        ends = np.cumsum([each.size for each in values])
        numbers = np.arange(ends[-1], dtype="float64")
        parts = zip(np.split(numbers, ends[:-1]), values, strict=True)
        made = self.apply([part.reshape(each.shape) for part, each in parts], config)
        places = np.sort(np.concatenate([np.ravel(each) for each in made]))
        return self.apply(values, config) if np.array_equal(places, numbers) else None


#: Gates of each layer in the order in which Keras 1 stored them.
_GATES = {"lstm": "icfo", "gru": "zrh", "convlstm2d": "icfo"}
#: ... and in the order in which later versions put them together.
_TOGETHER = {"lstm": "ifco", "gru": "zrh", "convlstm2d": "ifco"}
#: A kernel `(filters, stack, …)` → `(…, stack, filters)`, by its rank.
_TH = {4: (2, 3, 1, 0), 5: (2, 3, 4, 1, 0)}
#: Kernels of a transposed convolution, whose filters come before its inputs.
_SWAPPED, _SWAPPED_TH = {4: (0, 1, 3, 2)}, {4: (2, 3, 0, 1)}
_FLAT = 4
_IMAGES = ((None,) * 4, (None,) * 4, ("units",))
_SEQUENCES = (("input", "units"), ("units", "units"), ("units",))
_CUDNN_LSTM, _CUDNN_GRU = 4, 3


def _kernels(bias: _Shape = (None,), **shapes: _Shape | None) -> _Stored:
    """Kernels of these names and shapes, and the bias of a layer that has one."""

    def stored(config: _Config) -> tuple[Variable, ...]:
        own = shapes | ({"bias": bias} if config.get("use_bias", True) else {})
        return tuple(Variable(name, (), (), shape) for name, shape in own.items())

    return stored


_KERNEL = _kernels(kernel=None)


def _conv1d(values: Values, config: _Config) -> list[_Array]:
    """Keras 1 held the kernel of one axis as one of two axes, in two orders."""
    kernel, *rest = values
    (length,), filters = config["kernel_size"], config["filters"]
    if kernel.ndim != _FLAT:
        raise _unlike("a kernel with 4 axes", kernel)
    if kernel.shape[:2] != (length, 1) or kernel.shape[3] != filters:
        if kernel.shape[0] != filters or kernel.shape[2:] != (length, 1):
            raise _unlike(f"a kernel of length {length} for {filters} filters", kernel)
        kernel = _reordered(kernel, _TH)
    return [kernel[:, 0], *rest]


def _reordered(kernel: _Array, orders: Mapping[int, tuple[int, ...]]) -> _Array:
    """A kernel with its axes in the order for its rank."""
    if kernel.ndim not in orders:
        ranks = " or ".join(map(str, orders))
        raise _unlike(f"a kernel with {ranks} axes", kernel)
    return np.transpose(kernel, orders[kernel.ndim])


def _transposed(orders: Mapping[int, tuple[int, ...]], count: int = 1) -> _Apply:
    """Reorder the axes of the first kernels."""

    def apply(values: Values, _: _Config) -> list[_Array]:
        kernels = [_reordered(each, orders) for each in values[:count]]
        return [*kernels, *values[count:]]

    return apply


def _gates(kind: str, shapes: tuple[_Shape, ...]) -> _Stored:
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


def _together(kind: str, *, th: bool = False) -> _Apply:
    """Put the gates' weights side by side."""
    places = [_GATES[kind].index(gate) for gate in _TOGETHER[kind]]

    def apply(values: Values, _: _Config) -> list[_Array]:
        kinds = []
        for offset in range(3):
            arrays = [values[3 * place + offset] for place in places]
            if th:
                arrays = [_reordered(a, _TH) if a.ndim > 1 else a for a in arrays]
            kinds.append(np.concatenate(arrays, axis=-1))
        return kinds

    return apply


def _deviation(_: _Config) -> tuple[Variable, ...]:
    names = ("gamma", "beta", "running_mean", "running_std")  # Keras 1 had all, always
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


def _mirrored(count: int, first: _Apply | None = None) -> _Apply:
    """Turn the first kernels over along their axes of space, which are in front."""

    def apply(values: Values, config: _Config) -> list[_Array]:
        kept = values if first is None else first(values, config)
        flipped = [np.flip(k, axis=tuple(range(k.ndim - 2))) for k in kept[:count]]
        return [*map(np.ascontiguousarray, flipped), *kept[count:]]

    return apply


def _cudnn(gates: int) -> _Stored:
    def stored(config: _Config) -> tuple[Variable, ...]:
        units = int(config["units"])
        wide = gates * units
        shapes: dict[str, _Shape] = {
            "kernel": ("in", wide),
            "recurrent_kernel": (units, wide),
            "bias": (2 * wide,),
        }
        return tuple(
            Variable(name, ("vars", str(number)), (name,), shape)
            for number, (name, shape) in enumerate(shapes.items())
        )

    return stored


def _from_cudnn(gates: int) -> _Apply:
    """Transpose each gate's kernels; the two biases of a gate are two rows."""

    def apply(values: Values, _: _Config) -> list[_Array]:
        kernel, recurrent, bias = values
        kernels = [_from_rows(gate) for gate in np.split(kernel, gates, axis=1)]
        states = [gate.T for gate in np.split(recurrent, gates, axis=1)]
        rows = bias.reshape(2, -1)
        return [np.concatenate(kernels, axis=1), np.concatenate(states, axis=1), rows]

    return apply


def _cudnn_lstm(values: Values, config: _Config) -> list[_Array]:
    """Both biases are added before the gates of an LSTM: one that is their sum does."""
    *kernels, rows = _from_cudnn(_CUDNN_LSTM)(values, config)
    return [*kernels, rows[0] + rows[1]]


def _from_rows(gate: _Array) -> _Array:
    """The kernel whose transpose CuDNN reads, row by row, from the same numbers."""
    inputs, units = gate.shape
    return np.ascontiguousarray(gate).reshape(units, inputs).T


def _unlike(expected: str, kernel: _Array) -> ArchiveError:
    return ArchiveError(
        f"Keras 1 weights must fit their layer: {expected}. Received: one of shape "
        f"{kernel.shape}. The weights belong to another model."
    )


_KERAS_1 = {
    "conv1d": Conversion(
        "Keras 1's Convolution1D: a kernel with an extra axis", _KERNEL, _conv1d
    ),
    "conv2d_th": Conversion(
        "Keras 1's Convolution2D in Theano's order", _KERNEL, _transposed(_TH)
    ),
    "conv3d_th": Conversion(
        "Keras 1's Convolution3D in Theano's order", _KERNEL, _transposed(_TH)
    ),
    "separableconv2d_th": Conversion(
        "Keras 1's SeparableConvolution2D in Theano's order",
        _kernels(depthwise_kernel=(None,) * 4, pointwise_kernel=(None,) * 4),
        _transposed(_TH, 2),
    ),
    "conv2dtranspose_tf": Conversion(
        "Keras 1's Deconvolution2D: inputs before filters",
        _KERNEL,
        _transposed(_SWAPPED),
    ),
    "conv2dtranspose_th": Conversion(
        "Keras 1's Deconvolution2D in Theano's order",
        _KERNEL,
        _transposed(_SWAPPED_TH),
    ),
    "lstm": Conversion(
        "Keras 1's LSTM: 12 arrays, one set for each gate",
        _gates("lstm", _SEQUENCES),
        _together("lstm"),
    ),
    "gru": Conversion(
        "Keras 1's GRU: 9 arrays, one set for each gate",
        _gates("gru", _SEQUENCES),
        _together("gru"),
    ),
    "convlstm2d_tf": Conversion(
        "Keras 1's ConvLSTM2D: 12 arrays, one set for each gate",
        _gates("convlstm2d", _IMAGES),
        _together("convlstm2d"),
    ),
    "convlstm2d_th": Conversion(
        "Keras 1's ConvLSTM2D in Theano's order: 12 arrays, one set for each gate",
        _gates("convlstm2d", _IMAGES),
        _together("convlstm2d", th=True),
    ),
    "batch_std": Conversion(
        "BatchNormalization before Keras 1.0.6: a standard deviation in place of a "
        "variance",
        _deviation,
        _variance,
    ),
    "maxout": Conversion(
        "Keras 1's MaxoutDense: its features side by side",
        _kernels((None, None), W=(None, None, None)),
        _maxout,
    ),
}
#: Those whose kernels Theano mirrored -> how many it did.
_MIRRORED = {
    **dict.fromkeys(("conv1d", "conv2d_th", "conv3d_th"), 1),
    **dict.fromkeys(("conv2dtranspose_tf", "conv2dtranspose_th"), 1),
    **dict.fromkeys(("convlstm2d_tf", "convlstm2d_th"), 2),
}
#: Name -> conversion.
CONVERSIONS: dict[str, Conversion] = {
    **{f"keras1_{name}": each for name, each in _KERAS_1.items()},
    "theano_kernel": Conversion(
        "A convolution's kernel, mirrored by Theano", _KERNEL, _mirrored(1)
    ),
    "theano_convlstm2d": Conversion(
        "ConvLSTM2D's kernels, mirrored by Theano",
        _kernels(kernel=None, recurrent_kernel=(None,) * 4),
        _mirrored(2),
    ),
    **{
        f"keras1_{name}_theano": Conversion(
            f"{_KERAS_1[name].about}; mirrored by Theano",
            _KERAS_1[name].stored,
            _mirrored(count, _KERAS_1[name].apply),
        )
        for name, count in _MIRRORED.items()
    },
    "cudnn_lstm": Conversion(
        "CuDNNLSTM: kernels transposed gate by gate, two biases added up",
        _cudnn(_CUDNN_LSTM),
        _cudnn_lstm,
    ),
    "cudnn_gru": Conversion(
        "CuDNNGRU: kernels transposed gate by gate, the two biases as rows",
        _cudnn(_CUDNN_GRU),
        _from_cudnn(_CUDNN_GRU),
    ),
}
