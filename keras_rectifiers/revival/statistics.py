"""Estimate the moving statistics of batch normalizations again from data."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from keras_rectifiers.diagnosis.data import batches as batches_of
from keras_rectifiers.diagnosis.data import check_fits
from keras_rectifiers.errors import DataError
from keras_rectifiers.live.batch_statistics import batch_norms
from keras_rectifiers.live.batch_statistics import on_batch_statistics
from keras_rectifiers.live.state import inference_mode
from keras_rectifiers.live.state import no_gradients
from keras_rectifiers.live.state import synchronize
from keras_rectifiers.live.state import to_numpy

#: Most samples in a batch of arrays.
_BATCH = 64

Values = npt.NDArray[np.float64]


def refresh_statistics(
    model: keras.Model, data: Any, batches: int | None = None
) -> tuple[str, ...]:
    """Estimate all moving means and variances again from data, and keep the rest.

    Moving statistics are averages over the last steps of training. After few steps, or
    with a high momentum, they are still near the values they started with, and the
    model computes a different function at inference than in training. This function
    sets them to the mean and the variance over the data, in one pass in which every
    layer normalizes with the moments of its batch, as in training, so that later layers
    see what they saw in training. Dropout is off. Nothing else changes: other weights,
    the optimizer and the states of random generators keep every bit.

    Args:
        model: A built model; changed in place. Frozen layers use their moving
            statistics in training, too: they keep them.
        data: What `keras_rectifiers.diagnose` takes; labels are not used. From arrays
            of numpy, batches of up to 64 samples are taken evenly spaced over all
            samples, since files are often sorted by class. Datasets are read in their
            own order: shuffle them.
        batches: Most batches to use, at least 1. Default None: all of them.

    Returns:
        The paths of the layers with new statistics.

    Raises:
        TypeError: The model or the data is something else.
        ValueError: `batches` is less than 1.
        DataError: There are no data, the data do not match the model, or the moments
            are NaN or infinite; nothing is changed.

    Example:
        >>> import keras
        >>> import numpy as np
        >>> from keras_rectifiers.revival import refresh_statistics
        >>> norm = keras.layers.BatchNormalization(name="bn")
        >>> model = keras.Sequential([keras.Input((1,)), norm], name="net")
        >>> refresh_statistics(model, np.array([[1.0], [3.0], [5.0], [7.0]]))
        ('net/bn',)
        >>> print(*(w.round(3) for w in norm.get_weights()[2:]))
        [4.] [5.]

    Reference:
        Wu & Johnson 2021, "Rethinking 'Batch' in BatchNorm" (arXiv:2105.07576),
        section 3, "precise BN": the moments of the batches are averaged, the
        variance of their means included.
    """
    if not isinstance(model, keras.Model):
        raise TypeError(
            f"model must be a keras.Model. Received: {type(model).__name__}."
        )
    if batches is not None and batches < 1:
        raise ValueError(
            f"batches must be at least 1. Received: batches={batches}. Pass None to "
            "use all data."
        )
    synchronize(model)
    layers = [each for each in batch_norms(model) if each.trainable]
    found = {id(layer): _Pooled() for layer in layers}

    def receive(layer: Any, inputs: Any, mask: Any, mean: Any, variance: Any) -> None:
        found[id(layer)].add(_weight(layer, inputs, mask), mean, variance)

    seen = False
    given = batches_of(_interleaved(data), batch_size=_BATCH, steps=batches)
    with no_gradients():
        for x in given:
            seen = True
            check_fits(model, x)
            with on_batch_statistics(layers, receive):
                model(x, **inference_mode(model))
    if not seen:
        raise DataError(
            "Statistics need at least one batch. Received: data without samples."
        )
    changed = [layer for layer in layers if found[id(layer)].weight]
    for layer in changed:
        _check(layer, found[id(layer)])
    for layer in changed:
        _write(layer.moving_mean, found[id(layer)].mean)
        _write(layer.moving_variance, found[id(layer)].variance)
    return tuple(layer.path or layer.name for layer in changed)


class _Pooled:
    """Mean and variance of all that was seen, from the moments of its parts."""

    def __init__(self) -> None:
        self.weight = 0.0
        self.mean: Values = np.zeros(())
        self.variance: Values = np.zeros(())

    def add(self, weight: float, mean: Any, variance: Any) -> None:
        """Add a part.

        Args:
            weight: Its share, as the number of values that it has.
            mean: Its mean by channel.
            variance: Its variance by channel.
        """
        if not weight:
            return  # everything is masked
        self.weight += weight
        share = weight / self.weight
        away = to_numpy(mean, np.float64).reshape(-1) - self.mean
        within = to_numpy(variance, np.float64).reshape(-1)
        between = share * (1 - share) * np.square(away)
        self.variance = (1 - share) * self.variance + share * within + between
        self.mean = self.mean + share * away


def _weight(layer: Any, inputs: Any, mask: Any) -> float:
    """The number of values of each channel."""
    if mask is not None:
        return float(to_numpy(mask).sum())
    return math.prod(inputs.shape) / inputs.shape[layer.axis]


def _interleaved(data: Any) -> Any:
    """Batches evenly spaced over arrays of numpy; other data as they are."""
    x = data[0] if isinstance(data, tuple) and data else data
    leaves = keras.tree.flatten(x)
    if not leaves or not all(isinstance(e, np.ndarray) and e.ndim for e in leaves):
        return data
    lengths = {len(leaf) for leaf in leaves}
    if len(lengths) != 1 or not max(lengths):
        return data
    return _strides(x, math.ceil(lengths.pop() / _BATCH))


def _strides(x: Any, count: int) -> Iterator[Any]:
    for start in range(count):
        part = slice(start, None, count)
        yield (keras.tree.map_structure(lambda leaf, part=part: leaf[part], x),)


def _check(layer: Any, found: _Pooled) -> None:
    if not (np.isfinite(found.mean).all() and np.isfinite(found.variance).all()):
        raise DataError(
            "The input of a normalization must be finite. Received: NaN or infinity "
            f"in the input of {layer.path!r}. Look at the data and at the weights "
            "with keras_rectifiers.diagnose; nothing was changed."
        )


def _write(variable: Any, value: Values) -> None:
    variable.assign(value.reshape(variable.shape))
