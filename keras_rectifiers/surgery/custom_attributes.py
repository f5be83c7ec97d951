"""What a user's class keeps in attributes, beyond layers and weights.

A custom `compile` puts optimizers, losses, metrics and numbers there; code sets others
while a model trains. The constructor of the copy sets none of them.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np

from keras_rectifiers.live.exchange import leaves
from keras_rectifiers.live.exchange import own_attributes
from keras_rectifiers.live.exchange import put
from keras_rectifiers.live.layers import class_of
from keras_rectifiers.live.layers import is_keras
from keras_rectifiers.live.optimizers import inner_of
from keras_rectifiers.surgery import optimizer_state
from keras_rectifiers.surgery.borrowed import Borrowed
from keras_rectifiers.surgery.pairs import Pairs

_ABSENT = object()
#: What is compared by its value, and taken over where it differs.
_PLAIN = (bool, int, float, str, bytes, type(None), np.ndarray, np.generic)
#: What a copy has, or must get, as its own object.
_STATE = (
    keras.layers.Layer,
    keras.Variable,
    keras.random.SeedGenerator,
    keras.KerasTensor,
)


class CustomAttributes:
    """Gives a copy the custom attributes of the original.

    Args:
        old: The original.
        new: The copy, with its replacements, compiled where the original is; or the
            original itself, where it was changed.
        pairs: Their variables and layers.
    """

    def __init__(self, old: keras.Model, new: keras.Model, pairs: Pairs) -> None:
        self._old, self._new, self._pairs = old, new, pairs
        #: Original -> copy, by the id of the original: one object stays one.
        self._made: dict[int, Any] = {}
        if new is not old and getattr(old, "optimizer", None) is not None:
            self._made[id(old.optimizer)] = new.optimizer

    def give(self) -> None:
        """Set the attributes of each layer of the copy."""
        for _, layer, twin in self._pairs.layers:
            if class_of(layer) is not class_of(twin):
                continue  # it was replaced
            own = not is_keras(layer)
            there = own_attributes(twin)
            for name, value in own_attributes(layer).items():
                if not own and (name.startswith("_") or not _is_plain(value)):
                    continue  # what Keras keeps for itself
                before = there.get(name, _ABSENT)
                after = self._after(value, before)
                if after is not before:
                    put(twin, name, after)

    def _after(self, value: Any, before: Any) -> Any:
        """What the copy has in the place of a value of the original."""
        if isinstance(value, keras.optimizers.Optimizer):
            return self.optimizer(value)
        if isinstance(value, keras.metrics.Metric):
            if isinstance(before, keras.metrics.Metric):
                return before
            return self._once(value, Borrowed.copied)
        if _is_plain(value):
            known = _is_plain(before) and _same(value, before)
            return before if known else _copied(value)
        if before is not _ABSENT and not _holds_optimizer(value):
            # Its constructor made it; a compile may have put another there.
            return (
                Borrowed.copied(value) if _is_set_otherwise(value, before) else before
            )
        if isinstance(value, dict):
            return {key: self._leaf(each) for key, each in value.items()}
        if isinstance(value, list | tuple) and not hasattr(value, "_fields"):
            return type(value)(self._leaf(each) for each in value)
        return before if _is_state(value) else value

    def _leaf(self, value: Any) -> Any:
        after = self._after(value, _ABSENT)
        return value if after is _ABSENT else after

    def _once(self, value: Any, make: Any) -> Any:
        if id(value) not in self._made:
            self._made[id(value)] = make(value)
        return self._made[id(value)]

    def optimizer(self, optimizer: Any) -> Any:
        """One that trains the copy as another trains the original, with its state.

        Args:
            optimizer: One of the original's.
        """
        return self._once(optimizer, self._new_optimizer)

    def _new_optimizer(self, optimizer: Any) -> Any:
        made = optimizer_state.anew(optimizer, self._pairs.moved)
        if optimizer.built:
            made.build(self._trained_by(optimizer))
            optimizer_state.carry(optimizer, made, self._pairs.moved)
        return made

    def _trained_by(self, optimizer: Any) -> list[Any]:
        """The variables of the copy that an optimizer trains.

        Those of the original that it trains; and new slopes, where it trains all that
        learns in the layer around them.
        """
        trained = {id(each) for each in inner_of(optimizer)._trainable_variables}
        twins = {id(twin) for one, twin in self._pairs.weights if id(one) in trained}
        for variables, learning in self._around():
            if learning and all(id(each) in trained for each in learning):
                twins |= variables
        return [each for each in self._new.trainable_variables if id(each) in twins]

    def _around(self) -> Iterator[tuple[set[int], list[Any]]]:
        """For each layer the slopes that are new in it, and what learns in it."""
        known = {id(other) for _, other in self._pairs.weights}
        for _, layer, twin in self._pairs.layers:
            slopes = {id(each) for each in twin.trainable_variables} - known
            if slopes:
                learning = layer.trainable_variables
                yield slopes, [each for each in learning if id(each) not in slopes]


def _is_set_otherwise(value: Any, before: Any) -> bool:
    """Whether an object, such as a sampler of texts, has another config."""
    if _is_state(value) or _is_state(before) or isinstance(value, type):
        return False
    if not (hasattr(value, "get_config") and hasattr(type(value), "from_config")):
        return False
    return type(value) is not type(before) or value.get_config() != before.get_config()


def _is_state(value: Any) -> bool:
    return any(isinstance(each, _STATE) for each in leaves(value))


def _holds_optimizer(value: Any) -> bool:
    kind = keras.optimizers.Optimizer
    return any(isinstance(each, kind) for each in leaves(value))


def _is_plain(value: Any) -> bool:
    """Whether all that is in a value is plain data."""
    inside = leaves(value)
    return bool(inside) and all(isinstance(each, _PLAIN) for each in inside)


def _copied(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _copied(each) for key, each in value.items()}
    if isinstance(value, list | tuple | set) and not hasattr(value, "_fields"):
        kind = list if isinstance(value, list) else type(value)
        return kind(_copied(each) for each in value)
    return copy.copy(value)


def _same(value: Any, other: Any) -> bool:
    if type(value) is not type(other):
        return False
    if isinstance(value, dict):
        return value.keys() == other.keys() and all(
            _same(each, other[key]) for key, each in value.items()
        )
    if isinstance(value, list | tuple):
        return len(value) == len(other) and all(map(_same, value, other))
    return bool(np.array_equal(np.asarray(value), np.asarray(other)))
