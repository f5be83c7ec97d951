"""Every constructor of Keras' applications, at the smallest input that it takes."""

import inspect
from functools import partial

import keras

from benchmarks.sweep_models.case import Case
from benchmarks.sweep_models.case import Made

#: The smallest sizes of those that do not take 32x32.
_SIZES = {"Inception": 75, "Xception": 71}


def _make(name):
    constructor = getattr(keras.applications, name)
    parameters = inspect.signature(constructor).parameters
    size = next((size for key, size in _SIZES.items() if key in name), 32)
    options = {"weights": None, "input_shape": (size, size, 3)}
    if "include_top" in parameters:
        options |= {"include_top": True, "classes": 4}
    return Made(constructor(**options))


def cases() -> dict[str, Case]:
    """Every constructor by name."""
    names = sorted(
        name
        for name, value in vars(keras.applications).items()
        if callable(value) and name[0].isupper()
    )
    return {name: Case(name, partial(_make, name)) for name in names}


def custom_objects() -> dict[str, type]:
    """None: they are layers of Keras alone."""
    return {}
