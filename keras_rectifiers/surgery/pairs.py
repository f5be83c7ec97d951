"""Match the variables of two live models: by name inside a container, then index.

`variable.path` is neither unique nor stable, and a global order shifts with each
new weight, so neither can serve.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from collections.abc import Iterator
from typing import Any

import keras

from keras_rectifiers.errors import UnsupportedModelError
from keras_rectifiers.surgery.rewrite import Holder
from keras_rectifiers.surgery.sites import SLOT


@dataclasses.dataclass(frozen=True)
class Pairs:
    """Variables of two models that belong together."""

    #: (old, new) variables: weights, then the states of seed generators.
    moved: tuple[tuple[Any, Any], ...]
    #: New variables that have no old one.
    added: tuple[Any, ...]
    #: (path, old layer, new layer)
    layers: tuple[tuple[str, Any, Any], ...]


def pair(
    old: keras.Model, new: keras.Model, *, replaced: Iterable[Holder] = ()
) -> Pairs:
    """Pair the variables of a model with those of its rewritten twin.

    Args:
        old: The original.
        new: The model made from the rewritten document.
        replaced: Layers (and slots) of `new` that are replacements: their
            variables, and those of what they replaced, have no counterpart.

    Raises:
        UnsupportedModelError: A layer's variables differ in number or shape.
    """
    walker = _Walker(frozenset(replaced))
    walker.layer((), old, new)
    return Pairs(tuple(walker.moved), tuple(walker.added), tuple(walker.layers))


class _Walker:
    def __init__(self, replaced: frozenset[Holder]) -> None:
        self.replaced = replaced
        self.moved: list[tuple[Any, Any]] = []
        self.added: list[Any] = []
        self.layers: list[tuple[str, Any, Any]] = []
        self._seen: set[int] = set()
        self._aside: set[int] = set()

    def layer(self, names: tuple[str, ...], old: Any, new: Any) -> None:
        if id(old) in self._seen:
            return
        self._seen.add(id(old))
        path = "/".join(names)
        self.layers.append((path, old, new))
        if (path, "") in self.replaced:
            self.added += new.variables
            return
        if (path, SLOT) in self.replaced:
            slot = getattr(new, SLOT)
            self.added += slot.variables
            self._aside |= {id(slot), id(getattr(old, SLOT, None))}
        self._match(path, _own(old), _own(new))
        self._children(names, old, new)

    def _match(self, path: str, olds: list[Any], news: list[Any]) -> None:
        shapes = [tuple(variable.shape) for variable in olds]
        if shapes != [tuple(variable.shape) for variable in news]:
            raise UnsupportedModelError(
                "A layer rebuilt from its config must have the variables of the "
                f"original. Received: shapes {shapes} in the original and "
                f"{[tuple(variable.shape) for variable in news]} in the rebuilt "
                f"layer, at {path or 'the model itself'!r}. Build the model before "
                "you convert it, or leave this layer's model out."
            )
        self.moved += zip(olds, news, strict=True)

    def _children(self, names: tuple[str, ...], old: Any, new: Any) -> None:
        olds, news = list(self._sublayers(old)), list(self._sublayers(new))
        if isinstance(old, keras.Model):
            by_name = {layer.name: layer for layer in news}
            for layer in olds:
                twin = by_name.pop(layer.name, None)
                if twin is None:
                    raise UnsupportedModelError(_lost(names, layer))
                self.layer((*names, layer.name), layer, twin)
            for layer in by_name.values():  # was an operation, or was split off
                if ("/".join((*names, layer.name)), "") not in self.replaced:
                    raise UnsupportedModelError(_lost(names, layer))
                self.added += layer.variables
            return
        if len(olds) != len(news):
            raise UnsupportedModelError(_lost(names, old))
        for layer, twin in zip(olds, news, strict=True):
            self.layer((*names, layer.name), layer, twin)

    def _sublayers(self, layer: Any) -> Iterator[Any]:
        children = layer.layers if isinstance(layer, keras.Model) else layer._layers
        for child in children:
            if id(child) not in self._aside:
                yield child


def _own(layer: Any) -> list[Any]:
    """A layer's own variables and the states of its own seed generators."""
    own = [*layer._trainable_variables, *layer._non_trainable_variables]
    return own + [generator.state for generator in layer._seed_generators]


def _lost(names: tuple[str, ...], layer: Any) -> str:
    return (
        f"Every layer must come back from its config. Received: {layer.name!r} "
        f"({type(layer).__name__}) at {'/'.join(names) or 'the top of the model'!r}, "
        "which did not. Give its class a get_config that describes it whole."
    )
