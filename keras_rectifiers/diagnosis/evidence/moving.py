"""Whether silent units fire where normalizations use the statistics of the batch.

One more eager forward pass, in which every BatchNormalization normalizes as in
training. Nothing of the model changes.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import Any

import keras
import numpy as np

from keras_rectifiers.diagnosis import widths
from keras_rectifiers.diagnosis.evidence.data import MovingEvidence
from keras_rectifiers.diagnosis.evidence.passes import REFUSALS
from keras_rectifiers.diagnosis.evidence.passes import arranged
from keras_rectifiers.diagnosis.evidence.passes import numbers
from keras_rectifiers.diagnosis.evidence.passes import unit_spread
from keras_rectifiers.diagnosis.statistics import Values
from keras_rectifiers.live.batch_statistics import batch_norms
from keras_rectifiers.live.batch_statistics import on_batch_statistics
from keras_rectifiers.live.rectifiers import LiveRectifier
from keras_rectifiers.live.state import inference_mode
from keras_rectifiers.live.state import no_gradients
from keras_rectifiers.live.state import to_numpy
from keras_rectifiers.live.tap import tap
from keras_rectifiers.live.upstream import Upstream

#: With fewer samples the statistics of a batch say little about the data.
_FEWEST = 8


@dataclasses.dataclass(frozen=True)
class OnBatch:
    """What the pass showed."""

    #: Greatest pre-activation of each unit, by the names of a diagnosis.
    maximum: dict[str, Values] = dataclasses.field(default_factory=dict)
    #: The normalizations that were called, by their identity.
    norms: dict[int, MovingEvidence] = dataclasses.field(default_factory=dict)


def look_on_batch(
    model: Any, rectifiers: Iterable[LiveRectifier], upstream: Upstream, x: Any
) -> OnBatch:
    """Run a batch through a model whose normalizations use its statistics.

    Args:
        model: A built Keras model; not changed.
        rectifiers: The rectifiers to look at.
        upstream: The wiring of the model.
        x: The batch.

    Returns:
        What was seen; nothing for a model without BatchNormalization, for few
        samples, and where the model cannot be run.
    """
    layers = batch_norms(model)
    samples = int(keras.tree.flatten(x)[0].shape[0])
    if not layers or samples < _FEWEST:
        return OnBatch()
    found: dict[tuple[str, int], Values] = {}
    norms: dict[int, MovingEvidence] = {}

    def receive_norm(layer: Any, inputs: Any, mask: Any, mean: Any, var: Any) -> None:
        if id(layer) not in norms:
            errors = _errors(layer, inputs, mask, samples)
            norms[id(layer)] = _evidence(layer, upstream, mean, var, errors)

    def receive(rectifier: LiveRectifier, pre: Any, _: Any) -> None:
        seen = unit_spread(rectifier, pre, samples)
        if seen is None:
            return
        place = rectifier.path, len(seen.maximum)
        found[place] = np.maximum(found.get(place, -np.inf), seen.maximum)

    try:
        with (
            no_gradients(),
            tap(tuple(rectifiers), receive),
            on_batch_statistics(layers, receive_norm),
        ):
            model(x, **inference_mode(model))
    except REFUSALS:
        return OnBatch()  # the pass before says why
    return OnBatch(widths.named(found), norms)


def _evidence(
    layer: Any, upstream: Upstream, mean: Any, variance: Any, errors: Any
) -> MovingEvidence:
    return MovingEvidence(
        path=upstream.path(layer),
        mean=to_numpy(layer.moving_mean, np.float64),
        variance=to_numpy(layer.moving_variance, np.float64),
        batch_mean=to_numpy(mean, np.float64).reshape(-1),
        batch_variance=to_numpy(variance, np.float64).reshape(-1),
        mean_error=errors[0],
        variance_error=errors[1],
        epsilon=float(layer.epsilon),
        momentum=float(layer.momentum),
        frozen=not layer.trainable,
    )


def _errors(layer: Any, inputs: Any, mask: Any, samples: int) -> tuple[Values, Values]:
    """Standard errors of mean and variance; positions of a sample are not independent.

    Of masked inputs each step counts as a sample.
    """
    values = numbers(inputs)
    if values is None:
        nothing = np.zeros(inputs.shape[layer.axis])
        return nothing, nothing
    if mask is not None:
        values = values[to_numpy(mask).astype(bool)]
    arrays = arranged(values, layer.axis, samples).astype(np.float64)
    means = arrays.mean(axis=1)
    squares = np.square(arrays - means.mean(axis=0)).mean(axis=1)
    root = np.sqrt(max(len(arrays), 1))
    return means.std(axis=0) / root, squares.std(axis=0) / root
