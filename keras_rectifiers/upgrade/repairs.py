"""What was repaired in an old model, for people to read."""

from keras_rectifiers.repairs import Repair

__all__ = ["Repair"]
