"""Constraints for slopes."""

from keras_rectifiers.constraints.slope_range import SlopeRange

__all__ = ["SlopeRange"]
