"""An ONNX file by Keras' exporter, with one `PRelu` for each rectifier with slopes."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

from keras_rectifiers.errors import ExportError
from keras_rectifiers.errors import UnsupportedModelError
from keras_rectifiers.exporting import formats
from keras_rectifiers.exporting.task import Task
from keras_rectifiers.exporting.writers import onnx_rewrite
from keras_rectifiers.layers import tracing

#: Samples by which the ranges of int8 are calibrated.
_CALIBRATED = 200


def write(task: Task) -> None:
    """Write the file.

    Args:
        task: The task.

    Raises:
        ExportError: The exporter writes what is not valid ONNX.
    """
    import onnx

    path = task.workspace / "exported.onnx"
    write_exported(task, path)
    exported = onnx.load(path)
    _check_known(exported)
    _check(path)
    model = onnx_rewrite.rewritten(exported)
    plain = task.workspace / "rewritten.onnx"
    precision = task.request.precision
    made = task.target if precision == formats.FLOAT32 else plain
    onnx.save(model, made)
    if precision == formats.INT8:
        _quantize(task, plain)
    elif precision == formats.DYNAMIC:
        from onnxruntime import quantization

        quantization.quantize_dynamic(plain, task.target)
    _check(task.target)


def write_exported(task: Task, path: Path) -> None:
    """Write what Keras' exporter gives.

    Args:
        task: The task.
        path: The file to write.
    """
    with tracing.exporting(task.form), warnings.catch_warnings():
        # tf2onnx asks NumPy for names that it no longer has.
        warnings.simplefilter("ignore", FutureWarning)
        warnings.simplefilter("ignore", DeprecationWarning)
        task.model.export(
            str(path),
            format="onnx",
            input_signature=task.signature.structure,
            opset_version=task.request.opset,
            verbose=False,
        )


def _check_known(model: Any) -> None:
    """Name operations that ONNX does not have: tf2onnx writes them all the same."""
    import onnx

    domains = ("", "ai.onnx")
    unknown = {
        node.op_type: node.name.rpartition("/")[0] or node.name
        for node in model.graph.node
        if node.domain in domains and not onnx.defs.has(node.op_type)
    }
    if unknown:
        said = ", ".join(f"{name} (in {place})" for name, place in unknown.items())
        raise UnsupportedModelError(
            f"Every operation must have a counterpart in ONNX. Received: {said}, which "
            "has none. Replace the layer, or export to another format."
        )


def _check(path: Path) -> None:
    """Refuse a file that is not valid: tf2onnx writes one without a word."""
    import onnx

    try:
        onnx.checker.check_model(path, full_check=True)
    except Exception as error:
        lines = [line for line in str(error).splitlines() if line.strip()]
        said = lines[0][:300] if lines else type(error).__name__
        raise ExportError(
            f"The ONNX exporter must write a valid file. Received: {said} Nothing was "
            "written."
        ) from error


def _quantize(task: Task, path: Path) -> None:
    from onnxruntime import quantization

    names = [port.name for port in task.signature.inputs]

    class Reader(quantization.CalibrationDataReader):
        """Gives one batch after the other."""

        def __init__(self) -> None:
            self._batches = iter(task.batches(_CALIBRATED))

        def get_next(self) -> dict[str, Any] | None:
            """The next batch by the names of the inputs, or None."""
            arrays = next(self._batches, None)
            return None if arrays is None else dict(zip(names, arrays, strict=True))

    quantization.quantize_static(
        path, task.target, Reader(), quant_format=quantization.QuantFormat.QDQ
    )
