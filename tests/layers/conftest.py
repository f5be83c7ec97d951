"""Values and gradients of a function, the same way on every backend and mode."""

import contextlib

import keras
import ml_dtypes
import pytest
from keras import ops

BACKEND = keras.config.backend()
MODES = {
    "tensorflow": ("eager", "graph", "xla"),
    "jax": ("eager", "xla"),
    "torch": ("eager",),
}[BACKEND]


def _to_tensor(array):
    name = keras.backend.standardize_dtype(array.dtype)
    # Torch does not know NumPy's bfloat16.
    wide = array.astype("float32") if name == "bfloat16" else array
    return ops.convert_to_tensor(wide, dtype=name)


def _to_array(tensor):
    name = keras.backend.standardize_dtype(tensor.dtype)
    if name != "bfloat16":
        return ops.convert_to_numpy(tensor)
    return ops.convert_to_numpy(ops.cast(tensor, "float32")).astype(ml_dtypes.bfloat16)


def _run_tensorflow(function, tensors, dy, mode):
    import tensorflow as tf

    def run(dy, *tensors):
        with tf.GradientTape() as tape:
            tape.watch(tensors)
            y = function(*tensors)
        return y, tape.gradient(y, tensors, output_gradients=dy)

    if mode != "eager":
        run = tf.function(run, jit_compile=mode == "xla")
    return run(dy, *tensors)


def _run_jax(function, tensors, dy, mode):
    import jax

    def run(dy, *tensors):
        y, pull_back = jax.vjp(function, *tensors)
        return y, pull_back(dy)

    return (jax.jit(run) if mode == "xla" else run)(dy, *tensors)


def _run_torch(function, tensors, dy, mode):
    import torch

    del mode
    tensors = [tensor.requires_grad_() for tensor in tensors]
    y = function(*tensors)
    return y, torch.autograd.grad(y, tensors, dy)


_RUN = {"tensorflow": _run_tensorflow, "jax": _run_jax, "torch": _run_torch}[BACKEND]


def _wide_floats():
    """Let JAX compute in float64, which it does not by default."""
    if BACKEND != "jax":
        return contextlib.nullcontext()
    import jax

    return jax.enable_x64(True)


@pytest.fixture(params=MODES)
def pull_back(request):
    """`(function, arrays, dy) -> value, gradients`: arrays in, arrays out."""

    def run(function, arrays, dy):
        with _wide_floats():
            y, gradients = _RUN(
                function,
                [_to_tensor(array) for array in arrays],
                _to_tensor(dy),
                request.param,
            )
            return _to_array(y), [_to_array(gradient) for gradient in gradients]

    return run


def _gradients_tensorflow(function, tensors):
    import tensorflow as tf

    with tf.GradientTape() as tape:
        tape.watch(tensors)
        y = function(*tensors)
    return tape.gradient(y, tensors)


def _gradients_jax(function, tensors):
    import jax

    return jax.grad(function, tuple(range(len(tensors))))(*tensors)


def _gradients_torch(function, tensors):
    import torch

    return torch.autograd.grad(function(*tensors), tensors, create_graph=True)


@pytest.fixture
def differentiable_gradients():
    """`(function, tensors) -> gradients` of a scalar, to be differentiated again."""
    return {
        "tensorflow": _gradients_tensorflow,
        "jax": _gradients_jax,
        "torch": _gradients_torch,
    }[BACKEND]
