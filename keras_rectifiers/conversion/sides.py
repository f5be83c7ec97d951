"""One model of a comparison: its config, its rectifiers and its arrays by name."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import os
import tempfile
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from keras_rectifiers.conversion.options import Options
from keras_rectifiers.conversion.slot_names import slot_names
from keras_rectifiers.conversion.untouched import COMPILED
from keras_rectifiers.errors import ArchiveError
from keras_rectifiers.errors import RectifierError
from keras_rectifiers.errors import UnsupportedModelError
from keras_rectifiers.files import hdf5
from keras_rectifiers.files import members
from keras_rectifiers.files import zipcopy
from keras_rectifiers.graph.document import Entry
from keras_rectifiers.graph.document import is_model
from keras_rectifiers.graph.layout import stored
from keras_rectifiers.graph.variables.table import variables_of
from keras_rectifiers.graph.wellformed import MALFORMED
from keras_rectifiers.graph.wellformed import unpacking
from keras_rectifiers.legacy.weights.write import named_slots
from keras_rectifiers.surgery import archive
from keras_rectifiers.surgery.trained import ArrayHeader
from keras_rectifiers.surgery.trained import Arrays
from keras_rectifiers.surgery.weights_file import arrays_of

#: Reads an array.
Read = Callable[[], np.ndarray[Any, Any]]

_OPTIMIZER = "optimizer/"


@dataclasses.dataclass(frozen=True)
class Side:
    """One model of a comparison, open."""

    #: What people call it: its path, or the name of a live model.
    name: str
    #: Its config, without what it was compiled with.
    document: Entry
    #: What it was compiled with; empty where it was not.
    compiled: Mapping[str, Any]
    #: Its rectifiers by path: `Found`, or what has their `site`; and its slopes as they
    #: act, where it is a PReLU.
    sites: Mapping[str, tuple[Any, Read]]
    #: Its arrays by `<path of the layer>/<name>`, slopes of its rectifiers left out.
    arrays: Mapping[str, Read]
    #: The variables of its optimizer.
    slots: Mapping[str, Read]


@contextlib.contextmanager
def side(model: Any, custom_objects: Mapping[str, Any] | None = None) -> Iterator[Side]:
    """Open one model of a comparison.

    Args:
        model: A live `keras.Model`, or the path of a saved one; it is not changed.
        custom_objects: As for `plan`.

    Raises:
        ArchiveError: The file is missing, damaged or foreign.
        UnsupportedModelError: A live model cannot be saved, or something in a saved
            one has no form in Keras 3.
    """
    if isinstance(model, str | os.PathLike):
        with _of_file(Path(model), str(model), custom_objects) as opened:
            yield opened
        return
    with tempfile.TemporaryDirectory(prefix="keras-rectifiers-") as folder:
        path = Path(folder) / "model.keras"
        _save(model, path)
        with _of_file(path, str(model.name)) as opened:
            known = is_model(opened.document)
            yield opened if known else _with_sites(opened, model)


def _with_sites(opened: Side, model: Any) -> Side:
    """A live model whose config does not list its rectifiers."""
    from keras_rectifiers.surgery.live import LiveModel  # noqa: PLC0415 (loads Keras)

    live = LiveModel(model)
    sites = {
        each.site.path: (each, functools.partial(live.read_alpha, each))
        for each in live.found
    }
    return dataclasses.replace(opened, sites=sites)


def _save(model: Any, path: Path) -> None:
    if not hasattr(model, "save") or not hasattr(model, "layers"):
        raise TypeError(
            "A model must be a keras.Model or a path. Received: "
            f"{model!r} of type {type(model).__name__}."
        )
    try:
        model.save(path)
    except (TypeError, ValueError, NotImplementedError) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise UnsupportedModelError(
            f"A live model must be one that Keras can save. Received: {model.name!r}, "
            f"which Keras cannot save: {reason} Give its classes a get_config method."
        ) from error


@contextlib.contextmanager
def _of_file(
    path: Path, name: str, custom_objects: Mapping[str, Any] | None = None
) -> Iterator[Side]:
    if _hides_layers(path):
        with _plain(path, name) as opened:
            yield opened
        return
    with Options(custom_objects=custom_objects).read(path) as source:
        if isinstance(source, archive.Archive):
            with _weights(source.file, path, source.member(members.WEIGHTS)) as found:
                yield _understood(source, name, *found)
            return
        arrays: dict[str, Any] = {}
        if source.has_weights:
            arrays = {"/".join(each.group): each for each in source.placed}
            slots = source._moved_slots[0] or ()  # noqa: SLF001 - it is of this folder
            arrays |= dict(named_slots(source.document, slots))
        yield _understood(
            source,
            name,
            {name: _reader(each) for name, each in arrays.items()},
            {name: ArrayHeader(each.shape, "f") for name, each in arrays.items()},
        )


def _reader(array: Any) -> Read:
    return lambda: np.asarray(array.read())


def _understood(
    source: Any, name: str, arrays: Mapping[str, Read], headers: Arrays
) -> Side:
    """A side whose config lists its layers."""
    model, slots = _split(arrays)
    told_slots = slot_names(source.document, headers)
    document = {k: v for k, v in source.document.items() if k != COMPILED}
    own = {"/".join((*each.group, "vars", "0")) for each in source.found}
    names = _names(source.document, model)
    return Side(
        name,
        document,
        source.document.get(COMPILED) or {},
        {
            each.site.path: (each, functools.partial(source.read_alpha, each))
            for each in source.found
        },
        {names[name]: read for name, read in model.items() if name not in own},
        {told_slots.get(name, name): read for name, read in slots.items()},
    )


def _names(document: Entry, arrays: Iterable[str]) -> dict[str, str]:
    """What people call each array: its layer, and its name there."""
    groups: dict[tuple[str, ...], str] = {}
    known: dict[tuple[str, ...], str] = {}
    for place in stored(document):
        groups[place.group] = place.path
        with contextlib.suppress(*MALFORMED):
            for each in variables_of(place.entry) or ():
                known[(*place.group, *each.group)] = f"{place.path}/{each.name}"
    names = {}
    for array in arrays:
        parts = tuple(array.split("/"))
        length = max(n for n in range(len(parts)) if not n or parts[:n] in groups)
        around = groups.get(parts[:length], "")
        rest = "/".join((*filter(None, (around,)), *parts[length:]))
        names[array] = known.get(parts, rest)
    return names


def _hides_layers(path: Path) -> bool:
    """Whether a path is a `.keras` file whose config does not list its layers."""
    try:
        with members.open_file(path) as file, members.open_zip(file, path) as zipped:
            infos = members.members_of(zipped, path)
            config = members.read_json(zipped, infos, members.CONFIG, path)
            return "class_name" in config and not is_model(config)
    except (RectifierError, OSError):
        return False  # whoever opens it says why


@contextlib.contextmanager
def _plain(path: Path, name: str) -> Iterator[Side]:
    """A model of which no more is known than its config and the names of its arrays."""
    with members.open_file(path) as file, members.open_zip(file, path) as zipped:
        infos, document, _ = members.texts_of(zipped, path)
        info = next((each for each in infos if each.filename == members.WEIGHTS), None)
        if info is None:
            raise ArchiveError(
                f"A .keras file must contain {members.WEIGHTS!r}. Received: "
                f"{str(path)!r}, which does not. Load it with Keras and save it again."
            )
        compiled = document.pop(COMPILED, None) or {}
        with _weights(file, path, info) as found:
            yield Side(name, document, compiled, {}, *_split(found[0]))


@contextlib.contextmanager
def _weights(
    file: Any, path: Path, info: Any
) -> Iterator[tuple[dict[str, Read], Arrays]]:
    """Every array of the weights in a `.keras` file."""
    with (
        unpacking(path, members.WEIGHTS),
        zipcopy.unpacked(file, info) as unpacked,
        archive.open_weights(unpacked, path, "r") as opened,
    ):
        arrays = {str(each.name).lstrip("/"): each for each in hdf5.datasets(opened)}
        yield (
            {name: functools.partial(hdf5.read, each) for name, each in arrays.items()},
            arrays_of(opened),
        )


def _split(found: Mapping[str, Read]) -> tuple[dict[str, Read], dict[str, Read]]:
    """The arrays of a model, and those of its optimizer."""
    model = {k: v for k, v in found.items() if not k.startswith(_OPTIMIZER)}
    return model, {k: v for k, v in found.items() if k.startswith(_OPTIMIZER)}
