"""What every container is read into."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from typing import Protocol

import numpy as np

from keras_rectifiers.graph.document import Entry
from keras_rectifiers.legacy.weights.owners import Owner
from keras_rectifiers.repairs import Repair

#: Ending of a file of Keras 3, and the container's name.
MODERN = ".keras"


class Array(Protocol):
    """An array in a file: known by name and shape, read when it is asked for."""

    @property
    def name(self) -> str:
        """Its place in the file, for messages."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Its shape."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """Its type."""

    def read(self) -> np.ndarray[Any, Any]:
        """Its values; their size was checked against the file's."""


class Weights(Protocol):
    """The weights of a container."""

    def find(self, owners: Sequence[Owner]) -> list[list[Array]]:
        """The stored arrays of each layer, in the order of its old variables.

        Raises:
            ArchiveError: A layer's arrays are missing, or an array belongs to no layer.
        """


@dataclasses.dataclass(frozen=True)
class SavedSlot:
    """One array that an optimizer keeps for a weight.

    Attributes:
        slot: What it is: `"m"`, `"v"`, `"momentum"`, `"rms"`, ...
        variable: Name of the weight's array, as the container's weights have it.
        array: Its values.
    """

    slot: str
    variable: str
    array: Array


@dataclasses.dataclass(frozen=True)
class Slots:
    """The optimizer's state in a container, as it was stored.

    Attributes:
        kind: `"named"` (`.h5`), `"listed"` (`.keras`, SavedModel of Keras 2.11 on) or
            `"slots"` (SavedModel before: by weight).
        arrays: In stored order; names as the container has them.
        scaled: Whether they are of an optimizer that scales the loss.
        slots: For `"slots"`: each with its weight.
        numbers: For `"slots"`: single numbers by their names, such as `"iter"`.
    """

    kind: str
    arrays: tuple[Array, ...]
    scaled: bool = False
    slots: tuple[SavedSlot, ...] = ()
    numbers: Mapping[str, Array] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Saved:
    """A saved model, read but not yet understood.

    Attributes:
        path: The file or folder.
        container: What it is, for people: `"early .keras"`, `"whole-model .h5"`,
            `"SavedModel"`, `"architecture JSON"`.
        document: The model's config, as it was written.
        training: The compile config, as it was written, or None.
        version: Of the Keras that wrote it, such as `"2.4.0"`, or `""`.
        backend: Of the Keras that wrote it, or `""`.
        weights: Where its weights are; None for an architecture alone.
        slots: The optimizer's state; None where there is none.
        assets: Names of further files in a `.keras` file that belong to no layer of
            Keras.
        repairs: What was already done while it was read.
    """

    path: Path
    container: str
    document: Entry
    training: dict[str, Any] | None
    version: str
    backend: str
    weights: Weights | None
    slots: Slots | None = None
    assets: tuple[str, ...] = ()
    repairs: tuple[Repair, ...] = ()
