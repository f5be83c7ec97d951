"""Run a LiteRT file in the interpreter of LiteRT, or of TensorFlow Lite."""

from __future__ import annotations

import importlib.util
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
    package: str

    def __init__(self, path: Path, signature: Signature) -> None:
        self.package, interpreter = _interpreter()
        self._open = interpreter(model_path=str(path), num_threads=1)
        self._open.allocate_tensors()
        self._inputs = self._open.get_input_details()
        self._order = signature.order(
            [(each["name"], each["shape"]) for each in self._inputs]
        )
        self._outputs = self._open.get_output_details()
        self._places = _places(self._open, self._outputs)

    def run(self, arrays: list[Any]) -> list[Any]:
        """The outputs for flat inputs of one batch.

        Args:
            arrays: In the order of the signature.
        """
        resized = False
        for detail, place in zip(self._inputs, self._order, strict=True):
            shape = list(arrays[place].shape)
            if list(detail["shape"]) != shape:
                self._open.resize_tensor_input(detail["index"], shape)
                detail["shape"] = shape
                resized = True
        if resized:
            self._open.allocate_tensors()
        for detail, place in zip(self._inputs, self._order, strict=True):
            self._open.set_tensor(detail["index"], arrays[place])
        self._open.invoke()
        made = [self._open.get_tensor(each["index"]) for each in self._outputs]
        return [made[index] for index in np.argsort(self._places)]


def _interpreter() -> tuple[str, Any]:
    if importlib.util.find_spec("ai_edge_litert") is not None:
        from ai_edge_litert import interpreter

        return "ai-edge-litert", interpreter.Interpreter
    import tensorflow as tf

    return "tensorflow", tf.lite.Interpreter


def _places(opened: Any, outputs: list[Any]) -> list[int]:
    """The place of each output among the model's, by the names of the signature."""
    if len(outputs) == 1:
        return [0]
    signatures = opened.get_signature_list()
    (key,) = signatures
    runner = opened.get_signature_runner(key)
    by_index = {
        each["index"]: name for name, each in runner.get_output_details().items()
    }
    return output_order([by_index[each["index"]] for each in outputs])
