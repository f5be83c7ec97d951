"""What the outputs of a model say about the labels, and how two of them differ."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

#: How often predictions are dealt out anew.
_DEALS = 8


def predictions(model: Any, x: Any) -> Any:
    """Outputs of a model in inference mode, as arrays."""
    return model.predict(x, batch_size=256, verbose=0)


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


def skill(model: Any, labels: Any, outputs: Any, seed: int) -> float:
    """How much better predictions are than the same ones dealt out at random."""
    loss = _loss(model, labels, outputs)
    samples = len(keras.tree.flatten(outputs)[0])
    rng = np.random.default_rng(seed)
    dealt = []
    for _ in range(_DEALS):
        order = rng.permutation(samples)
        mixed = keras.tree.map_structure(lambda part: part[order], outputs)  # noqa: B023
        dealt.append(_loss(model, labels, mixed))
    chance = float(np.mean(dealt))
    scale = max(abs(chance), abs(loss))
    if not np.isfinite([loss, chance]).all() or scale == 0:
        return 0.0
    return (chance - loss) / scale


def _loss(model: Any, labels: Any, outputs: Any) -> float:
    as_tensors = keras.tree.map_structure(keras.ops.convert_to_tensor, outputs)
    y = keras.tree.map_structure(keras.ops.convert_to_tensor, labels)
    loss = model.compute_loss(y=y, y_pred=as_tensors, training=False)
    return float(keras.ops.convert_to_numpy(loss))
