"""Carry what `compile` gave a model: optimizer with state, loss, metrics, flags."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras

from keras_rectifiers.surgery import optimizer_state
from keras_rectifiers.surgery.borrowed import Borrowed


def carry(old: keras.Model, new: keras.Model, pairs: Sequence[tuple[Any, Any]]) -> None:
    """Compile a model as another is compiled, and move the optimizer's state.

    The loss is the same object (it has no state); optimizer and metrics are created
    again, so that the two models share nothing that trains.

    Args:
        old: The original; where it is not compiled, nothing happens.
        new: The rebuilt model.
        pairs: (old, new) variables.
    """
    if not old.compiled:
        return
    settings = dict(old._compile_config.config)
    settings["optimizer"] = (
        None if old.optimizer is None else optimizer_state.anew(old.optimizer, pairs)
    )
    for key in ("metrics", "weighted_metrics"):
        settings[key] = keras.tree.map_structure(_copy_metric, settings[key])
    for key in ("run_eagerly", "steps_per_execution", "jit_compile"):
        settings[key] = getattr(old, key)  # they may be set after compile, too
    # The optimizer is wrapped for loss scaling already, where it was.
    # A compile of the class' own has called this one already: these are its settings.
    keras.Model.compile(new, **settings, auto_scale_loss=False)
    new.stop_training = old.stop_training
    if old.optimizer is None or not old.optimizer.built:
        return
    if not new.optimizer.built:
        new.optimizer.build(new.trainable_variables)
    optimizer_state.carry(old.optimizer, new.optimizer, pairs)


def _copy_metric(metric: Any) -> Any:
    known = isinstance(metric, keras.metrics.Metric)
    return Borrowed.copied(metric) if known else metric
