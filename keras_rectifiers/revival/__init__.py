"""New weights: for dead units one by one, or for a whole model."""

from keras_rectifiers.revival.norms import reset_norms
from keras_rectifiers.revival.outputs import revive_outputs
from keras_rectifiers.revival.restart import restart
from keras_rectifiers.revival.revive import revive
from keras_rectifiers.revival.statistics import refresh_statistics

__all__ = [
    "refresh_statistics",
    "reset_norms",
    "restart",
    "revive",
    "revive_outputs",
]
