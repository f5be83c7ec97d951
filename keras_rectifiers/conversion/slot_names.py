"""What people call the variables of an optimizer, which files only number."""

from __future__ import annotations

from keras_rectifiers.graph.document import Entry
from keras_rectifiers.surgery.optimizer_layout import DEFAULT
from keras_rectifiers.surgery.optimizer_layout import SCALER_COUNTERS
from keras_rectifiers.surgery.optimizer_layout import layout_of
from keras_rectifiers.surgery.optimizer_layout import scaler_counters
from keras_rectifiers.surgery.slot_match import Unfit
from keras_rectifiers.surgery.slot_match import matched
from keras_rectifiers.surgery.trained import Arrays
from keras_rectifiers.surgery.trained import trained

_VARIABLES = "optimizer/vars"
_INNER = "optimizer/inner_optimizer/vars"


def slot_names(document: Entry, arrays: Arrays) -> dict[str, str]:
    """Names such as `momentum of conv1/kernel` by those in a weights file.

    Args:
        document: The config of a whole model, with what it was compiled with.
        arrays: Every array that belongs to it.

    Returns:
        The names; those that are not known are missing.
    """
    layout = layout_of((document.get("compile_config") or {}).get("optimizer", DEFAULT))
    if layout is None:
        return {}
    scaled = any(name.startswith(f"{_INNER}/") for name in arrays)
    names: dict[str, str] = {}
    for group in (_VARIABLES, *([_INNER] if scaled else [])):
        counters = [each.name for each in layout.counters]
        if scaled and group == _VARIABLES:
            scaler = [each.name for each in scaler_counters({})]
            counters = [
                f"scaler {name}" for name in scaler[:SCALER_COUNTERS]
            ] + counters
        count = sum(name.startswith(f"{group}/") for name in arrays)
        listed = [f"{group}/{index}" for index in range(count)]
        inside = "" if group == _VARIABLES else "inner "
        names |= dict(zip(listed, (inside + each for each in counters), strict=False))
        try:
            shapes = [arrays[name].shape for name in listed]
            found = matched(layout, len(counters), shapes, trained(document, arrays))
        except (KeyError, Unfit):
            continue
        labels = [
            f"{inside}{slot.name} of {each.holder[0]}/{variable.path.partition('/')[2]}"
            for block in layout.blocks
            for each in found
            for variable in each.variables
            for slot in layout.slots_of(block, variable.path, variable.shape)
        ]
        names |= dict(zip(listed[len(counters) :], labels, strict=False))
    return names
