"""Seed all random numbers as Keras does, without loading TensorFlow for it."""

from __future__ import annotations

import random
import sys

import keras
import numpy as np
from keras.src.backend.common import global_state
from keras.src.random.seed_generator import GLOBAL_SEED_GENERATOR
from keras.src.utils.rng_utils import GLOBAL_RANDOM_SEED


def seed_everything(seed: int) -> None:
    """Do what `keras.utils.set_random_seed` does.

    That function loads TensorFlow wherever it is installed, which takes seconds; on
    another backend, a program that has not loaded it draws nothing with it.

    Args:
        seed: The seed, an int of at least 0.
    """
    backend = keras.backend.backend()
    if backend == "tensorflow" or "tensorflow" in sys.modules:
        keras.utils.set_random_seed(seed)
        return
    global_state.set_global_attribute(GLOBAL_RANDOM_SEED, seed)
    global_state.set_global_attribute(GLOBAL_SEED_GENERATOR, None)
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002 - what Keras draws with
    if backend == "torch":
        import torch  # noqa: PLC0415 - only the backend in use is there

        torch.manual_seed(seed)
