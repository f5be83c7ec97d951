"""What a test costs depends on the backend."""

import keras
import pytest


def slow_on_jax(*values):
    """Arguments of a test that JAX compiles or runs step by step for half a minute.

    They belong to its slow sweep; the other backends try them by default.
    """
    slow = keras.config.backend() == "jax"
    return pytest.param(*values, marks=[pytest.mark.slow] if slow else [])
