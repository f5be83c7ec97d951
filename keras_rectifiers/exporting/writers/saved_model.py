"""A SavedModel by Keras' own exporter; other formats are made from it."""

from __future__ import annotations

from pathlib import Path

from keras_rectifiers.exporting.task import Task
from keras_rectifiers.layers import tracing


def write(task: Task) -> None:
    """Write the folder of a SavedModel.

    Args:
        task: The task.
    """
    write_to(task, task.target)


def write_to(task: Task, folder: Path) -> None:
    """Write the folder of a SavedModel in some place.

    Args:
        task: The task.
        folder: The folder; it does not exist.
    """
    with tracing.exporting(task.form):
        task.model.export(
            str(folder),
            format="tf_saved_model",
            input_signature=task.signature.structure,
            verbose=False,
        )
