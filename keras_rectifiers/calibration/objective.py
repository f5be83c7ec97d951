"""How far a model has moved: by its loss, or by its outputs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from keras_rectifiers.calibration.forward import PassResult
from keras_rectifiers.calibration.samples import Batches
from keras_rectifiers.errors import DataError

#: Ways of measuring a change.
LOSS, OUTPUTS = "loss", "outputs"
MEASURES = (LOSS, OUTPUTS)

#: Shares of the outputs' variance, and of the loss, that are rounding in float32.
_ROUNDING = {OUTPUTS: 1e-11, LOSS: 1e-6}


def change(measure: str, before: PassResult, after: PassResult) -> float:
    """How far a model is from what it was; infinite where that is not a number.

    Differences within float32 rounding do not count as a change: another compiled
    function gives slightly different values.

    Args:
        measure: `"loss"` (the increase of the mean loss; a decrease counts as no
            change) or `"outputs"` (see `change_of_outputs`).
        before: Pass of the original.
        after: Pass of the changed model on the same samples.
    """
    if measure == OUTPUTS or before.loss is None or after.loss is None:
        found = change_of_outputs(before.outputs, after.outputs)
        return found if found > _ROUNDING[OUTPUTS] else 0.0
    found = after.loss - before.loss
    if not np.isfinite(found):
        return float("inf")
    return found if found > _ROUNDING[LOSS] * abs(before.loss) else 0.0


def change_of_outputs(before: Any, after: Any) -> float:
    """Mean squared change of the outputs, as a share of their variance.

    Args:
        before: Outputs of each batch, as tuples of arrays.
        after: The same of the changed model.

    Returns:
        The sum of squared differences over the sum of squared distances from each
        output's mean over the samples; the mean of this over several outputs. An
        output that does not vary is measured in its own squares.
    """
    shares = []
    for number in range(len(before[0])):
        old = np.concatenate([batch[number] for batch in before]).astype(np.float64)
        new = np.concatenate([batch[number] for batch in after]).astype(np.float64)
        variance = float(np.mean((old - old.mean(axis=0)) ** 2))
        scale = variance or float(np.mean(old**2)) or 1.0
        shares.append(float(np.mean((new - old) ** 2)) / scale)
    found = float(np.mean(shares))
    return found if np.isfinite(found) else float("inf")


def can_measure_loss(model: Any, samples: Batches) -> bool:
    """Whether a model is compiled with a loss, and the samples have labels."""
    return bool(
        samples.labeled and model.compiled and getattr(model, "loss", None) is not None
    )


def metrics(model: Any, samples: Batches) -> dict[str, float]:
    """Loss and metrics of a model, by Keras' names; empty where it has none.

    Args:
        model: Its metrics are reset.
        samples: What it is run on.

    Raises:
        DataError: The labels do not fit the loss.
    """
    if not can_measure_loss(model, samples):
        return {}
    try:
        found = model.evaluate(
            _once(samples), steps=len(samples.batches), verbose=0, return_dict=True
        )
    except Exception as error:
        raise DataError(
            "The labels must match the model's loss. Received: labels for which "
            f"{model.loss!r} fails: {error}. Change the labels or the loss."
        ) from error
    return {name: float(value) for name, value in found.items()}


def _once(samples: Batches) -> Iterator[tuple[Any, ...]]:
    """The batches as Keras takes them."""
    for x, y, weight in samples.batches:
        yield (x, y) if weight is None else (x, y, weight)
