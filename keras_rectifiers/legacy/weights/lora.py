"""The factors of low-rank adaptation (LoRA), which an `.h5` lists next to the kernel.

A layer that has them computes with its kernel and their product. The form of Keras 3
has no place for them: Keras adds the product to the kernel when it saves, and opens
the layer with factors whose product is 0.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING
from typing import Any

import numpy as np

from keras_rectifiers.graph.variables.quantized import is_quantized
from keras_rectifiers.graph.variables.variable import Variable
from keras_rectifiers.legacy.array_views import Around
from keras_rectifiers.legacy.weights.owners import Owner
from keras_rectifiers.legacy.weights.shapes import check_shapes

if TYPE_CHECKING:
    from keras_rectifiers.legacy.containers.saved import Array

#: Classes that may have them -> what they have them for.
_ADAPTED = {
    "Conv1D": "kernel",
    "Conv2D": "kernel",
    "Conv3D": "kernel",
    "Dense": "kernel",
    "EinsumDense": "kernel",
    "Embedding": "embeddings",
    "ReversibleEmbedding": "embeddings",
}


@dataclasses.dataclass(frozen=True)
class _Merged(Around):
    """A kernel with the product of its factors, read when it is asked for."""

    factors: tuple[Array, Array]
    scale: float

    def read(self) -> np.ndarray[Any, Any]:
        """The kernel's values with the product added, in the kernel's type."""
        kernel = self.array.read()
        a, b = (each.read().astype("float32") for each in self.factors)
        change = np.float32(self.scale) * np.matmul(a, b)
        merged: np.ndarray[Any, Any] = (kernel + change).astype(kernel.dtype)
        return merged


def apart(owner: Owner) -> Owner:
    """The same layer, as it lists its factors among its variables.

    Args:
        owner: A layer, of whatever class.
    """
    kernel = _adapted(owner)
    if kernel is None:
        return owner
    shape = kernel.shape or ()
    rank = owner.place.config["lora_rank"]
    names = [f"lora_{kernel.name}_{each}" for each in "ab"]
    shapes = [(*shape[:-1], rank), (rank, shape[-1])]
    factors = (
        Variable(name, ("lora", name), (name,), shape)
        for name, shape in zip(names, shapes, strict=True)
    )
    fixed = dataclasses.replace(kernel, trainable=False)
    kept = (fixed if each is kernel else each for each in owner.stored)
    every = (*kept, *factors)
    return dataclasses.replace(owner, variables=every, stored=every)


def merged(owner: Owner, arrays: list[Array]) -> list[Array]:
    """The arrays of a layer, its factors in its kernel.

    Args:
        owner: A layer, of whatever class.
        arrays: What is stored of `apart(owner)`, in that order; none where the file
            has nothing for the layer.

    Raises:
        ArchiveError: They are not those of the layer.
    """
    kernel = _adapted(owner)
    if kernel is None or not arrays:
        return arrays
    check_shapes(owner, apart(owner).stored, arrays)
    config = owner.place.config
    rank, alpha = config["lora_rank"], config.get("lora_alpha")
    scale = (rank if alpha is None else alpha) / rank
    *own, a, b = arrays
    return [
        _Merged(array, (a, b), scale) if variable is kernel else array
        for variable, array in zip(owner.stored, own, strict=True)
    ]


def _adapted(owner: Owner) -> Variable | None:
    """The variable that has factors, where a layer has any."""
    config = owner.place.config
    rank = config.get("lora_rank")
    name = _ADAPTED.get(owner.class_name)
    if not isinstance(rank, int) or rank < 1 or owner.custom or is_quantized(config):
        return None
    return next((each for each in owner.stored if each.name == name), None)
