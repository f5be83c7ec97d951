"""Where weights come from: a saved model of any age, or a live one.

Each source has `read(place, names, slot)`, and gives arrays, or what can be indexed
like arrays and is read from the file only then. Files are untrusted: the declared size
of an array is checked against the size of the file before anything is allocated.
"""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Sequence
from typing import TYPE_CHECKING
from typing import Any

import numpy as np

from keras_rectifiers.diagnosis.broken import BrokenWeight
from keras_rectifiers.errors import UnsupportedModelError
from keras_rectifiers.graph import capped
from keras_rectifiers.graph.document import Entry
from keras_rectifiers.graph.document import Place
from keras_rectifiers.graph.layout import stored
from keras_rectifiers.graph.sites import ATTRIBUTE
from keras_rectifiers.legacy.weights.arrange import Placed

if TYPE_CHECKING:
    from keras_rectifiers.surgery.live import LiveModel

#: How often a file may be read as a whole, through layers that are called often.
_MAX_READS = 100
#: ... and what may always be read.
_SMALL = 1 << 30

#: Other names of weights: those of Keras 2, and of attributes.
_ALIASES = {
    # As a file has it: ours gives its slopes multiplied as `alpha`.
    "alpha": ("_alpha", "alpha"),
    "kernel": ("kernel", "depthwise_kernel"),
    "mean": ("adapt_mean", "mean"),
    "variance": ("adapt_variance", "variance"),
}


class Stored:
    """An array in a file, read when it is first indexed.

    Args:
        placed: Where it is.
    """

    def __init__(self, placed: Placed) -> None:
        self._placed = placed
        self._values: Any = None

    @property
    def shape(self) -> tuple[int, ...]:
        """Its declared shape."""
        return self._placed.shape

    def __getitem__(self, key: Any) -> Any:
        if self._values is None:
            self._values = self._placed.read()
        return _floats(self._values[key])

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        return np.asarray(self[()], dtype)


class PlacedSource:
    """The weights of a saved model.

    Args:
        placed: Each array, and its place in a Keras 3 weights file.
        document: The model's config.
    """

    def __init__(self, placed: Sequence[Placed], document: Entry) -> None:
        self._placed = placed
        self._where = {place.identity: place.group for place in stored(document)}
        self._groups: dict[tuple[str, ...], list[Placed]] = {}
        for each in placed:
            self._groups.setdefault(each.group[:-1], []).append(each)
        self._left = max(_MAX_READS * sum(each.size for each in placed), _SMALL)

    def read(self, place: Place, names: Sequence[str], slot: str = "") -> list[Any]:
        """Weights in the order in which the layer creates them.

        Raises:
            ValueError: There are others in the file.
        """
        where = (
            *self._where.get(place.identity, ()),
            *([slot, *capped.below(place.config.get(slot))] if slot else []),
            "vars",
        )
        found = self._groups.get(where, [])
        if len(found) != len(names):
            raise ValueError(
                f"{len(found)} arrays at {'/'.join(where)!r} where {place.path!r} has "
                f"{len(names)}"
            )
        self._left -= sum(each.size for each in found)
        if self._left < 0:
            raise ValueError(f"layers that are called too often, such as {where!r}")
        return [Stored(each) for each in found]

    def broken(self) -> Iterator[BrokenWeight]:
        """Weights that are NaN or infinite, in the order of the layers."""
        for each in self._placed:
            values = each.read()
            if values.dtype.kind not in "fV":
                continue
            count = int((~np.isfinite(_floats(values))).sum())
            if count:
                name = each.group[-1] if each.variable is None else each.variable.name
                yield BrokenWeight(each.layer, name, count, values.size)


class LiveSource:
    """The weights of a live model.

    Args:
        opened: The model.
    """

    def __init__(self, opened: LiveModel) -> None:
        self._layers = {
            place.identity: opened.layers[place.path]
            for place in opened.survey.view.places
            if place.path in opened.layers
        }

    def read(self, place: Place, names: Sequence[str], slot: str = "") -> list[Any]:
        """Weights by the attributes that hold them."""
        import keras

        from keras_rectifiers.live.layers import without_cap  # noqa: PLC0415 (Keras)

        layer = self._layers[place.identity]
        holder = without_cap(getattr(layer, ATTRIBUTE)) if slot else layer
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
