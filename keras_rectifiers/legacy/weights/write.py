"""Write a `.keras` file as Keras 3 does, without Keras, one array at a time."""

from __future__ import annotations

import contextlib
import json
import zipfile
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any
from typing import TypeVar

import h5py
import numpy as np

from keras_rectifiers.files import members
from keras_rectifiers.files import zipcopy
from keras_rectifiers.graph.document import Entry
from keras_rectifiers.graph.document import name_of
from keras_rectifiers.graph.layout import stored
from keras_rectifiers.legacy.array_views import Readable
from keras_rectifiers.legacy.weights.arrange import Placed
from keras_rectifiers.surgery import weights_file
from keras_rectifiers.surgery.optimizer_layout import SCALER_COUNTERS
from keras_rectifiers.surgery.optimizer_layout import inner_of
from keras_rectifiers.surgery.rewrite import Rewritten

#: The version of Keras whose form the files have.
KERAS_VERSION = "3.15.0"
_OPTIMIZER = "optimizer"
#: An optimizer that scales the loss writes the variables of the one inside it twice:
#: after its own, and in a separate group.
_INNER = ("inner_optimizer", "vars")


Slot = TypeVar("Slot", bound=Readable)


def write_archive(
    target: Path,
    document: Entry,
    placed: Sequence[Placed],
    slots: Iterable[tuple[int, Readable]] | None = None,
    rewritten: Rewritten | None = None,
    beside: Mapping[str, bytes] = MappingProxyType({}),
) -> None:
    """Write a `.keras` file; the same arguments make the same bytes.

    Never more than one array is in memory.

    Args:
        target: The file; it is overwritten.
        document: The model of the arrays, with its compile config.
        placed: Every array of the model.
        slots: Number and values of each variable of the optimizer.
        rewritten: What becomes of the document; default: it stays.
        beside: Other members, by their names; default none.
    """
    config = document if rewritten is None else rewritten.document
    metadata = {"keras_version": KERAS_VERSION}
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as new:
        _write_text(new, members.METADATA, json.dumps(metadata))
        _write_text(new, members.CONFIG, json.dumps(config))
        with (
            zipcopy.new_member(new, members.WEIGHTS) as window,
            _hdf5(window) as file,
        ):
            _write_layers(file, document)
            for each in placed:
                _put(file, each.group, each.read())
            if slots is not None:
                _write_slots(file, document, slots)
            if rewritten is not None and weights_file.needs_edit(document, rewritten):
                weights_file.edit(file, document, rewritten)
        members.write_packed(new, beside)


def architecture_text(document: Entry) -> str:
    """An architecture as `model.to_json()` of Keras 3 writes it."""
    return json.dumps(
        {key: value for key, value in document.items() if key != "compile_config"}
    )


def _write_text(new: zipfile.ZipFile, name: str, text: str) -> None:
    info = zipfile.ZipInfo(name)  # of no date
    info.external_attr = 0o600 << 16
    new.writestr(info, text)


@contextlib.contextmanager
def _hdf5(window: zipcopy.Window) -> Iterator[h5py.File]:
    with h5py.File(window, "w") as file:
        yield file
        file.flush()


def _write_layers(file: h5py.File, document: Entry) -> None:
    """A group for every layer, with or without weights, as Keras makes them."""
    for place in stored(document):
        group = file.require_group("/".join((*place.group, "vars")))
        group.attrs["name"] = name_of(place.entry)


def _write_slots(
    file: h5py.File, document: Entry, slots: Iterable[tuple[int, Readable]]
) -> None:
    optimizer = (document.get("compile_config") or {}).get("optimizer")
    if isinstance(optimizer, dict):
        group = file.require_group(f"{_OPTIMIZER}/vars")
        group.attrs["name"] = name_of(optimizer)
    inner = inner_of(optimizer)
    if inner is not None:
        inside = file.require_group("/".join((_OPTIMIZER, *_INNER)))
        inside.attrs["name"] = name_of(inner)
    for name, slot in named_slots(document, slots):
        _put(file, (name,), slot.read())


def named_slots(
    document: Entry, slots: Iterable[tuple[int, Slot]]
) -> Iterator[tuple[str, Slot]]:
    """The optimizer's variables by their names in a weights file.

    Args:
        document: The model, with its compile config.
        slots: Number and values of each variable.
    """
    inner = inner_of((document.get("compile_config") or {}).get("optimizer"))
    for number, slot in slots:
        yield f"{_OPTIMIZER}/vars/{number}", slot
        if inner is not None and number >= SCALER_COUNTERS:
            within = str(number - SCALER_COUNTERS)
            yield "/".join((_OPTIMIZER, *_INNER, within)), slot


def _put(file: h5py.File, name: tuple[str, ...], values: np.ndarray[Any, Any]) -> None:
    dataset = file.create_dataset("/".join(name), data=values)
    if values.dtype.name == "bfloat16":
        dataset.attrs["dtype"] = "bfloat16"  # HDF5 itself knows only the bytes
