"""What the name of a stored array says about it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from keras_rectifiers.errors import UnsupportedModelError
from keras_rectifiers.saved.weights.shapes import listed

if TYPE_CHECKING:
    from keras_rectifiers.saved.containers.saved import Array

#: TensorFlow's output number, and the number that makes a name unique.
_NUMBERS = re.compile(r"(_\d+)?(:\d+)?$")

#: How names end -> the variables, as Keras 3 calls them, that may be meant.
_MEANINGS = {
    "W": ("kernel", "embeddings"),
    "U": ("recurrent_kernel",),
    "b": ("bias",),
    "alpha": ("alpha",),
    "alphas": ("alpha",),
    "beta": ("beta",),
    "bias": ("bias",),
    "count": ("count",),
    "depthwise_kernel": ("depthwise_kernel", "kernel"),
    "embeddings": ("embeddings",),
    "gamma": ("gamma",),
    "kernel": ("kernel",),
    "mean": ("mean",),
    "moving_mean": ("moving_mean",),
    "moving_stddev": ("moving_stddev",),
    "moving_variance": ("moving_variance",),
    "pointwise_kernel": ("pointwise_kernel",),
    "recurrent_kernel": ("recurrent_kernel",),
    "renorm_mean": ("renorm_mean",),
    "renorm_stddev": ("renorm_stddev",),
    "running_mean": ("moving_mean",),
    "running_std": ("moving_variance",),
    "running_var": ("moving_variance",),
    "sn_u": ("vector_u",),
    "variance": ("variance",),
}
#: How the states of TensorFlow's random generators are called.
_STATES = frozenset(["StateVar", "Variable", "seed_generator_state"])

_ENDS = sorted(_MEANINGS, key=len, reverse=True)


def may_be(stored: str, wanted: str) -> bool:
    """Whether a stored array's name allows that it is a certain variable.

    A name that says nothing, such as `param_0`, allows everything.

    Args:
        stored: The array's name: `"dense_1/kernel:0"`, `"dense_1_W"`.
        wanted: The variable's name, of Keras 3 or of an older one.
    """
    here, there = _meanings(stored), _meanings(wanted)
    return here is None or there is None or not here.isdisjoint(there)


def says(stored: str, layer: str, wanted: str) -> bool:
    """Whether a stored array's name says that it is a layer's variable.

    Args:
        stored: The array's name.
        layer: The layer's own name.
        wanted: The variable's name.
    """
    *around, _ = stored.split("/")
    *parts, last = wanted.split("/")
    here, there = _meanings(stored), _meanings(last)
    if here is None or there is None or here.isdisjoint(there):
        return False
    return layer in around and all(part in around for part in parts)


def is_generator_state(array: Array) -> bool:
    """Whether an array is a random generator's state, which is no weight.

    Layers that change images at random have one in files of Keras 2.4 to 2.8.

    Args:
        array: A stored array.
    """
    last = _NUMBERS.sub("", array.name.rsplit("/", 1)[-1])
    return last in _STATES and array.dtype.kind in "iu" and len(array.shape) == 1


def check_direct(arrays: Sequence[Array], layer: str, group: str) -> None:
    """Refuse arrays of layers inside a layer of an unknown class.

    Where such layers are kept is known to the class alone.

    Args:
        arrays: The arrays of the layer.
        layer: Its name.
        group: Name of the list that the arrays are in.

    Raises:
        UnsupportedModelError: One is not the layer's own.
    """
    deeper = []
    for array in arrays:
        parts = array.name.split("/")
        if parts[0] == group and len(parts) > 1:
            parts = parts[1:]
        while layer in parts[:-1]:
            parts = parts[parts.index(layer) + 1 :]
        if len(parts) > 1:
            deeper.append(array)
    if deeper:
        raise UnsupportedModelError(
            "The weights of a custom layer must be its own variables. Received: "
            f"{listed(deeper)} of layers inside {layer!r}. Build the model in Keras 3 "
            "with its custom classes, set its weights there, and save it as .keras."
        )


def _meanings(name: str) -> frozenset[str] | None:
    last = _NUMBERS.sub("", name.rsplit("/", 1)[-1])
    for end in _ENDS:
        if last == end or last.endswith(f"_{end}"):
            return frozenset(_MEANINGS[end])
    return None
