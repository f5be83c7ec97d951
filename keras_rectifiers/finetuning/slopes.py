"""How slopes are trained: without weight decay, at their own rate, within bounds."""

from __future__ import annotations

from collections.abc import Callable
from types import MappingProxyType
from typing import Any

import keras

from keras_rectifiers import specs
from keras_rectifiers.constraints import SlopeRange
from keras_rectifiers.layers import PReLU
from keras_rectifiers.live import placement
from keras_rectifiers.live.layers import flat
from keras_rectifiers.live.optimizers import inner_of
from keras_rectifiers.surgery import optimizer_state

#: Bounds of slopes by name. `"non_negative"`: 0 or more, so that the rectifier is
#: monotone. `"unit"`: 0 to 1, so that it enlarges nothing either.
CONSTRAINTS: MappingProxyType[str, Callable[[], Any]] = MappingProxyType(
    {
        "none": lambda: None,
        "non_negative": keras.constraints.NonNeg,
        "unit": lambda: SlopeRange(0.0, 1.0),
    }
)
#: Penalties of slopes by name. He et al. 2015 take none: it "tends to push a_i to
#: zero, and thus biases PReLU toward ReLU" (section 2.1). Where that is wanted, as
#: before a fold back to ReLU: `"toward_zero"`, 1e-4 times the sum of squares, or
#: `"sparse"`, 1e-4 times the sum of sizes.
REGULARIZERS: MappingProxyType[str, Callable[[], Any]] = MappingProxyType(
    {
        "none": lambda: None,
        "toward_zero": lambda: keras.regularizers.L2(1e-4),
        "sparse": lambda: keras.regularizers.L1(1e-4),
    }
)


def prelu(
    *,
    alpha: float = specs.DEFAULT_ALPHA,
    constraint: str = "none",
    regularizer: str = "none",
    learning_rate_multiplier: float = 1.0,
) -> PReLU:
    """A PReLU to be given as `to=`, with presets by name.

    Args:
        alpha: Slope at which it starts, default 0. A conversion of dead units alone
            (`where=` a diagnosis) starts these at its own `alpha`.
        constraint: `"none"`, `"non_negative"` or `"unit"`; default none.
        regularizer: `"none"`, `"toward_zero"` or `"sparse"`; default none, as in
            the paper.
        learning_rate_multiplier: How many times faster slopes learn than the other
            weights, under any optimizer; default 1.

    Returns:
        A layer that has not been built: a template.

    Raises:
        ValueError: A name that is not known, or a number out of its range.

    Example:
        >>> from keras_rectifiers.finetuning import slopes
        >>> slopes.prelu(constraint="unit").alpha_constraint.highest
        1.0

    Reference:
        He, Zhang, Ren and Sun 2015, "Delving Deep into Rectifiers",
        arXiv:1502.01852, section 2.1.
    """
    return PReLU(
        alpha_initializer=keras.initializers.Constant(float(alpha)),
        alpha_constraint=_preset("constraint", constraint, CONSTRAINTS),
        alpha_regularizer=_preset("regularizer", regularizer, REGULARIZERS),
        learning_rate_multiplier=learning_rate_multiplier,
    )


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


def _preset(name: str, value: str, known: Any) -> Any:
    if value not in known:
        raise ValueError(
            f"{name} must be one of {', '.join(map(repr, known))}. Received: "
            f"{name}={value!r}. For another one, give it to "
            "keras_rectifiers.layers.PReLU yourself."
        )
    return known[value]()
