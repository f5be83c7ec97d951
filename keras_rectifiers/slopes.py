"""Slopes while they are trained: which they are, and no weight decay on them."""

from __future__ import annotations

from typing import Any

import keras

from keras_rectifiers.layers import PReLU
from keras_rectifiers.live import placement
from keras_rectifiers.live.layers import flat
from keras_rectifiers.live.optimizers import inner_of
from keras_rectifiers.surgery import optimizer_state

__all__ = ["variables_of", "without_decay"]


def variables_of(model: keras.Model) -> list[Any]:
    """The slopes of a model's PReLUs that learn, as the variables that hold them.

    Args:
        model: A built model. Ours and Keras' own PReLU count, at any depth.
    """
    trained = {id(variable) for variable in model.trainable_variables}
    found = {
        id(variable): variable
        for layer in flat(model)
        if isinstance(layer, PReLU | keras.layers.PReLU)
        for variable in layer.trainable_variables
    }
    return [variable for key, variable in found.items() if key in trained]


def without_decay(model: keras.Model) -> None:
    """Have a compiled model's optimizer leave slopes out of weight decay.

    Do it after `compile`, after a conversion and after a model was loaded: Keras
    stores such an exclusion in no file. `finetune` does it by itself.

    Args:
        model: A compiled model; its optimizer is made again, with its state, where
            it is built already. Nothing happens where nothing decays.

    Raises:
        ValueError: The model is not compiled.

    Reference:
        He et al. 2015, section 2.1: "We do not use weight decay when updating a_i."
    """
    if getattr(model, "optimizer", None) is None:
        raise ValueError(
            "A model must have an optimizer. Received: "
            f"{model.name!r}, which is not compiled. Call compile first."
        )
    fresh = exclude_from_weight_decay(model.optimizer, model)
    if fresh is not model.optimizer:
        model.optimizer = fresh
        model.train_function = None


def exclude_from_weight_decay(optimizer: Any, model: keras.Model) -> Any:
    """An optimizer that leaves a model's slopes out of weight decay.

    What it leaves out already stays left out. Keras takes an exclusion before an
    optimizer is built only: one that is built is made again, with its state.

    Args:
        optimizer: Any Keras optimizer; a loss-scaling one is looked into.
        model: Its model, built.

    Returns:
        The same optimizer, or a new one in its place.
    """
    slopes = variables_of(model)
    inner = inner_of(optimizer)
    if not slopes or not getattr(inner, "weight_decay", None):
        return optimizer
    if all(not inner._use_weight_decay(each) for each in slopes):  # noqa: SLF001
        return optimizer
    excluded = [*slopes, *_excluded(inner, model)]
    if not inner.built:
        inner.exclude_from_weight_decay(var_list=excluded)
        return optimizer
    with placement.as_of(model):
        fresh = optimizer_state.anew(optimizer)
        inner_of(fresh).exclude_from_weight_decay(var_list=excluded)
        fresh.build(model.trainable_variables)
        pairs = [(variable, variable) for variable in model.trainable_variables]
        optimizer_state.carry(optimizer, fresh, pairs)
    return fresh


def _excluded(optimizer: Any, model: keras.Model) -> list[Any]:
    """The variables that an optimizer leaves out already."""
    return [
        variable
        for variable in model.trainable_variables
        if not optimizer._use_weight_decay(variable)  # noqa: SLF001
    ]
