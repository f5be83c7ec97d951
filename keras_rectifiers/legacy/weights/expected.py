"""The variables that each layer of a modern document has, and in which order.

`surgery.variables.table.VARIABLES` says it for every class of Keras; any other class
has the variables that the file has for it.
"""

from __future__ import annotations

import dataclasses

from keras_rectifiers.graph.document import Place
from keras_rectifiers.graph.variables.variable import Variable


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
        twins: Old paths of the one layer that it is a copy of.
    """

    place: Place
    variables: tuple[Variable, ...]
    stored: tuple[Variable, ...]
    was: tuple[str, ...]
    class_name: str
    conversion: str = ""
    custom: bool = False
    also: tuple[Spot, ...] = ()
    twins: tuple[tuple[str, ...], ...] = ()
