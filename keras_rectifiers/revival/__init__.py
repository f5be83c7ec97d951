"""New weights: for dead units one by one, or for a whole model."""

from keras_rectifiers.revival.norms import reset_norms
from keras_rectifiers.revival.restart import Restarted
from keras_rectifiers.revival.restart import restart
from keras_rectifiers.revival.revive import Revived
from keras_rectifiers.revival.revive import revive

__all__ = ["Restarted", "Revived", "reset_norms", "restart", "revive"]
