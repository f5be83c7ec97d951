"""Whole-model `.h5` files of Keras 1, 2 and 3."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import h5py

from keras_rectifiers.errors import ArchiveError
from keras_rectifiers.legacy.containers.hdf5_arrays import Reader
from keras_rectifiers.legacy.containers.hdf5_arrays import StoredArray
from keras_rectifiers.legacy.containers.saved import Array
from keras_rectifiers.legacy.containers.saved import Saved
from keras_rectifiers.legacy.containers.saved import Slots
from keras_rectifiers.legacy.weights import lora
from keras_rectifiers.legacy.weights.owners import Owner

#: What such a file is called.
CONTAINER = "whole-model .h5"
CONFIG = "model_config"
WEIGHTS = "model_weights"
_OPTIMIZER = "optimizer_weights"
#: Group of a model's own variables, next to those of its layers.
_TOP = "top_level_model_weights"


@dataclasses.dataclass(frozen=True)
class LayerWeights:
    """Weights that a file keeps by layer of the top model, in order.

    Attributes:
        stored: Name of a layer of the top model -> its arrays.
    """

    stored: dict[str, list[Array]]

    def find(self, owners: Sequence[Owner]) -> list[list[Array]]:
        """The stored arrays of each layer, in the order of its old variables."""
        found = self.listed(list(map(lora.apart, owners)))
        return list(map(lora.merged, owners, found))

    def listed(self, owners: Sequence[Owner]) -> list[list[Array]]:
        """The same, with factors of LoRA where the owners have them apart."""
        from keras_rectifiers.legacy.weights.arrange import by_order  # noqa: PLC0415

        return by_order(self._named(owners), owners)

    def _named(self, owners: Sequence[Owner]) -> dict[str, list[Array]]:
        """The arrays by the names in the config, for layers without a list.

        A nested Sequential of early Keras, or a layer of a custom class whose config
        is incomplete, has its name in the file of weights only: it is the one that is
        left over, or the first of several, in order.
        """
        known = {name for owner in owners for name in owner.was}
        lost = [
            name for name, each in self.stored.items() if each and name not in known
        ]
        sure = [owner for owner in owners if owner.stored]
        may_have = [owner for owner in owners if owner.stored or owner.custom]
        for those in (sure, may_have):
            names = dict.fromkeys(owner.was[0] for owner in those)
            missing = [name for name in names if not self._has(name, owners)]
            if len(lost) == len(missing):
                new = dict(zip(lost, missing, strict=True))
                return {new.get(name, name): each for name, each in self.stored.items()}
        return self.stored

    def _has(self, name: str, owners: Sequence[Owner]) -> bool:
        """Whether there are arrays for a layer of the top model, or inside it."""
        inside = [owner.was for owner in owners if owner.was[0] == name]
        return any(self.stored.get(each) for path in inside for each in path)


def is_whole(reader: Reader) -> bool:
    """Whether a file holds a model's config, and not weights only."""
    with reader.reading():
        return CONFIG in reader.file.attrs or f"{CONFIG}0" in reader.file.attrs


def read(reader: Reader, path: Path) -> Saved:
    """Read a whole-model `.h5` file.

    Args:
        reader: The open file; the result's arrays are read from it.
        path: Where it is.

    Raises:
        ArchiveError: It is damaged, or Keras did not write it.
    """
    root = reader.file
    document = reader.object(root, CONFIG)
    weights = root.get(WEIGHTS)
    if document is None or not isinstance(weights, h5py.Group):
        raise ArchiveError(
            "A model file must hold the model's config and its weights. Received: "
            f"{str(path)!r} without {WEIGHTS if document else CONFIG!r}. The file is "
            "damaged; use another copy of it."
        )
    version, backend = (
        reader.text(root, name) or reader.text(weights, name)
        for name in ("keras_version", "backend")
    )
    return Saved(
        path=path,
        container=CONTAINER,
        document=document,
        training=reader.object(root, "training_config"),
        version=version,
        backend=backend,
        weights=LayerWeights(by_layer(reader, weights)),
        slots=_slots(reader),
    )


def by_layer(reader: Reader, weights: h5py.Group) -> dict[str, list[Array]]:
    """Name of each layer of the top model -> its arrays, in order.

    Args:
        reader: The open file.
        weights: The group that lists the layers.

    Raises:
        ArchiveError: A layer that is listed is not there, or there is an array
            that no layer lists.
    """
    found: dict[str, list[Array]] = {}
    listed: list[StoredArray] = []
    names = reader.names(weights, "layer_names")
    for name in (*names, _TOP) if _TOP not in names else names:
        with reader.reading():
            group = weights.get(name)
        if not isinstance(group, h5py.Group):
            if name == _TOP:
                continue
            raise ArchiveError(
                "Every listed layer must be in the file. Received: "
                f"{str(reader.path)!r} without the layer {name!r}. The file is "
                "damaged."
            )
        arrays = reader.listed(group, f"{name}/")
        listed += arrays
        if arrays or name != _TOP:
            found[name] = [*arrays]
    reader.check_all_listed(weights, listed)
    return found


def _slots(reader: Reader) -> Slots | None:
    group: Any = reader.file.get(_OPTIMIZER)
    if not isinstance(group, h5py.Group):
        return None
    arrays = reader.listed(group)
    reader.check_all_listed(group, arrays)
    return Slots("named", tuple(arrays))
