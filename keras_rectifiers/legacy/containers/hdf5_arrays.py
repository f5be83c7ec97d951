"""Untrusted HDF5 files: their strings and arrays, with limits on their size.

Nothing is read before its declared size was checked against the file's.
"""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import json
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from keras_rectifiers.errors import ArchiveError
from keras_rectifiers.errors import UnsupportedModelError
from keras_rectifiers.files import hdf5
from keras_rectifiers.files import members
from keras_rectifiers.graph import wellformed

#: Most names in one attribute; NASNetLarge has 1,041 layers.
_MAX_NAMES = 100_000
#: Types of the attributes that Keras writes; lists without names are of floats.
_KINDS = (h5py.h5t.STRING, h5py.h5t.FLOAT)
#: What HDF5 and h5py raise on damaged bytes.
_DAMAGED = (OSError, RuntimeError, *wellformed.MALFORMED)


@dataclasses.dataclass(frozen=True)
class StoredArray:
    """An array in an HDF5 file, read when it is asked for."""

    name: str
    path: Path
    dataset: h5py.Dataset

    @property
    def shape(self) -> tuple[int, ...]:
        """Its declared shape."""
        return tuple(self.dataset.shape)

    @property
    def dtype(self) -> np.dtype[Any]:
        """Its type."""
        return hdf5.dtype_of(self.dataset)

    def read(self) -> np.ndarray[Any, Any]:
        """Its values.

        Raises:
            ArchiveError: Its bytes are damaged.
        """
        try:
            return hdf5.read(self.dataset)
        except _DAMAGED as error:
            raise ArchiveError(_unreadable(self.path, error, self.name)) from error


class Reader:
    """Texts and arrays of one HDF5 file.

    Args:
        file: The open file.
        path: Where it is, for messages.
        size: Its length in bytes.
    """

    def __init__(self, file: h5py.File, path: Path, size: int) -> None:
        self.file = file
        self.path = path
        self._size = size
        self._left = max(members.SMALL, members.MAX_EXPANSION * size)

    def array(self, dataset: h5py.Dataset, name: str) -> StoredArray:
        """An array, once its declared size is plausible.

        Args:
            dataset: The array in the file.
            name: What to call it.

        Raises:
            ArchiveError: It declares more than the file can hold.
            UnsupportedModelError: It holds no numbers.
        """
        with self.reading():
            dtype, size = dataset.dtype, int(dataset.nbytes)
            room = self._size
            if dataset.chunks is not None:
                stored = dataset.id.get_storage_size()
                room = max(members.SMALL, members.MAX_EXPANSION * stored)
            self._left -= size
        numbers = dtype.kind in "fuib" or (dtype.kind == "V" and dtype.itemsize == 2)  # noqa: PLR2004
        if not numbers:
            raise UnsupportedModelError(
                f"Weights must be numbers. Received: {dtype} in the array {name!r} of "
                f"{str(self.path)!r}. Build the layer that it belongs to in Python "
                "code."
            )
        if size > room or self._left < 0:
            raise ArchiveError(
                "An array must not declare more than the file can hold. Received: "
                f"{size} bytes in {name!r} of {str(self.path)!r}, which has "
                f"{self._size} bytes. The file was not written by Keras."
            )
        return StoredArray(name, self.path, dataset)

    def text(self, holder: Any, name: str) -> str:
        """A text attribute, whole or in chunks; `""` where there is none.

        Args:
            holder: The group that has it.
            name: Its name.
        """
        with self.reading():
            return "".join(self._text(holder, part) for part in _parts(holder, name))

    def object(self, holder: Any, name: str) -> dict[str, Any] | None:
        """The JSON object in a text attribute; None where there is none.

        Raises:
            ArchiveError: It is not a JSON object.
        """
        text = self.text(holder, name)
        if not text:
            return None
        with wellformed.reading(self.path, name):
            value = json.loads(text)
            if value is not None and not isinstance(value, dict):
                raise ValueError(f"a {type(value).__name__}")
        return value

    def names(self, holder: Any, name: str) -> list[str]:
        """A list of names in an attribute, whole or in chunks.

        Args:
            holder: The group that has it.
            name: The attribute's name.
        """
        with self.reading():
            parts = [self._names(holder, part) for part in _parts(holder, name)]
            return list(itertools.chain(*parts))

    def listed(self, group: h5py.Group, prefix: str = "") -> list[StoredArray]:
        """The arrays that a group's `weight_names` lists, in that order.

        Args:
            group: The group.
            prefix: What to put before the names, for people.

        Raises:
            ArchiveError: One is missing.
        """
        names = self.names(group, "weight_names")
        found = []
        with self.reading():
            for name in names:
                dataset = group.get(name)
                if not isinstance(dataset, h5py.Dataset):
                    raise ArchiveError(
                        "Every listed array must be in the file. Received: "
                        f"{str(self.path)!r} without {prefix + name!r}. The file is "
                        "damaged."
                    )
                found.append(self.array(dataset, prefix + name))
        return found

    def check_all_listed(
        self, group: h5py.Group, listed: Iterable[StoredArray]
    ) -> None:
        """Refuse a group with arrays that are in none of its lists, or in two.

        The lists are looked at together, because groups of layers lie within each
        other: that of the layer `"Conv/BatchNorm"` in that of the layer `"Conv"`.

        Raises:
            ArchiveError: There is such an array.
        """
        with self.reading():
            once: set[str] = set()
            twice: set[str] = set()
            for array in listed:
                name = str(array.dataset.name)
                (twice if name in once else once).add(name)
            stored = {str(dataset.name) for dataset in hdf5.datasets(group)}
        wrong = sorted(twice | (stored - once))
        if wrong:
            raise ArchiveError(
                f"Every array must be listed once. Received: {str(self.path)!r}, "
                f"where {wrong[0]!r} is "
                f"{'listed more than once' if wrong[0] in twice else 'not listed'}. "
                "The file was not written by Keras."
            )

    @contextlib.contextmanager
    def reading(self) -> Iterator[None]:
        """Turn what damaged bytes make h5py raise into one sentence."""
        try:
            yield
        except _DAMAGED as error:
            raise ArchiveError(_unreadable(self.path, error, "")) from error

    def _text(self, holder: Any, name: str) -> str:
        self._check(holder, name)
        value = holder.attrs[name]
        if isinstance(value, np.ndarray) and value.size == 1:
            value = value.reshape(())[()]
        if isinstance(value, bytes):
            value = value.decode("utf-8", "replace")
        if not isinstance(value, str) or len(value) > members.MAX_CONFIG_BYTES:
            raise ArchiveError(
                f"{name} must be a string. Received: a {type(value).__name__} in "
                f"{str(self.path)!r}. The file was not written by Keras."
            )
        return value

    def _names(self, holder: Any, name: str) -> list[str]:
        self._check(holder, name)
        values: Sequence[Any] = np.atleast_1d(holder.attrs[name]).ravel().tolist()
        return [
            value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
            for value in values
        ]

    def _check(self, holder: Any, name: str) -> None:
        """Refuse what is too large, and types that HDF5 may crash on."""
        attribute = holder.attrs.get_id(name)
        kind = attribute.get_type().get_class()
        if kind not in _KINDS:
            raise ArchiveError(
                f"{name} must be a string. Received: a value of HDF5 type class "
                f"{kind} in {str(self.path)!r}. The file is damaged, or was not "
                "written by Keras."
            )
        count = attribute.get_space().get_simple_extent_npoints()
        size = count * attribute.dtype.itemsize
        if size > members.MAX_CONFIG_BYTES or count > _MAX_NAMES:
            raise ArchiveError(
                f"{name} must be at most {members.MAX_CONFIG_BYTES} bytes. Received: "
                f"{size} in {str(self.path)!r}. The file was not written by Keras."
            )


@contextlib.contextmanager
def open_hdf5(file: Any, path: Path, size: int) -> Iterator[Reader]:
    """Open an untrusted HDF5 file.

    Args:
        file: Its bytes, as a file that can be sought.
        path: Where they come from, for messages.
        size: How many there are.

    Raises:
        ArchiveError: It is damaged, is not HDF5, or has links that leave the file.
    """
    try:
        file.seek(0)
        if file.read(len(members.HDF5)) != members.HDF5:
            raise ValueError("it has no HDF5 signature")  # h5py would make a new file
        file.seek(0)
        opened = h5py.File(file, "r")
    except _DAMAGED as error:
        raise ArchiveError(_unreadable(path, error, "")) from error
    with opened:
        reader = Reader(opened, path, size)
        with reader.reading():
            hdf5.check_links(opened)
        yield reader


def _parts(holder: Any, name: str) -> Iterator[str]:
    """The attributes in which one of this name is, whole or in chunks."""
    if name in holder.attrs:
        yield name
        return
    for chunk in itertools.count():
        if f"{name}{chunk}" not in holder.attrs:
            return
        yield f"{name}{chunk}"


def _unreadable(path: Path, error: Exception, name: str) -> str:
    what = f"array {name!r}" if name else "content"
    return (
        f"A saved model must be a whole HDF5 file. Received: {str(path)!r}, whose "
        f"{what} cannot be read ({wellformed.reason(error)}). The file is damaged; "
        "use another copy of it."
    )
