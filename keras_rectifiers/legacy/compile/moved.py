"""Keras 3 optimizers that a compile config omits or states differently."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any
from typing import Protocol
from typing import TypeVar

from keras_rectifiers.graph.document import Entry
from keras_rectifiers.graph.document import config_of
from keras_rectifiers.graph.document import walk
from keras_rectifiers.legacy.compile.optimizers import scaler
from keras_rectifiers.legacy.dialects.registry import serialized
from keras_rectifiers.surgery.optimizer_layout import SCALER
from keras_rectifiers.surgery.optimizer_layout import SCALER_COUNTERS
from keras_rectifiers.surgery.optimizer_layout import class_and_config
from keras_rectifiers.surgery.optimizer_layout import inner_of
from keras_rectifiers.surgery.optimizer_layout import layout_of
from keras_rectifiers.surgery.optimizer_layout import of_every_backend

#: Until then Nadam's product comes before the slots of the weights.
_PRODUCT_LAST = (3, 10)
_FLOAT16 = "mixed_float16"


class _Shaped(Protocol):
    @property
    def shape(self) -> tuple[int, ...]: ...


_Array = TypeVar("_Array", bound=_Shaped)


def may_be_scaled(compiled: Any, document: Entry) -> bool:
    """Whether Keras may have scaled the loss without stating it in its config.

    It does where a model of float16 is trained; its file has the state of the
    optimizer that scales, and the config the one inside.

    Args:
        compiled: The compile config of a `.keras` file, if there is one.
        document: The model.
    """
    if not isinstance(compiled, Mapping) or not compiled.get("optimizer"):
        return False
    if class_and_config(compiled["optimizer"])[0] == SCALER:
        return False
    return any(_FLOAT16 in str(place.config.get("dtype")) for place in walk(document))


def scaling(compiled: Mapping[str, Any]) -> dict[str, Any]:
    """A compile config whose optimizer scales the loss as Keras does by itself."""
    inner = compiled.get("optimizer")
    class_name, settings = class_and_config(inner)
    if class_name == SCALER or layout_of(inner) is None:
        return dict(compiled)
    if isinstance(inner, str):
        inner = serialized(class_name, "keras.optimizers", dict(settings))
    return {**compiled, "optimizer": scaler(inner)}


def is_moved(compiled: Any, version: tuple[int, ...]) -> bool:
    """Whether a release of Keras 3 numbered an optimizer's variables differently.

    Args:
        compiled: The compile config of a `.keras` file, if there is one.
        version: Of the Keras that wrote it.
    """
    optimizer, _ = _inner(compiled)
    return version < _PRODUCT_LAST and optimizer.get("class_name") == "Nadam"


def is_of_torch(compiled: Any) -> bool:
    """Whether a compile config names an optimizer that only torch can use.

    Args:
        compiled: The compile config of a `.keras` file, if there is one.
    """
    optimizer = compiled.get("optimizer") if isinstance(compiled, Mapping) else None
    return of_every_backend(optimizer) is not optimizer


def in_order(compiled: Any, arrays: Sequence[_Array]) -> list[_Array]:
    """The variables of an optimizer for which `is_moved` holds, as Keras numbers them.

    Args:
        compiled: The compile config.
        arrays: The variables as they are numbered in the file.
    """
    optimizer, around = _inner(compiled)
    found = list(arrays)
    scheduled = isinstance(config_of(optimizer).get("learning_rate"), Mapping)
    first = around + 1 + (not scheduled)
    # Averages and gradients of several steps stand before it, in the weights' shapes.
    number = next((i for i in range(first, len(found)) if not found[i].shape), None)
    if number is not None:
        found.append(found.pop(number))
    return found


def _inner(compiled: Any) -> tuple[Mapping[str, Any], int]:
    """The optimizer itself, and the number of other variables before its own."""
    optimizer = compiled.get("optimizer") if isinstance(compiled, Mapping) else None
    if not isinstance(optimizer, Mapping):
        return {}, 0
    inner = inner_of(optimizer)
    return (optimizer, 0) if inner is None else (inner, SCALER_COUNTERS)
