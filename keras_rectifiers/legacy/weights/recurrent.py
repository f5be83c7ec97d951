"""Weights of the CuDNN layers of Keras 2, as LSTM and GRU want them.

CuDNN multiplies from the left, gate by gate: it keeps the transpose of each
gate's kernel, and two biases for each gate, one for the input and one for the
state. The gates stand in Keras' order.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from keras_rectifiers.graph.variables.variable import Variable
from keras_rectifiers.legacy.weights.conversions import CONVERSIONS
from keras_rectifiers.legacy.weights.conversions import Conversion
from keras_rectifiers.legacy.weights.conversions import Values

_LSTM_GATES = 4
_GRU_GATES = 3

_Array = np.ndarray[Any, Any]


@dataclasses.dataclass(frozen=True)
class _CuDNN:
    """One of the two CuDNN layers."""

    gates: int

    def stored(self, config: dict[str, Any]) -> tuple[Variable, ...]:
        """The three arrays of the old layer."""
        units = int(config["units"])
        shapes: dict[str, tuple[int | str, ...]] = {
            "kernel": ("in", self.gates * units),
            "recurrent_kernel": (units, self.gates * units),
            "bias": (2 * self.gates * units,),
        }
        return tuple(
            Variable(name, ("vars", str(number)), (name,), shape)
            for number, (name, shape) in enumerate(shapes.items())
        )

    def lstm(self, values: Values, _: dict[str, Any]) -> list[_Array]:
        """Both biases are added before the gates: one that is their sum does."""
        kernel, recurrent, bias = values
        both = bias.reshape(2, -1)
        return [*self._kernels(kernel, recurrent), both[0] + both[1]]

    def gru(self, values: Values, _: dict[str, Any]) -> list[_Array]:
        """The state's bias is inside the reset gate's product: it stays apart."""
        kernel, recurrent, bias = values
        return [*self._kernels(kernel, recurrent), bias.reshape(2, -1)]

    def _kernels(self, kernel: _Array, recurrent: _Array) -> list[_Array]:
        return [
            np.concatenate(
                [_from_rows(gate) for gate in np.split(kernel, self.gates, axis=1)],
                axis=1,
            ),
            np.concatenate(
                [gate.T for gate in np.split(recurrent, self.gates, axis=1)], axis=1
            ),
        ]


def _from_rows(gate: _Array) -> _Array:
    """The kernel whose transpose CuDNN reads, row by row, from the same numbers."""
    inputs, units = gate.shape
    return np.ascontiguousarray(gate).reshape(units, inputs).T


_LSTM = _CuDNN(_LSTM_GATES)
_GRU = _CuDNN(_GRU_GATES)

CONVERSIONS["cudnn_lstm"] = Conversion(
    "CuDNNLSTM: kernels transposed gate by gate, two biases made one",
    _LSTM.stored,
    _LSTM.lstm,
)
CONVERSIONS["cudnn_gru"] = Conversion(
    "CuDNNGRU: kernels transposed gate by gate, the two biases as rows",
    _GRU.stored,
    _GRU.gru,
)
