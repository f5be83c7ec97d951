"""Run an OpenVINO file in its runtime, in float32."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from keras_rectifiers.exporting.signature import Signature
from keras_rectifiers.exporting.signature import output_order


class Runner:
    """An open file.

    Args:
        path: The `.xml`.
        signature: The model's inputs.
    """

    #: The distribution whose version matters.
    package = "openvino"

    def __init__(self, path: Path, signature: Signature) -> None:
        import openvino

        self._open = openvino.compile_model(
            path,
            "CPU",
            # Some processors would compute in bfloat16 without being asked.
            {"INFERENCE_NUM_THREADS": 1, "INFERENCE_PRECISION_HINT": "f32"},
        )
        ports = self._open.inputs
        self._order = signature.order(
            [(_name(each), list(each.partial_shape)) for each in ports]
        )
        names = [_name(each) for each in self._open.outputs]
        self._places = output_order(names)

    def run(self, arrays: list[Any]) -> list[Any]:
        """The outputs for flat inputs of one batch.

        Args:
            arrays: In the order of the signature.
        """
        made = self._open([arrays[place] for place in self._order])
        flat = [np.array(made[index]) for index in range(len(self._open.outputs))]
        return [flat[index] for index in np.argsort(self._places)]


def _name(port: Any) -> str:
    names = sorted(port.names)
    return str(names[0]) if names else ""
