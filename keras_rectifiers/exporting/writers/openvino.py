"""An OpenVINO file (`.xml` with its `.bin`), from a SavedModel, ONNX or torch."""

from __future__ import annotations

from typing import Any

import keras

from keras_rectifiers.exporting import formats
from keras_rectifiers.exporting.task import Task
from keras_rectifiers.exporting.writers import onnx
from keras_rectifiers.exporting.writers import saved_model
from keras_rectifiers.exporting.writers import torch_program


def write(task: Task) -> None:
    """Write both files.

    Args:
        task: The task.
    """
    import openvino

    compressed = task.request.precision == formats.FLOAT16
    openvino.save_model(_converted(task), task.target, compress_to_fp16=compressed)


def _converted(task: Task) -> Any:
    import openvino

    if keras.backend.backend() == formats.TORCH:
        return openvino.convert_model(torch_program.traced(task))
    if task.through_onnx:
        path = task.workspace / "exported.onnx"
        onnx.write_exported(task, path)
        return openvino.convert_model(path)
    folder = task.workspace / "saved_model"
    saved_model.write_to(task, folder)
    return openvino.convert_model(folder)
