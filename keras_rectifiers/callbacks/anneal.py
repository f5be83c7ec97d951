"""Raise slopes, and lower them back to a plain ReLU, while a model trains."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import Any

import keras

from keras_rectifiers.callbacks.anneal_targets import SlopeTarget
from keras_rectifiers.callbacks.anneal_targets import target_of
from keras_rectifiers.live import rectifiers
from keras_rectifiers.live.state import synchronize

#: Share of the way done -> share of the distance covered.
Shape = Callable[[float], float]

SHAPES: dict[str, Shape] = {
    "linear": lambda share: share,
    "cosine": lambda share: (1 - math.cos(math.pi * share)) / 2,
}


class AnnealSlope(keras.callbacks.Callback):
    """Anneals the slopes of Leaky ReLUs and frozen PReLUs to those of a ReLU.

    Dead units get a gradient as long as there is a slope, and the result
    is a plain ReLU network again: `keras_rectifiers.fold(model)` makes it one. The
    slope goes from `start` to `peak` during the warm-up, then to `end`, where it stays.
    It is set after each training step (or every few steps), so that validation and
    checkpoints at the end of an epoch use the next slope, and those of the last epoch
    use `end` exactly. It is logged as `logs["slope"]`.

    The model needs slopes to anneal: `convert(model, "leaky_relu", negative_slope=0)`
    adds them. Learned slopes and rectifiers in recurrent layers are not changed. If
    only some slopes of a frozen PReLU are 0, those stay 0. A model that is saved during
    training states its current slope; the slope of a Leaky ReLU is not a weight, so
    `get_weights`, and callbacks that restore weights (`EarlyStopping`), do not include
    it.

    Epochs are counted from 0, so that a resumed run continues at its slope. With
    `steps_per_execution` above 1, the slope changes only after each execution. If
    training ends with an error, call `stop()` before you use the model.

    Args:
        start: Slope at the beginning of the warm-up, a finite number, no unit.
            Default 0.
        peak: Slope at the end of the warm-up (without one: at the beginning).
            Default 0.25, the slope of He et al. 2015.
        end: Slope at the end. Default 0.
        schedule: `"cosine"` (the default), `"linear"`, or a function that maps the
            fraction of a phase that is done, 0..1, to the fraction of the distance
            covered. Both phases, up and down, have this shape.
        warmup: Fraction of the whole length that the warm-up takes, 0 <= warmup < 1.
            Default 0.1.
        epochs: Whole length in epochs. Default: the epochs of `fit`, unless `steps` is
            given.
        steps: Whole length in training steps, instead of `epochs`.
        layers: Paths or globs of the rectifiers to anneal, as `plan` lists them.
            Default None: all that can be annealed.
        every_steps: Steps between two changes of the slope. Default 1.

    Attributes:
        slope: The slope now; None before training.

    Raises:
        TypeError: If a numeric argument is not a number, or the schedule is not one of
            the allowed values.
        ValueError: If one is out of range; and when training begins, if the model has
            no slope to anneal, or `layers` names one that cannot be.

    Example:
        >>> import keras_rectifiers
        >>> anneal = keras_rectifiers.callbacks.AnnealSlope(
        ...     peak=0.2, schedule="linear", warmup=0.5
        ... )
        >>> [anneal.slope_at(done) for done in (0, 0.25, 0.5, 0.75, 1)]
        [0.0, 0.1, 0.2, 0.1, 0.0]
    """

    def __init__(
        self,
        start: float = 0.0,
        peak: float = 0.25,
        end: float = 0.0,
        schedule: str | Shape = "cosine",
        warmup: float = 0.1,
        *,
        epochs: float | None = None,
        steps: int | None = None,
        layers: str | Sequence[str] | None = None,
        every_steps: int = 1,
    ) -> None:
        super().__init__()
        for name, value in (("start", start), ("peak", peak), ("end", end)):
            _check(name, value, lambda _: True, "finite")
        _check("warmup", warmup, lambda value: 0 <= value < 1, "at least 0 and below 1")
        for name, length in (
            ("epochs", epochs),
            ("steps", steps),
            ("every_steps", every_steps),
        ):
            if length is not None:
                _check(name, length, lambda value: value > 0, "above 0")
        if epochs is not None and steps is not None:
            raise ValueError(
                "AnnealSlope takes epochs or steps, not both. Received: "
                f"epochs={epochs} and steps={steps}. Remove one of them."
            )
        self.start, self.peak, self.end = float(start), float(peak), float(end)
        self.schedule = _shape(schedule)
        self.warmup = float(warmup)
        self.epochs, self.steps = epochs, steps
        self.layers = (layers,) if isinstance(layers, str) else layers
        self.every_steps = int(every_steps)
        self.slope: float | None = None
        self._targets: tuple[SlopeTarget, ...] = ()
        self._epoch = 0
        self._batches: int | None = None
        self._done = 0
        self._before = 0
        self._since = 0

    def slope_at(self, done: float) -> float:
        """The slope at a share of the whole length, 0..1 (and `end` beyond)."""
        if done >= 1:
            return self.end
        if done < self.warmup:
            here, there, share = self.start, self.peak, done / self.warmup
        else:
            here, there = self.peak, self.end
            share = (done - self.warmup) / (1 - self.warmup)
        return here + (there - here) * float(self.schedule(share))

    def stop(self) -> None:
        """Leave the model with its current slopes, and restore everything else."""
        for target in self._targets:
            target.stop()
        if self._targets:
            _trace_anew(self.model)
        self._targets = ()

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        self.stop()
        self._batches = (self.params or {}).get("steps")
        self._epoch, self._done, self._before, self._since = 0, 0, 0, 0
        self._targets = self._found()
        for target in self._targets:
            target.start(self.model)
        _trace_anew(self.model)
        self.model.make_train_function()
        self.slope = None
        self._set(self._share(0))

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self._epoch, self._since = epoch, 0
        if self._batches is not None:
            self._done = epoch * self._batches
        self._before = self._done
        self._set(self._share(0))

    def on_train_batch_end(
        self, batch: int, logs: dict[str, Any] | None = None
    ) -> None:
        finished = batch + 1
        self._since += self._before + finished - self._done
        self._done = self._before + finished
        last = finished == self._batches
        if last or self._since >= self.every_steps:
            self._since %= self.every_steps
            self._set(self._share(finished))

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        if self._batches is None and self._done > self._before:
            self._batches = self._done - self._before
        if self._batches is not None:
            self._set(self._share(self._batches))
        if logs is not None:
            logs["slope"] = self.slope

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        self.stop()
        if self.slope != self.end:
            warnings.warn(
                f"AnnealSlope must reach its final slope, {self.end:g}. Received: "
                f"training that ended at slope {self.slope:g}. The model keeps that "
                "slope: continue training, or check with keras_rectifiers.fold what "
                "removing it changes.",
                stacklevel=2,
            )

    def _share(self, finished: int) -> float:
        """Share of the whole length, once batches of this epoch are finished."""
        if self.steps is not None:
            return (self._before + finished) / self.steps
        length = self.epochs or (self.params or {}).get("epochs") or 1
        within = finished / self._batches if self._batches else 0.0
        return (self._epoch + within) / length

    def _set(self, share: float) -> None:
        slope = self.slope_at(share)
        if slope == self.slope:
            return
        self.slope = slope
        synchronize(self.model)
        for target in self._targets:
            target.set(slope)

    def _found(self) -> tuple[SlopeTarget, ...]:
        """The setters of the slopes of the requested rectifiers."""
        learned = {id(variable) for variable in self.model.trainable_variables}
        wanted: dict[str, SlopeTarget | str] = {
            each.path: target_of(each, learned)
            for each in rectifiers.find(self.model)
            if self.layers is None or any(_fits(each.path, at) for at in self.layers)
        }
        refused = {at: why for at, why in wanted.items() if isinstance(why, str)}
        if self.layers is not None and refused:
            path, why = next(iter(refused.items()))
            raise ValueError(
                "AnnealSlope must be able to set the slope of each layer in layers. "
                f"Received: {path!r} (model {self.model.name!r}): {why}."
            )
        found = [each for each in wanted.values() if not isinstance(each, str)]
        if not found:
            named = "" if self.layers is None else f" among layers={self.layers!r}"
            raise ValueError(
                "AnnealSlope needs a Leaky ReLU or a PReLU with trainable=False. "
                f"Received: model {self.model.name!r}, which has none{named}. Convert "
                "it: keras_rectifiers.convert(model, 'leaky_relu', negative_slope=0)."
            )
        return tuple(found)


def _trace_anew(model: Any) -> None:
    """Have Keras compile its functions again."""
    for name in ("train_function", "test_function", "predict_function"):
        setattr(model, name, None)


def _fits(path: str, pattern: str) -> bool:
    name = path if "/" in pattern else path.rsplit("/", 1)[-1]
    return fnmatchcase(path, pattern) or fnmatchcase(name, pattern)


def _shape(schedule: Any) -> Shape:
    if isinstance(schedule, str) and schedule in SHAPES:
        return SHAPES[schedule]
    if callable(schedule):
        return schedule
    kind = ValueError if isinstance(schedule, str) else TypeError
    raise kind(
        f"schedule must be one of {', '.join(map(repr, SHAPES))}, or a function of a "
        f"fraction in 0..1. Received: schedule={schedule!r}."
    )


def _check(name: str, value: Any, fits: Callable[[float], bool], rule: str) -> None:
    if isinstance(value, (bool, str)) or not hasattr(value, "__float__"):
        raise TypeError(
            f"{name} must be a number. Received: {name}={value!r} of type "
            f"{type(value).__name__}."
        )
    if not math.isfinite(value) or not fits(value):
        raise ValueError(f"{name} must be {rule}. Received: {name}={value!r}.")
