"""Leaky ReLU: a small fixed slope for negative input."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from keras_rectifiers import specs
from keras_rectifiers.layers import arguments
from keras_rectifiers.layers import kernels


@keras.saving.register_keras_serializable(package=specs.PACKAGE, name="LeakyReLU")
class LeakyReLU(keras.layers.Layer):
    """Rectifier with one fixed slope for negative input, and an optional cap."""

    # The module that a saved file names must not move with the source.
    __module__ = specs.LAYERS_MODULE

    def __init__(
        self,
        negative_slope: float = specs.DEFAULT_NEGATIVE_SLOPE,
        max_value: float | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        name = type(self).__name__
        self.negative_slope = arguments.finite_number(
            negative_slope, "negative_slope", name
        )
        self.max_value = arguments.upper_bound(max_value, name)
        self.supports_masking = True
        self.built = True

    def call(self, inputs: Any) -> Any:
        x = ops.convert_to_tensor(inputs, dtype=self.compute_dtype)
        return kernels.leaky_relu(x, self.negative_slope, self.max_value)

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "negative_slope": self.negative_slope,
            "max_value": self.max_value,
        }
