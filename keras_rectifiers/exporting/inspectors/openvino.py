"""The operations of an OpenVINO file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from keras_rectifiers.exporting.inspectors.found import Inspection
from keras_rectifiers.exporting.inspectors.found import Rectifying
from keras_rectifiers.exporting.inspectors.found import slopes

#: Operations after a rectifier that are its upper bound.
_CAPS = ("Minimum", "Clamp")
#: Operations that hand a constant on.
_AROUND = ("Convert", "Reshape", "Unsqueeze", "Transpose")


def inspect(path: Path) -> Inspection:
    """What a file consists of.

    Args:
        path: The `.xml`.
    """
    import openvino

    operations = openvino.Core().read_model(path).get_ordered_ops()
    counts = Counter(each.get_type_name() for each in operations)
    return Inspection(dict(counts), tuple(_rectifying(operations)))


def _rectifying(operations: Any) -> Iterator[Rectifying]:
    """The rectifiers with slopes, in running order."""
    for operation in operations:
        if operation.get_type_name() != "PRelu":
            continue
        source = operation.input_value(1).get_node()
        rounding = 1e-7
        while source.get_type_name() in _AROUND:
            source, rounding = source.input_value(0).get_node(), 1e-3
        if source.get_type_name() == "Constant":
            names = ("PRelu", *_caps(operation))
            value = slopes(source.get_data())
            yield Rectifying(names, value, native=True, rounding=rounding)


def _caps(operation: Any) -> tuple[str, ...]:
    readers = list(operation.output(0).get_target_inputs())
    names = [each.get_node().get_type_name() for each in readers]
    return tuple(names) if len(names) == 1 and names[0] in _CAPS else ()
