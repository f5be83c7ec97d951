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
from keras_rectifiers.live.snapshot import Snapshot
from keras_rectifiers.surgery.custom_attributes import CustomAttributes
from keras_rectifiers.surgery.exchanges import Exchanges
from keras_rectifiers.surgery.in_python import Held
from keras_rectifiers.surgery.pairs import Pairs
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
            f"{several[0]!r}, which is called with several widths. Leave it out with "
            "exclude."
        )
    exchanges = Exchanges(model, found, steps)
    pairs, before = _with_itself(model), Snapshot(model)
    learning = _ids(model.trainable_variables)
    try:
        exchanges.make(model, {id(each): each for _, each, _ in pairs.layers})
        if learning != _ids(model.trainable_variables):
            _optimize_anew(model, pairs)
    except BaseException:
        before.restore()
        raise
    for name in _COMPILED:
        setattr(model, name, None)


def _with_itself(model: keras.Model) -> Pairs:
    """The variables and layers of a model as their own counterparts."""
    return Pairs(
        weights=tuple((each, each) for each in model.variables),
        seeds=(),
        added=(),
        dropped=(),
        layers=tuple((path, each, each) for path, each in listed(model)),
        changed=(),
        rectifiers=(),
        split=(),
    )


def _ids(variables: Iterable[Any]) -> set[int]:
    return {id(each) for each in variables}


def _optimize_anew(model: keras.Model, pairs: Pairs) -> None:
    """Give each optimizer of a model a place for the new slopes, its state kept."""
    attributes = CustomAttributes(model, model, pairs)
    holders = {"optimizer": getattr(model, "optimizer", None), **own_attributes(model)}
    for name, value in holders.items():
        if isinstance(value, keras.optimizers.Optimizer) and value.built:
            put(model, name, attributes.optimizer(value))
