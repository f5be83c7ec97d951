"""Run an ONNX file in ONNX Runtime."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from keras_rectifiers.exporting.signature import Signature
from keras_rectifiers.exporting.signature import output_order


class Runner:
    """An open file.

    Args:
        path: The file.
        signature: The model's inputs.
    """

    #: The distribution whose version matters.
    package = "onnxruntime"

    def __init__(self, path: Path, signature: Signature) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3  # errors only
        self._session = onnxruntime.InferenceSession(
            str(path), options, providers=["CPUExecutionProvider"]
        )
        inputs = self._session.get_inputs()
        self._names = [each.name for each in inputs]
        self._order = signature.order([(each.name, each.shape) for each in inputs])
        outputs = [each.name for each in self._session.get_outputs()]
        self._places = output_order(outputs)

    def run(self, arrays: list[Any]) -> list[Any]:
        """The outputs for flat inputs of one batch.

        Args:
            arrays: In the order of the signature.
        """
        given = {
            name: arrays[place]
            for name, place in zip(self._names, self._order, strict=True)
        }
        made = self._session.run(None, given)
        return [made[index] for index in np.argsort(self._places)]
