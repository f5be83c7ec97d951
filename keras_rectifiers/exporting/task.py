"""What a writer is given: the model as it is to be exported, and how."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from keras_rectifiers.exporting.request import Request
from keras_rectifiers.exporting.signature import Signature
from keras_rectifiers.layers.tracing import Form

Arrays = list[npt.NDArray[Any]]


@dataclasses.dataclass(frozen=True)
class Task:
    """One file to write."""

    model: Any
    signature: Signature
    request: Request
    #: `"prelu"` or `"sum"`: see `layers.tracing`.
    form: Form
    #: Inputs to calibrate int8 by, in the order of the signature.
    samples: Arrays
    #: An empty folder for what is needed on the way.
    workspace: Path
    #: The file or folder to write.
    target: Path
    #: Whether the model is converted to OpenVINO through ONNX.
    through_onnx: bool = False

    def batches(self, most: int) -> list[Arrays]:
        """Inputs to calibrate by, in the batch of the file.

        Args:
            most: Most samples to use, evenly spaced.
        """
        size = self.signature.batch or 1
        count = len(self.samples[0])
        rows = np.linspace(0, count - 1, min(most, count)).astype(int)
        # A fixed batch is filled up with the first samples again.
        rows = np.resize(rows, -(-len(rows) // size) * size)
        return [
            [array[rows[start : start + size]] for array in self.samples]
            for start in range(0, len(rows), size)
        ]
