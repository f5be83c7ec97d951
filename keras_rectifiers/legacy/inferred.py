"""Shapes in models of old formats, which state but those of the inputs."""

from __future__ import annotations

from collections.abc import Sequence

from keras_rectifiers.graph.calls import Call
from keras_rectifiers.graph.calls import Stated
from keras_rectifiers.graph.document import Entry
from keras_rectifiers.graph.inference.shapes import Shapes
from keras_rectifiers.graph.inference.sizes import TensorSpec
from keras_rectifiers.graph.survey import Survey


class InferredShapes(Shapes):
    """Shapes that follow from what the model takes; others only where none does."""

    def chosen(self, call: Call, stated: Sequence[Stated]) -> Sequence[TensorSpec]:
        """What is inferred of the outputs of a call, and what is stated of others."""
        found = self.inferred(call)
        found += [TensorSpec()] * (len(stated) - len(found))
        for index, each in enumerate(stated):
            if found[index].shape is None:
                found[index] = TensorSpec(each.shape, found[index].dtype)
        return found


def model_outputs(model: Entry, given: Sequence[TensorSpec]) -> list[TensorSpec]:
    """Shape and dtype of each output of a modern model; nothing where it is none.

    Args:
        model: Its entry; not changed.
        given: What it takes, where it is a Sequential that does not state it.
    """
    try:
        calls = Survey(model).calls
        shapes = InferredShapes(calls, given)
        return [shapes.at(tensor, 0) for tensor in calls.ends]
    except (ArithmeticError, LookupError, TypeError, ValueError):
        return []  # a config of some other kind
