"""Small helpers for HDF5 files: what is in them, and what must not be."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import h5py
import numpy as np

from keras_rectifiers.errors import ArchiveError

_BFLOAT16_BYTES = 2
#: Links that lead elsewhere, as h5py calls them.
_LINKS = {h5py.h5l.TYPE_SOFT: "SoftLink", h5py.h5l.TYPE_EXTERNAL: "ExternalLink"}


def datasets(group: h5py.Group) -> Iterator[h5py.Dataset]:
    """Every array below a group."""
    for name in group:
        item = group[name]
        if isinstance(item, h5py.Dataset):
            yield item
        elif isinstance(item, h5py.Group):
            yield from datasets(item)


def dtype_of(dataset: h5py.Dataset) -> np.dtype[Any]:
    """The type of an array; HDF5 itself knows only the bytes of bfloat16."""
    dtype: np.dtype[Any] = dataset.dtype
    if dtype.kind != "V" or dtype.itemsize != _BFLOAT16_BYTES:
        return dtype
    import ml_dtypes  # noqa: PLC0415 (comes with Keras, rarely needed)

    return np.dtype(ml_dtypes.bfloat16)


def read(dataset: h5py.Dataset) -> np.ndarray[Any, Any]:
    """The values of an array, as numbers that one can reckon with."""
    values = np.asarray(dataset[()])
    return values.view(dtype_of(dataset)) if values.dtype.kind == "V" else values


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
    array_shapes(file)


def array_shapes(file: h5py.File) -> dict[str, tuple[int, ...]]:
    """Name and shape of every array of a file, from its metadata alone.

    One walk in HDF5 itself, since h5py's own objects would take ten times as long.

    Args:
        file: The open file.

    Raises:
        ArchiveError: As `check_links` does.
    """
    links: list[tuple[bytes, int]] = []
    root = file["/"].id
    root.links.visit(lambda name, info: links.append((name, info.type)), info=True)
    found: dict[str, tuple[int, ...]] = {}
    groups = {h5py.h5o.get_info(root).addr}
    for name, link in links:
        where = name.decode("utf-8", "surrogateescape")
        if link != h5py.h5l.TYPE_HARD:
            raise ArchiveError(_foreign(_LINKS.get(link, "foreign link"), where))
        item = h5py.h5o.get_info(root, name)
        if item.type == h5py.h5o.TYPE_GROUP:
            if item.addr in groups:
                raise ArchiveError(_foreign("group that is there twice", where))
            groups.add(item.addr)
        elif item.type == h5py.h5o.TYPE_DATASET:
            found[where] = _shape_of(h5py.h5d.open(root, name), where)
    return found


def _shape_of(dataset: h5py.h5d.DatasetID, where: str) -> tuple[int, ...]:
    created = dataset.get_create_plist()
    if created.get_layout() == h5py.h5d.VIRTUAL or created.get_external_count():
        raise ArchiveError(_foreign("virtual or external dataset", where))
    return tuple(dataset.shape)


def _foreign(what: str, where: str) -> str:
    return (
        f"A weights file must contain its own data. Received: a {what} at {where!r}. "
        "The file was not written by Keras."
    )
