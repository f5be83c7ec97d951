"""The operations of a SavedModel, with its variables as constants."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from keras_rectifiers.exporting.inspectors.found import Inspection
from keras_rectifiers.exporting.inspectors.found import Rectifying
from keras_rectifiers.exporting.inspectors.found import slopes

SIGNATURE = "serving_default"
#: `relu(x) + factor * relu(-x)` but for its last operation, in running order.
_EXPANDED = ("Relu", "Neg", "Relu", "Mul")
#: Operations after a rectifier that are its upper bound.
_CAPS = ("Minimum",)
#: The last operation, and the sign of the slopes in the factor.
_SIGNS = {"AddV2": -1, "Add": -1, "Sub": 1}


def inspect(path: Path) -> Inspection:
    """What a SavedModel consists of.

    Args:
        path: The folder.
    """
    import tensorflow as tf
    from tensorflow.python.framework import convert_to_constants

    loaded = tf.saved_model.load(str(path))
    frozen = convert_to_constants.convert_variables_to_constants_v2(
        loaded.signatures[SIGNATURE]
    )
    operations = frozen.graph.get_operations()
    counts = Counter(each.type for each in operations)
    return Inspection(dict(counts), tuple(_rectifying(frozen, operations)))


def _rectifying(frozen: Any, operations: Any) -> Iterator[Rectifying]:
    """The rectifiers with slopes, in running order."""
    for operation in operations:
        if operation.type == "LeakyRelu":
            slope = slopes(operation.get_attr("alpha"))
            names = ("LeakyRelu", *_caps(operation))
            yield Rectifying(names, slope, native=True, rounding=1e-7)
        elif operation.type in _SIGNS:
            factor = _factor(operation)
            if factor is not None:
                value = slopes(frozen.prune([], factor)().numpy())
                value = _SIGNS[operation.type] * value
                names = (*_EXPANDED, operation.type, *_caps(operation))
                yield Rectifying(names, value, native=True)


def _factor(last: Any) -> Any:
    """The tensor that multiplies the negative part; None for other operations."""
    first, second = (each.op for each in last.inputs)
    for plain, product in ((first, second), (second, first)):
        if plain.type != "Relu" or product.type != "Mul":
            continue
        for one, other in (product.inputs, reversed(list(product.inputs))):
            part = one.op
            if part.type != "Relu" or part.inputs[0].op.type != "Neg":
                continue
            if part.inputs[0].op.inputs[0] is plain.inputs[0]:
                return other
    return None


def _caps(operation: Any) -> tuple[str, ...]:
    readers = [each.type for each in operation.outputs[0].consumers()]
    return tuple(readers) if len(readers) == 1 and readers[0] in _CAPS else ()
