"""Which cases of a test run by default, and which belong to the slow sweeps."""

import keras
import pytest


def slow_on_jax(*values):
    """Arguments of a test that JAX compiles or runs step by step for half a minute.

    They belong to its slow sweep; the other backends try them by default.
    """
    slow = keras.config.backend() == "jax"
    return pytest.param(*values, marks=[pytest.mark.slow] if slow else [])


def some_by_default(values, fast):
    """All values as arguments of a test; those that are not `fast` are slow ones.

    For tests that repeat one law over many kinds, each of which costs a second.
    """
    return [
        pytest.param(each, marks=[] if each in fast else [pytest.mark.slow])
        for each in values
    ]
