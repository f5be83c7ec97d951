"""The optimizer of a fine-tuning run: what `compile` gave the model, or Adam."""

from __future__ import annotations

import inspect
from typing import Any

import keras

from keras_rectifiers.live.optimizers import has_schedule
from keras_rectifiers.live.optimizers import inner_of
from keras_rectifiers.slopes import exclude_from_weight_decay
from keras_rectifiers.slopes import without_decay
from keras_rectifiers.surgery import optimizer_state

#: Keras' own default for Adam.
DEFAULT_LEARNING_RATE = 0.001


def prepare(
    model: Any,
    *,
    loss: Any = None,
    metrics: Any = None,
    learning_rate: float | None = None,
) -> None:
    """Compile a model for fine-tuning, keeping what it is compiled with.

    A compiled model without a new `loss` keeps its optimizer with its state, its
    loss and its metrics. Any other is compiled with Adam. The slopes of PReLUs get
    no weight decay: it would pull them back to 0, which is a dead unit.

    Args:
        model: The model, changed in place.
        loss: A loss as `keras.Model.compile` takes it; None keeps the model's.
        metrics: Metrics for a model that is compiled here; None for accuracy
            where the loss is a cross-entropy.
        learning_rate: Float > 0; None keeps the optimizer's, or 0.001.

    Raises:
        ValueError: No loss at all, or a learning rate on top of a schedule.
    """
    own = has_own_loss(model) and model.compiled
    if loss is None and getattr(model, "loss", None) is None and not own:
        raise ValueError(
            "Fine-tuning with labels needs a loss. Received: a model that is not "
            "compiled with one, and loss=None. Give loss= (on the command line "
            "--loss), such as sparse_categorical_crossentropy."
        )
    if loss is not None:
        optimizer = keras.optimizers.Adam(learning_rate or DEFAULT_LEARNING_RATE)
        exclude_from_weight_decay(optimizer, model)
        model.compile(optimizer, loss, metrics=default_metrics(loss, metrics))
        return
    without_decay(model)
    if learning_rate is not None:
        _set_learning_rate(model.optimizer, learning_rate)


def has_own_loss(model: Any) -> bool:
    """Whether a model's class says by itself how it is trained or what its loss is."""
    names = ("train_step", "compute_loss")
    return any(
        getattr(type(model), name) is not getattr(keras.Model, name) for name in names
    )


def default_metrics(loss: Any, metrics: Any) -> Any:
    """The metrics that were given, or accuracy for a cross-entropy."""
    if metrics is not None:
        return metrics
    name = loss if isinstance(loss, str) else type(loss).__name__
    return ["accuracy"] if "crossentropy" in name.lower() else None


def _set_learning_rate(optimizer: Any, learning_rate: float) -> None:
    try:
        inner_of(optimizer).learning_rate = learning_rate
    except TypeError as error:
        raise ValueError(
            "learning_rate replaces a number. Received: learning_rate="
            f"{learning_rate} for an optimizer with a schedule. Leave it out to "
            "follow the schedule, or give loss= to start a new optimizer."
        ) from error


def renew(model: Any, learning_rate: float | None = None) -> str:
    """Give a compiled model its optimizer again, without state.

    What made units die is often the rate: it is set to the default of the
    optimizer's class where it is higher, or follows a schedule.

    Args:
        model: The model, changed in place.
        learning_rate: The rate that was asked for, which is kept; None for none.

    Returns:
        What was done, in one sentence.
    """
    old = model.optimizer
    usual = _usual_rate(inner_of(old))
    rate = None
    if learning_rate is None and usual is not None:
        now = float(keras.ops.convert_to_numpy(old.learning_rate))
        if has_schedule(old) or now > usual:
            rate = min(now, usual)
    fresh = optimizer_state.anew(old, learning_rate=rate)
    exclude_from_weight_decay(fresh, model)
    fresh.build(model.trainable_variables)
    model.optimizer = fresh
    model.train_function = None
    now = float(keras.ops.convert_to_numpy(fresh.learning_rate))
    return f"The optimizer starts again, at a rate of {now:.3g}."


def _usual_rate(optimizer: Any) -> float | None:
    """The rate that a class of optimizers has by default."""
    given = inspect.signature(type(optimizer).__init__).parameters.get("learning_rate")
    usual = None if given is None else given.default
    return float(usual) if isinstance(usual, int | float) else None
