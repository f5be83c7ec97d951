"""What is wrong with a model, before anything is done: its units, and its skill."""

from __future__ import annotations

import dataclasses
from typing import Any

import keras
import numpy as np

from keras_rectifiers.diagnosis.diagnose import diagnose
from keras_rectifiers.diagnosis.result import Diagnosis
from keras_rectifiers.files.data import Data
from keras_rectifiers.revival.norms import batch_norms

#: How often predictions are dealt out anew.
_DEALS = 8


@dataclasses.dataclass(frozen=True, eq=False)
class Findings:
    """What a look at a model on a sample of its training data gave."""

    #: Units on the sample.
    diagnosis: Diagnosis
    #: How much better the predictions are than the same ones dealt out to samples
    #: at random, as a share of the loss: 1 at best, 0 where they say nothing about
    #: the labels, as where the output is a constant.
    skill: float
    #: Batch normalisations that learn.
    norms: int
    #: Predictions of the sample, as arrays in Keras' structure.
    outputs: Any

    @property
    def dead_fraction(self) -> float:
        """Share of all units without gradient, 0..1."""
        return self.diagnosis.dead_fraction if self.diagnosis.layers else 0.0


def fractions(diagnosis: Diagnosis) -> dict[str, float]:
    """Shares of dead and silent units; nothing for a model without rectifiers."""
    if not diagnosis.layers:
        return {}
    return {
        "dead_fraction": diagnosis.dead_fraction,
        "silent_fraction": diagnosis.silent_fraction,
    }


def find(model: Any, sample: Data, probe: Any, seed: int) -> Findings:
    """Look at a compiled model.

    Args:
        model: The model; not changed.
        sample: Inputs and labels to measure the skill on.
        probe: Inputs on which units are watched.
        seed: Of the deals.
    """
    outputs = predictions(model, sample.x)
    return Findings(
        diagnose(model, probe, batch_size=256, explain=False),
        _skill(model, sample.y, outputs, seed),
        len(list(batch_norms(model))),
        outputs,
    )


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


def _skill(model: Any, labels: Any, outputs: Any, seed: int) -> float:
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
