"""An OpenVINO file (`.xml` with its `.bin`), from a SavedModel, ONNX or torch."""

from __future__ import annotations

import re
from typing import Any

import keras

from keras_rectifiers.errors import UnsupportedModelError
from keras_rectifiers.exporting import formats
from keras_rectifiers.exporting.task import Task
from keras_rectifiers.exporting.writers import onnx
from keras_rectifiers.exporting.writers import saved_model
from keras_rectifiers.exporting.writers import torch_program

#: What OpenVINO says of operations that it does not know.
_UNKNOWN = re.compile(r"found for operations?(?:\(s\))?: ([^\n]+)")


def write(task: Task) -> None:
    """Write both files.

    Args:
        task: The task.
    """
    import openvino

    compressed = task.request.precision == formats.FLOAT16
    try:
        model = _converted(task)
    except openvino.frontend.OpConversionFailure as error:
        raise _explained(error, task) from error
    openvino.save_model(model, task.target, compress_to_fp16=compressed)


def _explained(error: Exception, task: Task) -> UnsupportedModelError:
    text = str(error)
    parts = [part for each in _UNKNOWN.findall(text) for part in each.split(",")]
    found = sorted({part.strip() for part in parts})
    folder = task.workspace / "saved_model"
    places = saved_model.places(folder, found) if folder.is_dir() else []
    where = f" (in {', '.join(places[:3])})" if places else ""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    said = f"{', '.join(found)}{where}" if found else lines[-1][:300]
    return UnsupportedModelError(
        f"Every operation must have a counterpart in OpenVINO. Received: {said}, which "
        "has none. Replace the layer, or export to another format."
    )


def _converted(task: Task) -> Any:
    import openvino

    if keras.backend.backend() == formats.TORCH:
        return openvino.convert_model(_without_negation(torch_program.traced(task)))
    if task.through_onnx:
        path = task.workspace / "exported.onnx"
        onnx.write_exported(task, path)
        return openvino.convert_model(path)
    folder = task.workspace / "saved_model"
    saved_model.write_to(task, folder)
    return openvino.convert_model(folder)


def _without_negation(program: Any) -> Any:
    """The same program of torch with a product with -1 for each negation.

    OpenVINO reads a negation as a product with a whole number that is converted, and
    does not see that a PReLU consists of such negations.
    """
    import torch

    for node in program.graph.nodes:
        value = node.meta.get("val")
        if node.target is torch.ops.aten.neg.default and value.is_floating_point():
            node.target = torch.ops.aten.mul.Tensor
            node.args = (node.args[0], -1.0)
    return program
