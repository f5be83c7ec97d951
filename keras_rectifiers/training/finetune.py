"""Fine-tune a converted model, and see its silent units come back."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable
from collections.abc import Mapping
from typing import Any

import keras
import numpy as np

from keras_rectifiers.data import Data
from keras_rectifiers.errors import RectifierError
from keras_rectifiers.training.keeping import Budget
from keras_rectifiers.training.keeping import KeepBest
from keras_rectifiers.training.keeping import class_weights
from keras_rectifiers.training.labels import check_labels
from keras_rectifiers.training.optimizers import prepare
from keras_rectifiers.training.split import split

#: Samples on which units are watched, where no probe is given.
PROBE_SAMPLES = 1024


@dataclasses.dataclass(frozen=True, eq=False)
class FinetuneResult:
    """What a fine-tuning run gave.

    Metrics have Keras' names (`loss`, `accuracy`, ...). `dead_fraction` (no
    gradient) and `silent_fraction` (never fired, dead or leaking) are shares of all
    units in 0..1 on the probe.
    """

    #: The fine-tuned model.
    model: Any
    #: How it was converted, None where it was not.
    plan: Any
    #: Metrics and fractions before the first epoch.
    before: Mapping[str, float]
    #: The same of the model that was kept.
    after: Mapping[str, float]
    #: Logs of each epoch.
    history: tuple[Mapping[str, float], ...]
    #: What the metrics were measured on: `"test data"`, `"validation split"` or
    #: `"training data"`.
    evaluated_on: str
    #: The epoch whose weights the model has, from 1; 0 where none was better than
    #: the start, None where the last ones were taken.
    best_epoch: int | None = None

    def to_dict(self) -> dict[str, Any]:
        """The result without the model, as plain data."""
        return {
            "before": dict(self.before),
            "after": dict(self.after),
            "evaluated_on": self.evaluated_on,
            "best_epoch": self.best_epoch,
            "epochs": [dict(logs) for logs in self.history],
        }


def finetune(
    model: Any,
    data: Any,
    *,
    to: Any = "prelu",
    epochs: int = 5,
    learning_rate: float | None = None,
    loss: Any = None,
    metrics: Any = None,
    batch_size: int = 32,
    validation_split: float = 0.1,
    seed: int = 0,
    keep_best: bool = True,
    class_weight: Any = None,
    budget: float | None = None,
    probe: Any = None,
    callbacks: Iterable[Any] = (),
    verbose: Any = 0,
    **selection: Any,
) -> FinetuneResult:
    """Convert a model and train it further under the dead unit monitor.

    The original is unchanged: use the model in the result. Its optimizer (with its
    state), loss and metrics are kept where it is compiled and no `loss` is given.

    Args:
        model: A `keras.Model`.
        data: `(x, y)`, a `keras_rectifiers.data.Data`, or a data set object of
            batches `(x, y)`.
        to: `"prelu"`, `"leaky_relu"` or what else `convert` takes; None trains a
            copy of the model as it is.
        epochs: Passes over the data, at least 1.
        learning_rate: Float > 0; None keeps the optimizer's, or 0.001 for Adam.
        loss: Loss for a model that has none; replaces the optimizer too.
        metrics: Metrics where `loss` is given.
        batch_size: Samples in a step; a data set object has its own.
        validation_split: Share of the arrays in 0..1 (1 excluded) that is held out
            at random, and measured. Not used where the data bring test arrays.
        seed: For the split, the order of samples, and dropout.
        keep_best: Whether the model ends with the weights of its best epoch, by
            the first metric on the validation split (on the training data where
            there is none: test arrays choose nothing), the start counted as one;
            else with the last ones.
        class_weight: Class -> weight in the loss, or `"balanced"`.
        budget: Seconds after which training ends; None for all epochs.
        probe: Inputs on which units are watched; None takes up to 1,024 samples of
            the training data.
        callbacks: More Keras callbacks.
        verbose: As in `keras.Model.fit`.
        **selection: `of`, `include`, `exclude`, `where`, `roles`,
            `negative_slope`, `alpha`, as `convert` takes them.

    Raises:
        ValueError: A number out of its range, or no loss.
        DataError: The data have no labels, or labels that do not fit the loss.
        RectifierError: The loss became NaN or infinite.
    """
    _check(epochs, learning_rate, validation_split)
    keras.utils.set_random_seed(seed)
    parts = split(_as_data(data), validation_split, batch_size, seed)
    changed, plan = _converted(model, to, selection)
    prepare(changed, loss=loss, metrics=metrics, learning_rate=learning_rate)
    watched = parts.probe(PROBE_SAMPLES) if probe is None else probe
    measured = check_labels(
        changed, parts.test or parts.train, lambda: _evaluate(changed, parts)
    )
    before = {**measured, **_fractions(changed, watched)}
    watchers = _watchers(watched, callbacks, seen="dead_fraction" in before)
    held_out = parts.evaluated_on == "validation split"
    keeper = KeepBest(measured, held_out=held_out) if keep_best else None
    limits = [] if budget is None else [Budget(budget)]
    logs = _fit(
        changed,
        parts,
        epochs,
        [*watchers, *([keeper] if keeper else []), *limits],
        verbose=verbose,
        class_weight=class_weights(class_weight, parts.train.y),
    )
    after = {**_evaluate(changed, parts), **_fractions(changed, watched)}
    best = keeper.best_epoch if keeper else None
    return FinetuneResult(changed, plan, before, after, logs, parts.evaluated_on, best)


def _check(epochs: int, learning_rate: float | None, validation_split: float) -> None:
    if epochs < 1:
        raise ValueError(f"epochs must be at least 1. Received: epochs={epochs}.")
    if learning_rate is not None and not 0 < learning_rate < math.inf:
        raise ValueError(
            "learning_rate must be a finite number > 0. Received: "
            f"learning_rate={learning_rate}."
        )
    if not 0 <= validation_split < 1:
        raise ValueError(
            "validation_split must be in 0..1, 1 excluded. Received: "
            f"validation_split={validation_split}."
        )


def _as_data(data: Any) -> Data:
    if isinstance(data, Data):
        return data
    if isinstance(data, tuple) and len(data) == 2:  # noqa: PLR2004
        x, y = data
        x = x if isinstance(x, Mapping) else np.asarray(x)
        return Data(x, np.asarray(y), source="data")
    return Data(data, source="data")


def _converted(model: Any, to: Any, selection: Mapping[str, Any]) -> tuple[Any, Any]:
    """A converted copy and its plan; with `to=None` a plain copy."""
    from keras_rectifiers.conversion.verbs import plan  # noqa: PLC0415
    from keras_rectifiers.surgery.plan import Plan  # noqa: PLC0415

    made = None if to is None else plan(model, to, **selection)
    changed = (made or Plan(model.name, "none", (), ())).apply(model)
    return changed, made


def _evaluate(model: Any, parts: Any) -> dict[str, float]:
    found = model.evaluate(**parts.evaluation(), verbose=0, return_dict=True)
    return {name: float(value) for name, value in found.items()}


def _fractions(model: Any, probe: Any) -> dict[str, float]:
    from keras_rectifiers.activity.diagnose import diagnose  # noqa: PLC0415

    found = diagnose(model, probe, batch_size=256)
    if not found.layers:
        return {}
    return {
        "dead_fraction": found.dead_fraction,
        "silent_fraction": found.silent_fraction,
    }


def _watchers(probe: Any, callbacks: Iterable[Any], *, seen: bool) -> list[Any]:
    """The monitor first, where it has units to see: the others see its logs."""
    from keras_rectifiers.callbacks import DeadUnitMonitor  # noqa: PLC0415

    watch = DeadUnitMonitor(probe, probe_samples="all", batch_size=256)
    monitor = [watch] if seen else []
    return [*monitor, _StopWhereNotFinite(), *callbacks]


class _StopWhereNotFinite(keras.callbacks.Callback):
    """Ends training after an epoch without a finite loss, silently.

    Keras' own `TerminateOnNaN` prints to stdout, where the result belongs.
    """

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        if not math.isfinite(float((logs or {}).get("loss", 0.0))):
            self.model.stop_training = True


def _fit(
    model: Any,
    parts: Any,
    epochs: int,
    watchers: list[Any],
    **options: Any,
) -> tuple[Mapping[str, float], ...]:
    history = model.fit(
        **parts.training(), epochs=epochs, callbacks=watchers, **options
    ).history
    length = max(map(len, history.values()), default=0)
    logs = tuple(
        {name: float(values[i]) for name, values in history.items() if i < len(values)}
        for i in range(length)
    )
    if not all(math.isfinite(epoch.get("loss", 0.0)) for epoch in logs):
        raise RectifierError(
            f"Fine-tuning diverged: the loss became NaN or infinite in epoch {length} "
            f"of {epochs}. Use a smaller learning rate (--learning-rate), and look "
            "for NaN in the data."
        )
    return logs
