"""A LiteRT file (`.tflite`) by TensorFlow's converter."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from keras_rectifiers.errors import ExportError
from keras_rectifiers.errors import UnsupportedModelError
from keras_rectifiers.exporting import formats
from keras_rectifiers.exporting.task import Task
from keras_rectifiers.exporting.writers import saved_model

#: Samples by which the ranges of int8 are calibrated.
_CALIBRATED = 200
_OPERATION = re.compile(r"'(tf\.[\w.]+)' op is neither a custom op nor a flex op")
#: Functions around the model's own.
_WRAPPER = re.compile(r"PartitionedCall|signature_wrapper|^serv")
_PLACE = re.compile(r'"([\w./-]+)@')


def write(task: Task) -> None:
    """Write the file.

    Args:
        task: The task.

    Raises:
        UnsupportedModelError: LiteRT has no operation for something in the model.
        ExportError: The converter fails.
    """
    import tensorflow as tf

    folder = task.workspace / "saved_model"
    saved_model.write_to(task, folder)
    converter = tf.lite.TFLiteConverter.from_saved_model(str(folder))
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
    if task.request.precision != formats.FLOAT32:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if task.request.precision == formats.FLOAT16:
        converter.target_spec.supported_types = [tf.float16]
    if task.request.precision == formats.INT8:
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.representative_dataset = lambda: _calibration(task)
    try:
        content = converter.convert()
    except Exception as error:
        raise _explained(error) from error
    task.target.write_bytes(content)


def _calibration(task: Task) -> Iterator[dict[str, Any]]:
    names = [port.name for port in task.signature.inputs]
    for arrays in task.batches(_CALIBRATED):
        yield dict(zip(names, arrays, strict=True))


def _explained(error: Exception) -> Exception:
    text = str(error)
    operations = sorted(set(_OPERATION.findall(text)))
    if not operations:
        lines = [line for line in text.splitlines() if line.strip()]
        said = lines[0] if lines else type(error).__name__
        return ExportError(
            f"TensorFlow's LiteRT converter failed: {said[:400]} Nothing was written."
        )
    found = {each for each in _PLACE.findall(text) if not _WRAPPER.search(each)}
    places = sorted({each.rpartition("/")[0] or each for each in found})
    where = f" (in {', '.join(places[:3])})" if places else ""
    return UnsupportedModelError(
        "Every operation must have a counterpart in LiteRT. Received: "
        f"{', '.join(operations)}{where}, which has none. Replace the layer, or "
        "export to another format, such as onnx or savedmodel."
    )
