"""A constraint that keeps slopes within bounds; saved files can name it."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from keras_rectifiers import specs
from keras_rectifiers.layers import arguments


@keras.saving.register_keras_serializable(package=specs.PACKAGE)
class SlopeRange(keras.constraints.Constraint):
    """Keeps slopes within bounds, by moving what is outside to the nearer bound.

    A PReLU with slopes from 0 to 1 is monotone and enlarges nothing.

    Args:
        lowest: Float, default 0.
        highest: Float, default 1.

    Raises:
        TypeError: A bound is not a number.
        ValueError: A bound is not finite, or `lowest` is above `highest`.

    Example:
        >>> import keras_rectifiers
        >>> layer = keras_rectifiers.layers.PReLU(
        ...     alpha_constraint=keras_rectifiers.constraints.SlopeRange(0.0, 0.5)
        ... )
        >>> layer.alpha_constraint.highest
        0.5
    """

    # The module that a saved file names must not move with the source.
    __module__ = specs.CONSTRAINTS_MODULE

    def __init__(self, lowest: float = 0.0, highest: float = 1.0) -> None:
        self.lowest = arguments.finite_number(lowest, "lowest", "SlopeRange")
        self.highest = arguments.finite_number(highest, "highest", "SlopeRange")
        if self.lowest > self.highest:
            raise ValueError(
                "lowest of SlopeRange must not be above highest. Received: "
                f"lowest={lowest}, highest={highest}. Swap them."
            )

    def __call__(self, w: Any) -> Any:
        return ops.clip(w, self.lowest, self.highest)

    def get_config(self) -> dict[str, Any]:
        return {"lowest": self.lowest, "highest": self.highest}
