"""Read the state of a live model: its variables as they are now, as numpy arrays."""

from __future__ import annotations

import contextlib
from typing import Any

import keras
import numpy as np
import numpy.typing as npt


def synchronize(model: Any) -> None:
    """Bring all state of a model up to date before it is read or changed.

    While `fit` runs on JAX, weights, metrics and the optimizer's variables are kept
    outside the model; elsewhere nothing is to be done.

    Args:
        model: A Keras model.
    """
    if hasattr(model, "jax_state_sync"):
        model.jax_state_sync()


def steps_taken(model: Any) -> int:
    """Steps that the optimizer of a compiled model has taken.

    Args:
        model: A compiled model; its state is synchronized.
    """
    synchronize(model)
    return int(to_numpy(model.optimizer.iterations))


def inference_mode(model: Any) -> dict[str, Any]:
    """Keyword arguments of a call of a model that put it into inference mode.

    Args:
        model: A Keras model; one whose `call` takes no `training` gets none.
    """
    takes_training = getattr(model, "_call_has_training_arg", True)
    return {"training": False} if takes_training else {}


def no_gradients() -> contextlib.AbstractContextManager[Any]:
    """A context in which torch keeps no graph; the other backends keep none anyway."""
    if keras.backend.backend() != "torch":
        return contextlib.nullcontext()
    import torch  # noqa: PLC0415 - only the backend in use is there

    return torch.no_grad()


def to_numpy(value: Any, dtype: npt.DTypeLike | None = None) -> npt.NDArray[Any]:
    """A variable or tensor as an array, which may share its memory.

    Args:
        value: A variable or tensor outside any trace.
        dtype: Of the array. Default None: that of the value.
    """
    if isinstance(value, keras.Variable):
        value = value.value
    return np.asarray(keras.ops.convert_to_numpy(value), dtype)


def copy_of(value: Any, dtype: npt.DTypeLike | None = None) -> npt.NDArray[Any]:
    """A variable or tensor as a copied array, which can be written to.

    Args:
        value: See `to_numpy`.
        dtype: See `to_numpy`.
    """
    return np.array(to_numpy(value, dtype))
