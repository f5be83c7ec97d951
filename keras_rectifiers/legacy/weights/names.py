"""What the name of a stored array says about it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from keras_rectifiers.legacy.containers.saved import Array

#: TensorFlow's output number, and the number that makes a name unique.
_NUMBERS = re.compile(r"(_\d+)?(:\d+)?$")

#: Variables of Keras 2 and 3 whose names end as they do in Keras 3.
_SAME = (
    "alpha beta bias count embeddings gamma kernel mean moving_mean moving_stddev "
    "moving_variance pointwise_kernel recurrent_kernel renorm_mean renorm_stddev "
    "variance kernel_scale kernel_zero g_idx inputs_scale inputs_amax_history "
    "kernel_amax_history outputs_grad_scale outputs_grad_amax_history "
    "embeddings_scale embeddings_zero reverse_embeddings reverse_embeddings_scale "
    "reverse_embeddings_zero lora_kernel_a lora_kernel_b lora_embeddings_a "
    "lora_embeddings_b"
)
#: How names end -> the variables, as Keras 3 calls them, that may be meant.
_MEANINGS = {
    **{name: (name,) for name in _SAME.split()},
    "W": ("kernel", "embeddings"),
    "U": ("recurrent_kernel",),
    "b": ("bias",),
    "alphas": ("alpha",),
    "depthwise_kernel": ("depthwise_kernel", "kernel"),
    "running_mean": ("moving_mean",),
    "running_std": ("moving_variance",),
    "running_var": ("moving_variance",),
    "sn_u": ("vector_u",),
}
#: How the states of TensorFlow's random generators are called.
_STATES = frozenset(["StateVar", "Variable", "seed_generator_state"])

_ENDS = sorted(_MEANINGS, key=len, reverse=True)


def may_be(stored: str, expected: str) -> bool:
    """Whether a stored array's name allows that it is a certain variable.

    A name that says nothing, such as `param_0`, allows everything.

    Args:
        stored: The array's name: `"dense_1/kernel:0"`, `"dense_1_W"`.
        expected: The variable's name, of Keras 3 or of an older one.
    """
    here, there = _meanings(stored), _meanings(expected)
    return here is None or there is None or not here.isdisjoint(there)


def says(stored: str, layer: str, expected: str) -> bool:
    """Whether a stored array's name says that it is a layer's variable.

    Args:
        stored: The array's name.
        layer: The layer's own name.
        expected: The variable's name.
    """
    *around, _ = stored.split("/")
    *parts, last = expected.split("/")
    here, there = _meanings(stored), _meanings(last)
    if here is None or there is None or here.isdisjoint(there):
        return False
    return layer in around and all(part in around for part in parts)


def is_generator_state(array: Array) -> bool:
    """Whether an array is the state of a random generator, which is not a weight.

    Layers that change images at random have one in files of Keras 2.4 to 2.8.

    Args:
        array: A stored array.
    """
    last = _NUMBERS.sub("", array.name.rsplit("/", 1)[-1])
    return last in _STATES and array.dtype.kind in "iu" and len(array.shape) == 1


def _meanings(name: str) -> frozenset[str] | None:
    last = _NUMBERS.sub("", name.rsplit("/", 1)[-1])
    for end in _ENDS:
        if last == end or last.endswith(f"_{end}"):
            return frozenset(_MEANINGS[end])
    return None
