"""Carry an optimizer's state to a model with more (or fewer) variables.

Slots belong to variables by identity, never by position: one new weight in the
middle shifts every later slot. What Keras writes in no config goes along as well:
which variables have no weight decay, and what was set on the object later.
"""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Sequence
from typing import Any

import keras

from keras_rectifiers.errors import UnsupportedModelError
from keras_rectifiers.live import placement
from keras_rectifiers.live.optimizers import AVERAGE
from keras_rectifiers.live.optimizers import held
from keras_rectifiers.live.optimizers import inner_of
from keras_rectifiers.live.optimizers import is_slots

#: Types of attributes that are kept as they are.
_PLAIN = (bool, int, float, str, type(None))

_Pairs = Sequence[tuple[Any, Any]]


def anew(
    optimizer: Any, pairs: _Pairs | None = None, learning_rate: float | None = None
) -> Any:
    """An optimizer that is set as another is, without state.

    Args:
        optimizer: Any `keras.optimizers.Optimizer`.
        pairs: (old, new) variables, where the new optimizer is for another model.
        learning_rate: A rate in the place of its rate or schedule; None keeps it.
    """
    inner = inner_of(optimizer)
    schedule = getattr(inner, "_learning_rate", None)
    known = {type(each).__name__: type(each) for each in (optimizer, inner, schedule)}
    with keras.saving.custom_object_scope(known):
        config = optimizer.get_config()
        if learning_rate is not None:
            _set_rate(config, learning_rate)
        fresh = type(optimizer).from_config(config)
    _set_alike(optimizer, fresh, pairs)
    if inner is not optimizer:
        _set_alike(inner, fresh.inner_optimizer, pairs)
    return fresh


def _set_rate(config: dict[str, Any], rate: float) -> None:
    """Write a rate into the config of an optimizer, or of the one inside it."""
    while "inner_optimizer" in config:
        config = config["inner_optimizer"]["config"]
    config["learning_rate"] = rate


def carry(old: Any, new: Any, pairs: Iterable[tuple[Any, Any]]) -> None:
    """Copy the state of one optimizer into another of the same class.

    Args:
        old: A built `keras.optimizers.Optimizer`.
        new: One made by `anew` and built on the new model.
        pairs: (old, new) variables of the two models.

    Raises:
        UnsupportedModelError: The new one has a variable that nothing was
            written to.
    """
    known = set()
    for before, after, start in counterparts(old, new, list(pairs)):
        known.add(id(after))
        if before is not None:
            placement.give(after, before)
        elif start is not None:
            placement.give(after, start)
    left = [each.path for each in new.variables if id(each) not in known]
    if left:
        raise UnsupportedModelError(
            "Every variable of an optimizer must be copied. Received: "
            f"{type(old).__name__} with {left[0]!r}, which is neither one of its "
            "attributes nor in a list with one entry for each weight. Compile the "
            "model with a Keras optimizer first."
        )


def _set_alike(old: Any, new: Any, pairs: _Pairs | None) -> None:
    """Exclusions from weight decay, and plain attributes that no config has."""
    excluded = getattr(old, "_exclude_from_weight_decay", None)
    pattern = getattr(old, "_exclude_from_weight_decay_pattern", None)
    if excluded and pairs is not None:
        excluded = {
            new._var_key(twin)
            for variable, twin in pairs
            if old._var_key(variable) in excluded
        }
    if excluded or pattern is not None:
        new.exclude_from_weight_decay()  # declares the attributes
        new._exclude_from_weight_decay = set(excluded or ())
        new._exclude_from_weight_decay_pattern = pattern
    for name, value in vars(old).items():
        if name not in vars(new) and isinstance(value, _PLAIN):
            setattr(new, name, value)


def counterparts(
    old: Any, new: Any, pairs: _Pairs
) -> Iterator[tuple[Any | None, Any, Any | None]]:
    """The variables of two built optimizers that mean the same.

    Args:
        old: An optimizer of the original.
        new: One of the same class, of the other model.
        pairs: (old, new) variables of the two models.

    Yields:
        The old variable or None, the new one, and the weight whose value it starts
        at where there is no old one; None for what the optimizer itself begins with.
    """
    sources = {id(twin): variable for variable, twin in pairs}
    for name, value in held(new):
        before = getattr(old, name, None)
        if isinstance(value, keras.Variable):
            if isinstance(before, keras.Variable):
                yield before, value, None
        elif isinstance(value, keras.optimizers.Optimizer):
            yield from counterparts(before, value, pairs)
        elif is_slots(value, new) and is_slots(before, old):
            slots = zip(new._trainable_variables, value, strict=True)
            for variable, slot in slots:
                source = sources.get(id(variable))
                start = variable if name == AVERAGE else None
                if isinstance(slot, keras.Variable):
                    yield _slot(old, before, source), slot, start


def _slot(optimizer: Any, slots: Any, variable: Any | None) -> Any | None:
    """The slot of a variable, where it has one."""
    indices = optimizer._trainable_variables_indices
    index = None if variable is None else indices.get(optimizer._var_key(variable))
    return None if index is None else slots[index]
