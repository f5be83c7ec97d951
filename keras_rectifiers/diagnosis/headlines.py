"""What a diagnosis says first, and the next step, in sentences.

Plain data; Keras is never imported here. The next step is looked up in the explanation,
which is imported when it is asked for, since it reads a diagnosis.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from keras_rectifiers.diagnosis import calls
from keras_rectifiers.diagnosis import verdicts

if TYPE_CHECKING:
    from keras_rectifiers.diagnosis.layer_diagnosis import LayerDiagnosis
    from keras_rectifiers.diagnosis.result import Diagnosis


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


def next_step(diagnosis: Diagnosis) -> str:
    """What to do next about dead units, in Python; empty where none is dead.

    It is what the explanation advises for the likeliest cause.

    Args:
        diagnosis: The diagnosis.
    """
    from keras_rectifiers.diagnosis.causes.explain import explain  # noqa: PLC0415

    if diagnosis.count(verdicts.NOT_FINITE) or not diagnosis.count(verdicts.DEAD):
        return ""
    likeliest = explain(diagnosis).first
    call = likeliest.call if likeliest else calls.FINETUNE
    again = ", then diagnose again." if call == calls.REFRESH else ""
    return f"Next step: {call}{again}"


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


def _silent(diagnosis: Diagnosis) -> int:
    return sum(int(layer.silent.sum()) for layer in diagnosis.layers)
