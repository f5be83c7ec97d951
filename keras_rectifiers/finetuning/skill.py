"""What the outputs of a model say about the labels, and how two of them differ."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras.src.backend.common import masking

from keras_rectifiers.files.data import Data
from keras_rectifiers.files.structures import leaves
from keras_rectifiers.files.structures import mapped
from keras_rectifiers.live import layers
from keras_rectifiers.live.outputs import outputs_of

#: How often predictions are dealt out anew.
_DEALS = 8
#: Change of a loss, or of outputs, as a share, that may be rounding.
_ROUNDING = 1e-6
#: Skill up to which it is asked whether it is more than chance, and the deviations
#: from which on it is (of 8 deals, about one in a hundred by chance).
_LOW, _SURE = 0.1, 3.0
_BATCH = 256


def difference(before: Any, after: Any) -> float:
    """Greatest |difference| of two structures of outputs; 0.0 for the same bytes.

    NaN where they differ in what is a number, as in `verify`.
    """
    pairs = zip(keras.tree.flatten(before), keras.tree.flatten(after), strict=True)
    gaps = [0.0]
    for old, new in pairs:
        if np.asarray(old).tobytes() != np.asarray(new).tobytes():
            gap = np.abs(np.asarray(old, np.float64) - np.asarray(new, np.float64))
            both = np.isnan(old) & np.isnan(new)
            gaps.append(float(np.max(np.where(both, 0.0, gap))))
    return float(np.max(gaps))


def skill(model: Any, sample: Data, outputs: Any, seed: int) -> float | None:
    """How much better predictions are than the same ones dealt out at random.

    Args:
        model: The compiled model.
        sample: Inputs, labels and weights.
        outputs: The predictions for these inputs.
        seed: Of the deals.

    Returns:
        A share of the loss: 1 at best, 0 where the predictions say nothing about
        the labels. None where that cannot be known: the labels are all the same, or
        the model has its own loss that takes no notice of them.
    """
    found = _figures(model, sample, outputs, seed)
    return None if found is None else found[0]


def _figures(
    model: Any, sample: Data, outputs: Any, seed: int
) -> tuple[float, float] | None:
    """The skill, and how many deviations of the deals it lies above chance."""
    if sample.y is None or _constant(sample.y):
        return None
    for loss in _losses(model, sample, outputs):
        found = _compared(loss, sample.samples or 0, seed)
        if found is None:
            continue
        right, dealt = found
        if not np.isfinite([right, *dealt]).all():
            return 0.0, 0.0
        chance = float(np.mean(dealt))
        scale = max(abs(chance), abs(right))
        if _constant(outputs):
            return 0.0 if scale == 0 else (chance - right) / scale, 0.0
        if np.ptp([right, *dealt]) <= _ROUNDING * scale:
            continue  # this loss does not depend on the labels
        error = float(np.std(dealt, ddof=1)) or _ROUNDING * scale
        return (chance - right) / scale, (chance - right) / error
    return None


def at_chance(model: Any, sample: Data) -> bool:
    """Whether it is known that a model's outputs say nothing about the labels.

    Their skill is low then, and so few deviations above that of predictions dealt
    out at random that chance may have brought it there.

    Args:
        model: A compiled model.
        sample: Inputs, labels and weights.
    """
    found = _figures(model, sample, outputs_of(model, sample.x), 0)
    return found is not None and found[0] <= _LOW and found[1] < _SURE


def _losses(
    model: Any, sample: Data, outputs: Any
) -> list[Callable[[np.ndarray], float]]:
    """Ways to the loss of labels dealt out in an order, the best one first."""
    by_hand = _by_hand(model, sample, outputs)
    own = type(model).test_step is not keras.Model.test_step
    return (
        [_by_evaluate(model, sample)]
        if own
        else [
            by_hand,
            _by_evaluate(model, sample),
        ]
    )


def _compared(
    loss: Callable[[np.ndarray], float], samples: int, seed: int
) -> tuple[float, list[float]] | None:
    """The loss as it is, and of each deal; None where it cannot be computed."""
    rng = np.random.default_rng(seed)
    try:
        right = loss(np.arange(samples))
        return right, [loss(rng.permutation(samples)) for _ in range(_DEALS)]
    except Exception:  # noqa: BLE001 - a loss of the user's own may need anything
        return None


def _by_hand(model: Any, sample: Data, outputs: Any) -> Callable[[np.ndarray], float]:
    """From the predictions, without what the model adds to the loss by itself."""
    masks = _masks(model, sample.x, outputs)
    x = _tensors(sample.x)
    y, weight = _tensors(sample.y), _tensors(sample.sample_weight)

    def loss(order: np.ndarray) -> float:
        def dealt(part: Any, mask: Any) -> Any:
            tensor = keras.ops.convert_to_tensor(part[order])
            if mask is not None:
                both = keras.ops.convert_to_tensor(mask & mask[order])
                masking.set_keras_mask(tensor, both)
            return tensor

        flat = keras.tree.flatten(outputs)
        parts = [dealt(*pair) for pair in zip(flat, masks, strict=True)]
        y_pred = keras.tree.pack_sequence_as(outputs, parts)
        value = model._compute_loss(  # noqa: SLF001 - knows older signatures
            x=x, y=y, y_pred=y_pred, sample_weight=weight, training=False
        )
        added = sum(_number(keras.ops.sum(each)) for each in model.losses)
        return _number(value) - added

    return loss


def _by_evaluate(model: Any, sample: Data) -> Callable[[np.ndarray], float]:
    """From what `evaluate` calls the loss: labels are dealt out to predictions."""

    def loss(order: np.ndarray) -> float:
        found = model.evaluate(
            sample.x,
            _rows(sample.y, order),
            sample_weight=_rows(sample.sample_weight, order),
            batch_size=_BATCH,
            verbose=0,
            return_dict=True,
        )
        return float(found["loss"])

    return loss


def _masks(model: Any, x: Any, outputs: Any) -> list[np.ndarray | None]:
    """The mask of each output: of padded sequences only what is there counts."""
    flat = keras.tree.flatten(outputs)
    none: list[np.ndarray | None] = [None] * len(flat)
    if not any(map(_may_mask, layers.flat(model))):
        return none
    try:
        first = _masks_of(model, _rows(x, slice(1)))
        if len(first) != len(flat) or all(mask is None for mask in first):
            return none
        parts = [
            _masks_of(model, _rows(x, slice(start, start + _BATCH)))
            for start in range(0, len(flat[0]), _BATCH)
        ]
        return [
            None if any(mask is None for mask in masks) else np.concatenate(masks)
            for masks in zip(*parts, strict=True)
        ]
    except Exception:  # noqa: BLE001 - `predict` is the user's own, the model is not
        return none


def _may_mask(layer: Any) -> bool:
    """Whether a layer may begin a mask; others at most pass one on."""
    if not layers.is_keras(layer) or isinstance(layer, keras.layers.Masking):
        return True
    return bool(getattr(layer, "mask_zero", False))


def _masks_of(model: Any, x: Any) -> list[np.ndarray | None]:
    found = keras.tree.flatten(model(_tensors(x), training=False))
    masks = [masking.get_keras_mask(each) for each in found]
    return [
        None if mask is None else keras.ops.convert_to_numpy(mask).astype(bool)
        for mask in masks
    ]


def _number(tensor: Any) -> float:
    return float(keras.ops.convert_to_numpy(tensor))


def _rows(value: Any, index: Any) -> Any:
    return mapped(lambda array: array[index], value)


def _tensors(value: Any) -> Any:
    return mapped(keras.ops.convert_to_tensor, value)


def _constant(value: Any) -> bool:
    """Whether all samples are the same, but for rounding."""
    for leaf in leaves(value):
        array = np.asarray(leaf, np.float64)
        scale = float(np.max(np.abs(array), initial=0.0))
        if not np.isfinite(scale):
            return False
        if (np.ptp(array, axis=0) > _ROUNDING * scale).any():
            return False
    return True
