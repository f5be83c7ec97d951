"""The variables that each layer of a modern document has, and in which order.

`variables.VARIABLES` says it for every class of Keras; what is no class of Keras
has the variables that the file has for it.
"""

from __future__ import annotations

import dataclasses

from keras_rectifiers.surgery.document import Place


@dataclasses.dataclass(frozen=True)
class Variable:
    """One variable of a layer.

    Attributes:
        name: Its name in Keras below its layer: `"kernel"`, `"query/kernel"`.
        group: Its place in a Keras 3 weights file, below the layer's own group:
            `("vars", "0")`, `("cell", "vars", "1")`, `("query_dense", "vars", "0")`.
        attribute: Attributes of a Keras 2 layer that lead to it, as a SavedModel
            names them: `("kernel",)`, `("cell", "kernel")`.
        shape: Its shape as far as the layer's config tells; None for an axis
            that depends on the input; a string for axes that must be equal. None
            where not even the rank is known.
        trainable: Whether it is among the layer's trainable weights.
        twin: Where Keras 3 writes one variable twice: the group of the other one,
            below the layer's own group. No stored array belongs to it.
        in_config: Whether Keras 3 has it in the layer's config, and not among the
            weights.
    """

    name: str
    group: tuple[str, ...]
    attribute: tuple[str, ...]
    shape: tuple[int | str | None, ...] | None
    trainable: bool = True
    twin: tuple[str, ...] = ()
    in_config: bool = False


@dataclasses.dataclass(frozen=True)
class Spot:
    """One of the places where a shared layer stands.

    Attributes:
        place: The place in the modern document.
        was: Its path in the old one.
    """

    place: Place
    was: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class Owner:
    """A layer that has weights, in the modern document and in the old file.

    Attributes:
        place: The layer in the modern document.
        variables: What it wants, in Keras 3's order.
        stored: What the old file has for it, in the old order: the same, unless a
            conversion stands between.
        was: Its path in the old document.
        class_name: Its class in the old document.
        conversion: Name of the conversion from `stored` to `variables`, or `""`.
        custom: Whether it is of a class that is not Keras' own: whatever the file
            has for it is its own, in the order of the file.
        also: Where else the same layer stands, as far as it is shared.
    """

    place: Place
    variables: tuple[Variable, ...]
    stored: tuple[Variable, ...]
    was: tuple[str, ...]
    class_name: str
    conversion: str = ""
    custom: bool = False
    also: tuple[Spot, ...] = ()
