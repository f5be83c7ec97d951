"""Watch dead units while a model trains."""

from __future__ import annotations

from typing import Any

import keras

from keras_rectifiers.activity import data as data_sets
from keras_rectifiers.activity import verdicts
from keras_rectifiers.activity.diagnose import Diagnostician
from keras_rectifiers.activity.diagnose import check_arguments
from keras_rectifiers.activity.diagnosis import Diagnosis
from keras_rectifiers.activity.rectifiers import find
from keras_rectifiers.errors import UnsupportedModelError


class DeadUnitMonitor(keras.callbacks.Callback):
    """Diagnose a model on a probe set while it trains.

    Before training and at the end of epochs the probe set runs through the model in
    inference mode. At every epoch end `logs` gets the latest figures, all shares of
    units in 0..1:

    - `dead_fraction`: units that never fired on the probe set and get no gradient;
    - `silent_fraction`: units that never fired, whether a slope keeps their gradient
      or not: after a conversion to Leaky ReLU or PReLU, watch this one fall;
    - `dead_fraction/<layer>` and `silent_fraction/<layer>`, by the rectifier's path.

    `History` and the progress bar show them; so do `CSVLogger`, `EarlyStopping`,
    `ModelCheckpoint` and the like where they stand after this callback in the list.
    Nothing is added to the model, its weights or its file.

    Attributes:
        history: One dict for each measurement of the latest `fit`: `epoch` (epochs
            finished), `step` (the optimizer's steps), and `Diagnosis.summary()`; the
            first is from before training.
        diagnosis: The latest `Diagnosis`; None before training.

    Args:
        probe: Data as `keras_rectifiers.diagnose` takes it, which can be iterated
            again: no generator. A few hundred samples serve: n samples without
            firing bound the rate by about 3/n.
        every: Measure at the end of every so many epochs. Default 1.
        every_steps: Measure every so many training steps too. These measurements
            are in `history`. Default None.
        batch_size: Samples in a batch of probe arrays. Default 128.
        steps: Most batches of the probe set to use. Default all.
        dormant_threshold: ReDo's tau, float >= 0. Default 0.025.
        confidence: Of the upper bounds, float in (0, 1). Default 0.95.
        per_layer: Whether `logs` get a figure for each layer. Default True.
        verbose: 1 prints a line at each measurement. Default 0.

    Raises:
        TypeError: If the probe set can be iterated only once.
        ValueError: If a number is out of its range.
        UnsupportedModelError: Before the first epoch, if the model has no rectifier
            that can be watched.
        DataError: Before the first epoch, if the probe set does not fit the model.

    Example:
        ```python
        monitor = keras_rectifiers.callbacks.DeadUnitMonitor(x_val[:512])
        history = model.fit(x, y, callbacks=[monitor])
        history.history["dead_fraction"]
        ```
    """

    def __init__(
        self,
        probe: Any,
        every: int = 1,
        *,
        every_steps: int | None = None,
        batch_size: int = 128,
        steps: int | None = None,
        dormant_threshold: float = verdicts.DORMANT_THRESHOLD,
        confidence: float = 0.95,
        per_layer: bool = True,
        verbose: int = 0,
    ) -> None:
        super().__init__()
        if not data_sets.can_be_repeated(probe):
            raise TypeError(
                "The probe set is measured many times, so it must be possible to "
                f"iterate it again. Received: {type(probe).__name__}. Pass an array, "
                "a tf.data.Dataset, a PyDataset, or list the batches in one array."
            )
        for name, value in (("every", every), ("every_steps", every_steps)):
            if value is not None and (int(value) != value or value < 1):
                raise ValueError(
                    f"{name} must be a whole number of at least 1. "
                    f"Received: {name}={value!r}."
                )
        check_arguments(batch_size, steps, dormant_threshold, confidence)
        self.probe = probe
        self.every = every
        self.every_steps = every_steps
        self.per_layer = per_layer
        self.verbose = verbose
        self._options: dict[str, Any] = {
            "batch_size": batch_size,
            "steps": steps,
            "dormant_threshold": dormant_threshold,
            "confidence": confidence,
        }
        self.history: list[dict[str, Any]] = []
        self.diagnosis: Diagnosis | None = None
        self._diagnostician: Diagnostician | None = None
        #: Epochs finished, None before the first begins (Keras tells it then).
        self._epoch: int | None = None
        self._steps_before = 0
        self._last_batch = -1
        if every_steps is not None:
            # Keras waits for each batch where this method is overridden, so it is
            # only where it is wanted.
            self.on_train_batch_end = self._after_batch

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        if not find(self.model):
            raise UnsupportedModelError(
                "DeadUnitMonitor needs a model with a rectifier that can be watched. "
                f"Received: model {self.model.name!r}, which has none. What a "
                "subclassed `call` computes by a bare `ops.relu` cannot be seen: use "
                "a layer, or leave the callback out."
            )
        self.history = []
        self._epoch = None
        self._steps_before = 0
        self._diagnostician = Diagnostician(self.model, **self._options)
        self._measure()

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        if self._epoch is None:
            self.history[0]["epoch"] = epoch  # a resumed run does not begin at 0
        self._epoch = epoch
        self._last_batch = -1

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self._epoch = epoch + 1
        if (epoch + 1) % self.every == 0:
            self._measure()
        if logs is not None and self.diagnosis is not None:
            logs.update(self._figures(self.diagnosis))

    def _after_batch(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        # With steps_per_execution > 1 Keras reports the last of several steps.
        self._steps_before += batch - self._last_batch
        self._last_batch = batch
        if self.every_steps is not None and self._steps_before >= self.every_steps:
            self._steps_before %= self.every_steps
            self._measure()

    def _measure(self) -> None:
        if self._diagnostician is None:
            return
        self.diagnosis = self._diagnostician.diagnose(self.probe)
        # Read after the diagnosis: on JAX that brings the optimizer's state home.
        step = int(keras.ops.convert_to_numpy(self.model.optimizer.iterations))
        self.history.append(
            {"epoch": self._epoch or 0, "step": step, **self.diagnosis.summary()}
        )
        if self.verbose:
            print(  # noqa: T201 - what verbose=1 asks for
                f"\nEpoch {self._epoch or 0}: {self.diagnosis.dead_fraction:.1%} of "
                f"{self.diagnosis.units} units are dead, "
                f"{self.diagnosis.silent_fraction:.1%} never fired."
            )

    def _figures(self, diagnosis: Diagnosis) -> dict[str, float]:
        figures = {
            "dead_fraction": diagnosis.dead_fraction,
            "silent_fraction": diagnosis.silent_fraction,
        }
        for layer in diagnosis.layers if self.per_layer else ():
            figures[f"dead_fraction/{layer.layer}"] = layer.dead_fraction
            figures[f"silent_fraction/{layer.layer}"] = layer.silent_fraction
        return figures
