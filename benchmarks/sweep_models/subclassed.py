"""Subclassed models, written as people write them."""

import inspect

from benchmarks.sweep_models import forms
from benchmarks.sweep_models import nets
from benchmarks.sweep_models import trainers
from benchmarks.sweep_models.case import Case

_MODULES = (trainers, nets, forms)


def cases() -> dict[str, Case]:
    """Every case by name."""
    return {name: case for module in _MODULES for name, case in module.CASES.items()}


def custom_objects() -> dict[str, type]:
    """The classes of the cases, as Keras takes them."""
    return {
        name: value
        for module in _MODULES
        for name, value in vars(module).items()
        if inspect.isclass(value) and value.__module__ == module.__name__
    }
