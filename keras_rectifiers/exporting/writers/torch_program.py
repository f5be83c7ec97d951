"""A program of `torch.export` (`.pt2`) by Keras' exporter."""

from __future__ import annotations

from typing import Any

import keras

from keras_rectifiers.exporting.task import Task
from keras_rectifiers.layers import tracing


def write(task: Task) -> None:
    """Write the file.

    Args:
        task: The task.
    """
    import torch

    torch.export.save(traced(task), task.target)


def traced(task: Task) -> Any:
    """The model as a program of `torch.export`.

    Args:
        task: The task.

    Returns:
        A `torch.export.ExportedProgram`, for any batch where none is fixed.
    """
    import torch

    model = task.model
    model.eval()
    size = task.signature.batch or 2  # 1 would be taken for a constant
    samples = [
        keras.ops.convert_to_tensor(array[:1].repeat(size, 0)) for array in task.samples
    ]
    given = task.signature.packed(samples)
    # What is open stays open, or it is an error.
    axes = [
        {
            axis: torch.export.Dim.DYNAMIC
            for axis, n in enumerate(port.shape)
            if n is None
        }
        for port in task.signature.inputs
    ]
    dynamic = ((task.signature.packed(axes),),) if any(axes) else None
    with tracing.exporting(task.form), torch.no_grad():
        return torch.export.export(
            model, (given,), dynamic_shapes=dynamic, strict=False
        )
