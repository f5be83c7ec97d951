"""The plans that made a live model, as long as it lives. Keras is not imported."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from weakref import WeakKeyDictionary

from keras_rectifiers.surgery.plan import Plan

_PLANS: WeakKeyDictionary[Any, tuple[Plan, ...]] = WeakKeyDictionary()


def keep(model: Any, made_by: Iterable[Plan]) -> None:
    """Remember which plans made a model, the first one first.

    Args:
        model: A live model.
        made_by: The plans; each says how it is undone.
    """
    _PLANS[model] = tuple(made_by)


def plans(model: Any) -> tuple[Plan, ...]:
    """The plans that made a model, the first one first; empty where none is known."""
    return _PLANS.get(model, ())
