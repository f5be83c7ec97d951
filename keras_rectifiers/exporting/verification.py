"""Compare the outputs of a file with those of the Keras model."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from keras_rectifiers.errors import ExportError
from keras_rectifiers.exporting import formats
from keras_rectifiers.exporting.result import Differences

Arrays = list[npt.NDArray[Any]]

#: Precision -> greatest difference as a share of the largest output, and which
#: difference is judged. What is rounded to 8 bits is judged by its mean.
TOLERANCES = {
    formats.FLOAT32: (1e-4, "max"),
    formats.FLOAT16: (1e-2, "max"),
    formats.DYNAMIC: (5e-2, "mean"),
    formats.INT8: (5e-2, "mean"),
}
#: Samples in a run of a file that takes any number.
_BATCH = 8


def outputs(
    run: Callable[[Arrays], Arrays], inputs: Arrays, batch: int | None
) -> Arrays:
    """The outputs for all samples, in the batch of a file.

    Args:
        run: Gives flat outputs for flat inputs of one batch.
        inputs: Flat inputs.
        batch: Samples in each run; None for any number.
    """
    size = batch or _BATCH
    count = len(inputs[0])
    parts = []
    for start in range(0, count, size):
        stop = min(start + size, count)
        rows = np.arange(start, stop)
        if batch is not None:  # the last batch is filled up
            rows = np.resize(rows, size)
        made = run([array[rows] for array in inputs])
        parts.append([np.asarray(each)[: stop - start] for each in made])
    return [np.concatenate(each) for each in zip(*parts, strict=True)]


def compare(
    expected: Sequence[npt.NDArray[Any]], actual: Sequence[npt.NDArray[Any]], y: Any
) -> Differences:
    """How far outputs are from what they should be.

    Args:
        expected: Flat outputs of the Keras model.
        actual: Those of the file.
        y: Labels of the only output, or None.

    Raises:
        ExportError: Their number or shapes differ.
    """
    shapes = [[each.shape for each in outputs] for outputs in (expected, actual)]
    if shapes[0] != shapes[1]:
        raise ExportError(
            "A file must return the outputs of its model. Received: outputs of shapes "
            f"{shapes[1]} instead of {shapes[0]}. Nothing was written."
        )
    pairs = [
        (np.asarray(a, "float64"), np.asarray(b, "float64"))
        for a, b in zip(expected, actual, strict=True)
    ]
    away = [_distances(a, b) for a, b in pairs]
    metric, before, after = _metric(pairs, y)
    return Differences(
        samples=len(pairs[0][0]),
        maximum=max(float(each.max(initial=0.0)) for each in away),
        mean=max(float(each.mean()) for each in away),
        scale=max(float(np.nanmax(np.abs(a), initial=0.0)) for a, _ in pairs),
        agreement=_agreement(pairs),
        metric=metric,
        metric_before=before,
        metric_after=after,
    )


def _distances(a: npt.NDArray[Any], b: npt.NDArray[Any]) -> npt.NDArray[Any]:
    with np.errstate(invalid="ignore"):
        away = np.abs(a - b)
    same = (a == b) | (np.isnan(a) & np.isnan(b))
    # NaN in only one of them is a difference that no tolerance allows.
    return np.where(same, 0.0, np.where(np.isnan(away), np.inf, away))


def _agreement(pairs: Sequence[tuple[Any, Any]]) -> float | None:
    """The least share of samples, over all outputs, whose top class is the same."""
    shares = [
        float((a.argmax(-1) == b.argmax(-1)).mean())
        for a, b in pairs
        if a.ndim > 1 and a.shape[-1] > 1
    ]
    return min(shares, default=None)


def _metric(
    pairs: Sequence[tuple[Any, Any]], y: Any
) -> tuple[str | None, float | None, float | None]:
    """Accuracy for labels that are classes, else the mean absolute error."""
    if y is None or len(pairs) != 1:
        return None, None, None
    a, b = pairs[0]
    if a.ndim == 2 and a.shape[1] > 1:  # noqa: PLR2004
        classes = _classes(np.asarray(y), a.shape)
        if classes is not None:
            found = [float((each.argmax(-1) == classes).mean()) for each in (a, b)]
            return "accuracy", found[0], found[1]
    labels = np.asarray(y, "float64")
    if labels.size != a.size:
        return None, None, None
    labels = labels.reshape(a.shape)
    found = [float(np.abs(each - labels).mean()) for each in (a, b)]
    return "mean_absolute_error", found[0], found[1]


def _classes(y: npt.NDArray[Any], shape: tuple[int, ...]) -> npt.NDArray[Any] | None:
    """Numbers of classes, from themselves or from one-hot labels."""
    if y.shape == shape and ((y == 0) | (y == 1)).all() and (y.sum(-1) == 1).all():
        return np.asarray(y.argmax(-1))
    if y.size == shape[0] and (y == np.floor(y)).all() and y.min() >= 0:
        return y.reshape(-1)
    return None
