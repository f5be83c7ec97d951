"""A SavedModel by Keras' own exporter; other formats are made from it."""

from __future__ import annotations

from collections.abc import Collection
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


def places(folder: Path, operations: Collection[str]) -> list[str]:
    """Where a SavedModel has some operations: the paths of their layers.

    Args:
        folder: The folder.
        operations: Names of operations.
    """
    from tensorflow.core.protobuf import saved_model_pb2

    held = saved_model_pb2.SavedModel()
    held.ParseFromString((folder / "saved_model.pb").read_bytes())
    found = {
        node.name.rpartition("/")[0] or node.name
        for graph in held.meta_graphs
        for function in graph.graph_def.library.function
        for node in function.node_def
        if node.op in operations
    }
    return sorted(found)
