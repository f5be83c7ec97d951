"""Bring dead units back: new incoming weights, outgoing weights at zero."""

from keras_rectifiers.revival.revive import Revived
from keras_rectifiers.revival.revive import revive

__all__ = ["Revived", "revive"]
