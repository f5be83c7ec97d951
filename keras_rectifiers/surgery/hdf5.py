"""Small helpers for HDF5 files: what is in them, and what must not be."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import h5py
import numpy as np

from keras_rectifiers.errors import ArchiveError
from keras_rectifiers.surgery.trained import Array


def datasets(group: h5py.Group) -> Iterator[h5py.Dataset]:
    """Every array below a group."""
    for name in group:
        item = group[name]
        if isinstance(item, h5py.Dataset):
            yield item
        elif isinstance(item, h5py.Group):
            yield from datasets(item)


def arrays(file: h5py.File) -> dict[str, Array]:
    """Every array of a file by its name, without its values."""
    return {
        str(each.name).lstrip("/"): Array(
            each.shape or (), each.dtype.kind, each.id.get_storage_size() >= each.nbytes
        )
        for each in datasets(file)
    }


def read(dataset: h5py.Dataset) -> np.ndarray[Any, Any]:
    """The values of an array, as numbers."""
    values = np.asarray(dataset)
    if values.dtype.kind != "V":
        return values
    import ml_dtypes  # noqa: PLC0415 (comes with Keras, rarely needed)

    return values.view(ml_dtypes.bfloat16)


def create(
    group: h5py.Group, name: str, shape: tuple[int, ...], value: Any, dtype: np.dtype
) -> None:
    """Add an array as Keras would write it."""
    data = np.broadcast_to(np.asarray(value), shape).astype(dtype)
    dataset = group.create_dataset(name, data=data)
    if dtype.name == "bfloat16":
        dataset.attrs["dtype"] = "bfloat16"  # HDF5 itself knows only the bytes


def check_links(file: h5py.File) -> None:
    """Refuse links that lead out of the file, as Keras does.

    Raises:
        ArchiveError: An external or soft link, a virtual or external dataset, or a
            group with two names.
    """
    pending, seen = [file["/"]], set()
    while pending:
        group = pending.pop()
        for name in group:
            link = group.get(name, getlink=True)
            where = f"{group.name.rstrip('/')}/{name}"
            if not isinstance(link, h5py.HardLink):
                raise ArchiveError(_foreign(type(link).__name__, where))
            item = group[name]
            if isinstance(item, h5py.Group):
                address = h5py.h5o.get_info(item.id).addr
                if address in seen:
                    raise ArchiveError(_foreign("group that is there twice", where))
                seen.add(address)
                pending.append(item)
            elif isinstance(item, h5py.Dataset) and (item.is_virtual or item.external):
                raise ArchiveError(_foreign("virtual or external dataset", where))


def _foreign(what: str, where: str) -> str:
    return (
        "A weights file must hold its own data. Received: "
        f"a {what} at {where!r}. The file is not one that Keras wrote."
    )
