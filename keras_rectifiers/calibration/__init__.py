"""Slopes chosen from data, and biases that absorb what the slopes shift."""

from typing import TYPE_CHECKING

from keras_rectifiers import _lazy

if TYPE_CHECKING:
    from keras_rectifiers.calibration.choosing import calibrate as calibrate

__getattr__, __dir__, __all__ = _lazy.attach(
    __name__,
    {
        "calibration.choosing": ("calibrate",),
    },
)
