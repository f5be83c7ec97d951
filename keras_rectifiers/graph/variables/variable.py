"""One variable of a layer, as plain data."""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True)
class Variable:
    """One variable of a layer.

    Attributes:
        name: Its name in Keras below its layer: `"kernel"`, `"query/kernel"`.
        group: Its place in a Keras 3 weights file, below the layer's own group:
            `("vars", "0")`, `("cell", "vars", "1")`, `("query_dense", "vars", "0")`.
        attribute: Attributes of a Keras 2 layer that lead to it, as a SavedModel
            names them: `("kernel",)`, `("cell", "kernel")`.
        shape: Its shape as far as it follows from the layer's config; None for an axis
            that depends on the input; a string for axes that must be equal. None where
            not even the rank is known.
        trainable: Whether it is among the layer's trainable weights.
        twin: Where Keras 3 writes one variable twice: the group of the other one,
            below the layer's own group. No stored array belongs to it.
        in_config: Whether Keras 3 has it in the layer's config, and not among the
            weights.
        overwritten: Whether training puts the gradient in its place, so that an
            optimizer keeps nothing of it.
    """

    name: str
    group: tuple[str, ...]
    attribute: tuple[str, ...]
    shape: tuple[int | str | None, ...] | None
    trainable: bool = True
    twin: tuple[str, ...] = ()
    in_config: bool = False
    overwritten: bool = False
