"""The layers of a live model: what is inside what, by path, each object once.

Keras tracks layers in attributes, lists and dicts; this is the one place that asks
it for them. A layer that is shared is listed where it is first met, and one that
holds a model around it leads back to nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Sequence
from typing import Any
from typing import NamedTuple

import keras

#: Attribute of a class of converted objects: the class they had before.
ORIGINAL = "_keras_rectifiers_original"


class Member(NamedTuple):
    """One layer or operation inside a model."""

    #: Names from inside the top model, joined by `/`.
    path: str
    #: The layer or operation.
    member: Any
    #: The layer or model that it is directly inside.
    parent: Any
    #: Numbers among the members of each layer or model around it, from the top one
    #: on. Names of layers that Python code makes are counted on for each new model;
    #: these are not.
    position: tuple[int, ...]


def walk(model: Any, *, closed: type | tuple[type, ...] = ()) -> Iterator[Member]:
    """Every layer and operation inside a model, each before what is inside it.

    Args:
        model: A Keras model or layer; it is not listed itself.
        closed: Classes of layers that are neither listed nor entered. Default none.

    Yields:
        Each object once, with the path at which it is first met.
    """
    return _walk(model, (), (), closed, {id(model)})


def _walk(
    parent: Any,
    names: tuple[str, ...],
    numbers: tuple[int, ...],
    closed: Any,
    seen: set[int],
) -> Iterator[Member]:
    for number, member in enumerate(members(parent)):
        if id(member) in seen or isinstance(member, closed):
            continue
        seen.add(id(member))
        inside = (*names, member.name)
        position = (*numbers, number)
        yield Member("/".join(inside), member, parent, position)
        yield from _walk(member, inside, position, closed, seen)


def members(parent: Any) -> list[Any]:
    """The layers and operations directly inside a layer or model.

    Those of a Functional model are in the order in which they run; the input of a
    Sequential model is left out.

    Args:
        parent: A layer or model; an operation has nothing inside.
    """
    if is_functional(parent):
        return list(parent.operations)
    if isinstance(parent, keras.Sequential):
        return list(parent.layers)
    return list(getattr(parent, "_layers", ()))


def aside(parent: Any) -> list[Any]:
    """The layers that a Functional model holds in attributes, outside its graph.

    Args:
        parent: A layer or model; other than Functional ones have none.
    """
    if not is_functional(parent):
        return []
    known = {id(each) for each in parent.operations}
    return [each for each in getattr(parent, "_layers", ()) if id(each) not in known]


def listed(model: Any) -> list[tuple[str, Any]]:
    """Path and layer of a model itself, whose path is empty, and of all inside it.

    Args:
        model: A Keras model.
    """
    inside = ((path, each) for path, each, *_ in walk(model) if is_layer(each))
    return [("", model), *inside]


def by_path(model: Any) -> dict[str, Any]:
    """Every layer of a model, by the path that it has in the model's document.

    Args:
        model: A Keras model; its own path is empty.
    """
    return dict(listed(model))


def flat(model: Any) -> list[Any]:
    """A layer or model and every layer inside it, each once, in Keras' own order.

    Args:
        model: A Keras model or layer.
    """
    layers = model._flatten_layers()  # noqa: SLF001 - Keras has no public way
    return list({id(layer): layer for layer in layers}.values())


def own_variables(layer: Any) -> list[Any]:
    """The variables that a layer has itself, those of layers inside it left out.

    Args:
        layer: A layer or model.
    """
    return [*layer._trainable_variables, *layer._non_trainable_variables]  # noqa: SLF001 - Keras has no public way


def is_layer(member: Any) -> bool:
    """Whether a member of a model is a layer, not an operation."""
    return isinstance(member, keras.layers.Layer)


def without_cap(layer: Any) -> Any:
    """The rectifier in a layer that puts a bound over it, as `graph.capped` has it.

    Args:
        layer: A rectifier; None where there is no layer.

    Returns:
        The layer that has the slopes: the given one, where it has them itself.
    """
    held = layer.activation if isinstance(layer, keras.layers.Activation) else layer
    return held.layers[1] if is_functional(held) else layer


def is_functional(model: Any) -> bool:
    """Whether a model has its own graph; a Sequential is a chain."""
    return (
        isinstance(model, keras.Model)
        and hasattr(model, "operations")
        and not isinstance(model, keras.Sequential)
    )


def at_position(model: Any, position: Sequence[int]) -> Any:
    """The layer or operation at a position; None where there is none.

    Args:
        model: A Keras model or layer.
        position: As `Member` has it.
    """
    found = model
    for number in position:
        inside = members(found)
        if number >= len(inside):
            return None
        found = inside[number]
    return found


def class_of(layer: Any) -> type:
    """The class of a layer or model; of a converted one that of before."""
    cls = type(layer)
    original: type = vars(cls).get(ORIGINAL, cls)
    return original


def is_keras(layer: Any) -> bool:
    """Whether the class of a layer is one of Keras, or of this package."""
    root = class_of(layer).__module__.split(".", maxsplit=1)[0]
    return root in ("keras", "keras_rectifiers")


def is_all_keras(model: Any) -> bool:
    """Whether a model and every layer inside it are of classes of Keras, or of ours.

    Args:
        model: A Keras model or layer.
    """
    return all(map(is_keras, flat(model)))
