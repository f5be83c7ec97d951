"""What a diagnosis says first, and the next step, in sentences.

Plain data; Keras is never imported here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from keras_rectifiers.diagnosis import verdicts
from keras_rectifiers.diagnosis.evidence.lag import lag

if TYPE_CHECKING:
    from keras_rectifiers.diagnosis.layer_diagnosis import LayerDiagnosis
    from keras_rectifiers.diagnosis.result import Diagnosis

#: What brings dead units back, in Python and on the command line.
FINETUNE = "keras_rectifiers.finetune(model, (x, y))"
FINETUNE_COMMAND = "keras-rectifiers finetune MODEL --data DATA --out OUT"
#: What brings back units that only moving statistics silence.
REFRESH = "keras_rectifiers.revival.refresh_statistics(model, x)"
#: Share of its channels that are off, from which a layer is.
_LAGS = 0.1


def outputs(diagnosis: Diagnosis) -> list[str]:
    """One sentence for each output of the model that has dead units.

    Args:
        diagnosis: The diagnosis.
    """
    return [_output(diagnosis.layer(path)) for path in diagnosis.dead_outputs]


def _output(layer: LayerDiagnosis) -> str:
    if layer.dead == layer.units:
        return (
            f"The model's output {layer.layer!r} is dead: it predicts 0 for every "
            "sample."
        )
    verb, they = ("is", "it predicts") if layer.dead == 1 else ("are", "they predict")
    return (
        f"{layer.dead:,} of {layer.units:,} units of the model's output "
        f"{layer.layer!r} {verb} dead: {they} 0 for every sample."
    )


def waking(diagnosis: Diagnosis) -> str:
    """How many silent units fire with the statistics of the batch; empty if none does.

    Args:
        diagnosis: The diagnosis.
    """
    if not diagnosis.waking:
        return ""
    verb = "fires" if diagnosis.waking == 1 else "fire"
    return (
        f"{diagnosis.waking:,} of {_silent(diagnosis):,} silent units {verb} with the "
        "batch's own statistics, not with the moving ones."
    )


def next_step(diagnosis: Diagnosis, *, command_line: bool = False) -> str:
    """What to do next about dead units; empty where none is dead.

    Args:
        diagnosis: The diagnosis.
        command_line: Whether it is read on the command line.
    """
    if diagnosis.count(verdicts.NOT_FINITE) or not diagnosis.count(verdicts.DEAD):
        return ""
    if 2 * (diagnosis.waking or 0) > _silent(diagnosis) and _lags(diagnosis):
        return f"Next step: {REFRESH}, then diagnose again."
    return f"Next step: {FINETUNE_COMMAND if command_line else FINETUNE}"


def count_waking(diagnosis: Diagnosis) -> int | None:
    """How many silent units fire with the statistics of the batch.

    Args:
        diagnosis: The diagnosis.

    Returns:
        None where that was not looked at.
    """
    evidence = diagnosis.evidence
    if evidence is None or not evidence.norms:
        return None
    count = 0
    for layer in diagnosis.layers:
        known = evidence.rectifier(layer.layer)
        if known is not None and known.batch_maximum is not None:
            count += int(np.sum(layer.silent & (known.batch_maximum > 0)))
    return count


def _lags(diagnosis: Diagnosis) -> bool:
    """Whether the moving statistics of some layer are not those of the data."""
    norms = () if diagnosis.evidence is None else diagnosis.evidence.norms
    return any(lag(each).mean() >= _LAGS for each in norms)


def _silent(diagnosis: Diagnosis) -> int:
    return sum(int(layer.silent.sum()) for layer in diagnosis.layers)
