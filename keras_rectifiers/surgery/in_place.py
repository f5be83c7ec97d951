"""Change a live model itself, where no copy of it can be made."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import keras

from keras_rectifiers.errors import UnsupportedModelError
from keras_rectifiers.graph.sites import Found
from keras_rectifiers.live.exchange import own_attributes
from keras_rectifiers.live.exchange import put
from keras_rectifiers.live.layers import listed
from keras_rectifiers.live.optimizers import inner_of
from keras_rectifiers.live.snapshot import Snapshot
from keras_rectifiers.surgery import optimizer_state
from keras_rectifiers.surgery.exchanges import Exchanges
from keras_rectifiers.surgery.in_python import Held
from keras_rectifiers.surgery.plan import Step

#: What Keras has compiled for the model as it was.
_COMPILED = ("train_function", "test_function", "predict_function")


def convert(
    model: keras.Model, found: Iterable[Found | Held], steps: tuple[Step, ...]
) -> None:
    """Replace rectifiers in a model itself; where that fails, it is as before.

    Args:
        model: The model; it is changed.
        found: Its rectifiers.
        steps: What is replaced by what.

    Raises:
        PlanMismatchError: A step is not for this model.
        UnsupportedModelError: A rectifier must become several layers.
    """
    several = [step.site.path for step in steps if len(step.replacements) > 1]
    if several:
        raise UnsupportedModelError(
            "A rectifier must have one width to be replaced in place. Received: "
            f"{several[0]!r}, which is called at several. Leave it out with exclude."
        )
    exchanges = Exchanges(model, found, steps)
    before = Snapshot(model)
    variables = model.trainable_variables
    try:
        exchanges.make(model, {id(each): each for _, each in listed(model)})
        if {id(each) for each in variables} != _ids(model.trainable_variables):
            _optimize_anew(model, variables)
    except BaseException:
        before.restore()
        raise
    for name in _COMPILED:
        setattr(model, name, None)


def _ids(variables: Iterable[Any]) -> set[int]:
    return {id(each) for each in variables}


def _optimize_anew(model: keras.Model, before: list[Any]) -> None:
    """Give each optimizer of a model a place for the new slopes, its state kept."""
    made: dict[int, Any] = {}
    holders = {"optimizer": getattr(model, "optimizer", None), **own_attributes(model)}
    for name, value in holders.items():
        if not isinstance(value, keras.optimizers.Optimizer) or not value.built:
            continue
        if id(value) not in made:
            made[id(value)] = _anew(value, model, before)
        put(model, name, made[id(value)])


def _anew(optimizer: Any, model: keras.Model, before: list[Any]) -> Any:
    """An optimizer with the state of another, and new slopes where it trains all."""
    trained = _ids(inner_of(optimizer)._trainable_variables)
    slopes = _ids(model.trainable_variables) - _ids(before)
    if trained >= _ids(before):
        trained |= slopes
    same = [(each, each) for each in model.variables]
    made = optimizer_state.anew(optimizer, same)
    made.build([each for each in model.trainable_variables if id(each) in trained])
    optimizer_state.carry(optimizer, made, same)
    return made
