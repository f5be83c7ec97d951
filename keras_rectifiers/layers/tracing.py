"""Whether a layer is being traced for an export, and which form it takes then.

A kernel that defines its own gradient produces operations that runtimes do not know. An
export needs no gradient, so there the layers are traced in plain operations. Not every
framework reports that it exports; where it does not, the functions on the call stack
show it.
"""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Iterator
from typing import Any
from typing import Literal

import keras
import numpy as np

#: `"prelu"`: what runtimes fuse to one PReLU; `"sum"`: `x + relu((alpha - 1) * x)`.
Form = Literal["prelu", "sum"]

_BACKEND = keras.config.backend()

if _BACKEND == "tensorflow":
    import tensorflow as tf
elif _BACKEND == "torch":
    import torch
elif _BACKEND == "jax":
    import jax

#: Modules that call a layer only to export it.
_EXPORTERS = (
    "keras.src.export",
    "tensorflow.python.saved_model.save",
    "tensorflow.lite.",
    "tf2onnx",
    "openvino",
    "jax.experimental.jax2tf",
    "jax2onnx",
)

_forced: Form | None = None


@contextlib.contextmanager
def exporting(form: Form = "prelu") -> Iterator[None]:
    """Trace the layers called in this context in plain operations, for an export.

    `model.export`, `tf.saved_model.save`, `TFLiteConverter`, `tf2onnx`, `torch.export`
    and the tracers of torch and OpenVINO do not need this. A function that is traced
    first and passed to a converter later does. One export at a time: the choice holds
    for the whole process.

    Args:
        form: `"prelu"`, the default: `relu(x) + (-alpha) * relu(-x)`, which runtimes
            turn into one PReLU. `"sum"`: `x + relu((alpha - 1) * x)`, the same
            to rounding, for integer runtimes whose PReLU is slow; layers with a slope
            above 1 stay at `"prelu"`.

    Example:
        >>> import keras
        >>> import keras_rectifiers
        >>> from keras_rectifiers.layers import tracing
        >>> with tracing.exporting():
        ...     print(tracing.form(keras.ops.zeros((1, 2))))
        prelu
    """
    global _forced  # noqa: PLW0603
    before, _forced = _forced, form
    try:
        yield
    finally:
        _forced = before


def form(x: Any) -> Form | None:
    """The form in which an export wants a rectifier of `x`; None where none traces.

    Args:
        x: The tensor that the rectifier is called on.
    """
    if _forced is not None:
        return _forced
    return "prelu" if _traced_for_export(x) else None


def holds_for_sum(layer: Any) -> bool:
    """Whether the slopes are known while tracing, and none of them is above 1.

    Args:
        layer: A layer with an `alpha`.
    """
    if _BACKEND != "tensorflow":
        return False
    with tf.init_scope():
        return bool(np.all(keras.ops.convert_to_numpy(layer.alpha) <= 1))


def _traced_for_export(x: Any) -> bool:
    if _BACKEND == "torch":
        return torch.compiler.is_exporting() or torch.jit.is_tracing()
    # Only a trace looks at its callers: a call on real numbers costs nothing more.
    if _BACKEND == "tensorflow":
        return not tf.executing_eagerly() and _called_by_an_exporter()
    if _BACKEND == "jax":
        return isinstance(x, jax.core.Tracer) and _called_by_an_exporter()
    return False


def _called_by_an_exporter() -> bool:
    frame = inspect.currentframe()
    while frame is not None:
        if frame.f_globals.get("__name__", "").startswith(_EXPORTERS):
            return True
        frame = frame.f_back
    return False
