"""Set-up that every test shares: a quiet backend, and the same numbers each time.

The tests run on the backend that KERAS_BACKEND names (by default TensorFlow).
"""

import gc
import os
import tempfile

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# Each function is compiled once and run a few times: optimizing it would not pay.
os.environ.setdefault("JAX_DISABLE_MOST_OPTIMIZATIONS", "1")
# On some processors TensorFlow leaves it off, and then has no NCHW convolution.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
# No test needs an accelerator, and rounding differs there.
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

# JAX compiles the same programs for many tests: the processes of a run share them.
if "JAX_COMPILATION_CACHE_DIR" not in os.environ:
    _COMPILED = tempfile.TemporaryDirectory()
    os.environ |= {
        "JAX_COMPILATION_CACHE_DIR": _COMPILED.name,
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
    }

import hypothesis
import numpy as np
import pytest

# A model is millions of small objects; looking for garbage among them every few
# hundred took a fifth of the time.
gc.set_threshold(50_000, 20, 20)

# Compiling a graph makes the first example slow; a deadline would be a coin toss.
hypothesis.settings.register_profile(
    "quiet", deadline=None, derandomize=True, max_examples=40
)
hypothesis.settings.load_profile("quiet")


@pytest.fixture(autouse=True)
def _same_numbers_each_time():
    """Seed every generator, and silence Keras' progress bars."""
    import keras  # not at the top: the process that only hands out tests needs none

    keras.utils.set_random_seed(7)
    keras.utils.disable_interactive_logging()


@pytest.fixture(autouse=True)
def _eager_where_it_is_enough(request):
    """Let TensorFlow trace nothing in tests of surgery, but for those marked `traced`.

    They are about documents and weights; tracing takes seconds for each model.
    """
    import keras

    if keras.config.backend() != "tensorflow":
        yield
        return
    import tensorflow as tf

    surgery = request.path.parent.name in ("surgery", "conversion")
    tf.config.run_functions_eagerly(surgery and "traced" not in request.keywords)
    yield
    tf.config.run_functions_eagerly(False)


@pytest.fixture
def rng():
    """A seeded NumPy generator."""
    return np.random.default_rng(7)
