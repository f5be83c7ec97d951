"""Moving statistics that keep up with a run of few steps."""

from __future__ import annotations

from typing import Any

import keras

from keras_rectifiers.revival.norms import learning_norms

#: The statistics remember at most this share of an epoch.
_MEMORY = 0.2


class QuickStatistics(keras.callbacks.Callback):
    """Has batch normalizations forget what lies further back than a fifth of an epoch.

    With Keras' momentum of 0.99 they remember a hundred steps: in a run with fewer
    steps in an epoch, or right after a change of the weights, what is measured in
    inference mode is another function than the one that is trained. The momentum is
    what it was after training; one that is lower already stays.

    A training step that was compiled meanwhile has it baked in: it serves the next
    part of the run, and whoever ends the run removes it.
    """

    def __init__(self) -> None:
        super().__init__()
        self._own: list[tuple[Any, float]] = []

    def on_train_begin(self, logs: Any = None) -> None:
        steps = (self.params or {}).get("steps")
        if not steps:
            return
        highest = max(0.0, 1.0 - 1.0 / max(1.0, _MEMORY * steps))
        self._own = [
            (layer, layer.momentum)
            for layer in learning_norms(self.model)
            if layer.momentum > highest
        ]
        for layer, _ in self._own:
            layer.momentum = highest  # before the step is traced

    def on_train_end(self, logs: Any = None) -> None:
        for layer, momentum in self._own:
            layer.momentum = momentum
        self._own = []
