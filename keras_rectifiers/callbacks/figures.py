"""What a diagnosis gives to the logs."""

from __future__ import annotations

from keras_rectifiers.diagnosis import verdicts
from keras_rectifiers.diagnosis.result import Diagnosis


def figures_of(diagnosis: Diagnosis, *, per_layer: bool) -> dict[str, float]:
    """Shares of units in 0..1, by key of the logs.

    Args:
        diagnosis: What was measured.
        per_layer: Whether each layer has its own figures, after those of the model.
    """
    figures = {
        "dead_fraction": diagnosis.dead_fraction,
        "silent_fraction": diagnosis.silent_fraction,
        "not_finite_fraction": (
            diagnosis.count(verdicts.NOT_FINITE) / max(diagnosis.units, 1)
        ),
    }
    for layer in diagnosis.layers if per_layer else ():
        figures[f"dead_fraction/{layer.layer}"] = layer.dead_fraction
        figures[f"silent_fraction/{layer.layer}"] = layer.silent_fraction
        figures[f"not_finite_fraction/{layer.layer}"] = layer.not_finite / layer.units
    return figures
