"""The form in which rectifiers are traced, by what the runtime computes fast."""

from __future__ import annotations

from typing import Any

from keras_rectifiers.exporting import formats
from keras_rectifiers.exporting.prepare import slopes_of
from keras_rectifiers.exporting.prepare import with_slopes
from keras_rectifiers.exporting.request import Request
from keras_rectifiers.layers.tracing import Form


def rectifier_form(model: Any, request: Request) -> Form:
    """The form in which the rectifiers are traced: see `layers.tracing`.

    LiteRT's PReLU is slow in int8, so there it is a sum, where no slope is above 1.

    Args:
        model: The model.
        request: The request.
    """
    fits = all((slopes_of(each) <= 1).all() for each in with_slopes(model))
    integer = request.precision == formats.INT8 and request.format == "litert"
    return "sum" if fits and (integer or request.arithmetic) else "prelu"
