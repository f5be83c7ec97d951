"""Where weights come from: a `.keras` file, an `.h5` file, or a live model.

Each source has `read(place, names, slot)`, and gives arrays, or what can be indexed
like arrays and is read from the file only then. Files are untrusted: what an array
declares is held against the size of the file before anything is allocated.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from keras_rectifiers.errors import UnsupportedModelError
from keras_rectifiers.surgery.document import Entry
from keras_rectifiers.surgery.document import Place
from keras_rectifiers.surgery.document import walk
from keras_rectifiers.surgery.layout import stored
from keras_rectifiers.surgery.sites import SLOT

#: How often a file may be read as a whole, through layers that are called often.
_MAX_READS = 100
#: ... and what may always be read.
_SMALL = 1 << 30

#: Other names of weights: those of Keras 2, and of attributes.
_ALIASES = {
    "kernel": ("kernel", "depthwise_kernel"),
    "mean": ("adapt_mean", "mean"),
    "variance": ("adapt_variance", "variance"),
}


@dataclasses.dataclass(frozen=True)
class Stored:
    """An array in a file; indexing reads."""

    dataset: Any

    @property
    def shape(self) -> tuple[int, ...]:
        """Its declared shape."""
        return tuple(self.dataset.shape)

    def __getitem__(self, key: Any) -> Any:
        return _floats(np.asarray(self.dataset[key]))

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        return np.asarray(self[()], dtype)


class FileSource:
    """Weights of a file: where each layer has them is up to the subclass.

    Args:
        size: Length of the file in bytes.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._left = max(_MAX_READS * size, _SMALL)

    def checked(self, dataset: Any, name: str) -> Stored:
        """A dataset, once its declared size is plausible.

        Raises:
            ValueError: It declares more than the file can hold, or no numbers.
        """
        size = dataset.nbytes
        dtype = dataset.dtype
        numbers = dtype.kind in "fui" or (dtype.kind == "V" and dtype.itemsize == 2)  # noqa: PLR2004
        if not numbers or not 0 < size <= self._size:
            raise ValueError(
                f"{size} bytes of {dtype} at {name!r}, in a file of {self._size} bytes"
            )
        self._left -= size
        if self._left < 0:
            raise ValueError(f"layers that are called too often, such as {name!r}")
        return Stored(dataset)


class ArchiveSource(FileSource):
    """The weights of a `.keras` file.

    Args:
        file: The open weights file.
        document: The config that it was written with.
        size: Length of the weights file in bytes.
    """

    def __init__(self, file: Any, document: Entry, size: int) -> None:
        super().__init__(size)
        self._file = file
        self._groups = {place.identity: place.group for place in stored(document)}

    def read(self, place: Place, names: Sequence[str], slot: str = "") -> list[Any]:
        """Weights in the order in which the layer creates them.

        Raises:
            ValueError: There are others in the file.
        """
        group = self._groups.get(place.identity, ())
        where = "/".join((*group, *([slot] if slot else []), "vars"))
        variables = self._file.get(where)
        count = 0 if variables is None else len(variables)
        if count != len(names):
            raise ValueError(
                f"{count} arrays at {where!r} where {place.path!r} has {len(names)}"
            )
        return [
            self.checked(variables[str(index)], f"{where}/{index}")
            for index in range(count)
        ]


class LegacySource(FileSource):
    """The weights of a whole-model `.h5` file.

    Args:
        weights: The group that holds a group for each layer of the top model.
        size: Length of the file in bytes.
    """

    def __init__(self, weights: Any, size: int) -> None:
        super().__init__(size)
        self._weights = weights
        self._named: dict[str, list[tuple[list[str], Any]]] = {}

    def read(self, place: Place, names: Sequence[str], slot: str = "") -> list[Any]:
        """Weights by their names.

        Raises:
            UnsupportedModelError: Several could be meant.
            ValueError: One is missing.
        """
        return [self._one(place, name) for name in names]

    def _one(self, place: Place, name: str) -> Stored:
        known = _ALIASES.get(name, (name,))
        fitting = [
            (parts, dataset)
            for parts, dataset in self._below(place.names[0])
            if parts[-1].partition(":")[0] in known
        ]
        if len(fitting) > 1:
            fitting = [each for each in fitting if place.names[-1] in each[0][:-1]]
        told = f"{name!r} of the layer {place.path!r}"
        if len(fitting) > 1:
            raise UnsupportedModelError(
                "An array in an .h5 file must belong to one layer by its name. "
                f"Received: {len(fitting)} that could be {told}. Load the model with "
                "Keras, and pass it instead of the path."
            )
        if not fitting:
            raise ValueError(f"no array for {told}")
        return self.checked(fitting[0][1], "/".join(fitting[0][0]))

    def _below(self, layer: str) -> list[tuple[list[str], Any]]:
        """Every array of a layer of the top model, with the parts of its name."""
        if layer not in self._named:
            from keras_rectifiers.surgery import hdf5  # noqa: PLC0415 (h5py)

            group = self._weights.get(layer)
            found = () if group is None else hdf5.datasets(group)
            above = self._weights.name.count("/") + 2
            self._named[layer] = [
                (dataset.name.split("/")[above:], dataset) for dataset in found
            ]
        return self._named[layer]


class LiveSource:
    """The weights of a live model.

    Args:
        model: A Functional or Sequential `keras.Model`.
        document: Its config.
    """

    def __init__(self, model: Any, document: Entry) -> None:
        from keras_rectifiers.surgery.pairs import pair  # noqa: PLC0415 (Keras)

        layers = {path: layer for path, layer, _ in pair(model, model).layers}
        self._layers = {
            place.identity: layers[place.path]
            for place in walk(document)
            if place.path in layers
        }

    def read(self, place: Place, names: Sequence[str], slot: str = "") -> list[Any]:
        """Weights by the attributes that hold them."""
        import keras

        layer = self._layers[place.identity]
        holder = getattr(layer, SLOT) if slot else layer
        values = []
        for name in names:
            known = _ALIASES.get(name, (name,))
            held = next((getattr(holder, k) for k in known if hasattr(holder, k)), None)
            if held is None:
                raise UnsupportedModelError(
                    "A layer must be built to have weights. Received: "
                    f"{place.path!r}, which has no {name!r} yet. Call the model once."
                )
            values.append(_floats(keras.ops.convert_to_numpy(held)))
        return values


def _floats(array: Any) -> Any:
    """Numbers that numpy computes with, from what HDF5 or a backend holds."""
    if array.dtype.kind == "V":  # bfloat16: HDF5 itself knows only the bytes
        return (array.view(np.uint16).astype(np.uint32) << 16).view(np.float32)
    if array.dtype in (np.float32, np.float64):
        return array
    return array.astype(np.float32)
