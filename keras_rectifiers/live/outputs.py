"""The outputs of a live model in inference mode."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from keras_rectifiers.live import processes
from keras_rectifiers.live.state import inference_mode
from keras_rectifiers.live.state import to_numpy

_BATCH = 256


def outputs_of(model: Any, x: Any) -> Any:
    """Outputs of a model for arrays, as arrays in Keras' structure.

    Of several processes each computes all of them: `predict` would read parts of the
    outputs that other processes have.

    Args:
        model: A built model.
        x: An array, or a structure of arrays.
    """
    if processes.count() == 1:
        return model.predict(x, batch_size=_BATCH, verbose=0)
    mode = inference_mode(model)
    samples = len(keras.tree.flatten(x)[0])
    parts = []
    for start in range(0, samples, _BATCH):
        rows = slice(start, start + _BATCH)
        batch = keras.tree.map_structure(lambda leaf, rows=rows: leaf[rows], x)
        parts.append(keras.tree.map_structure(to_numpy, model(batch, **mode)))
    return keras.tree.map_structure(lambda *each: np.concatenate(each), *parts)
