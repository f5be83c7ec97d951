"""Whether a foreign document is built as Keras builds one.

A file can say anything. What surgery reads is checked here once, before any of it
is used, so that a malformed file is one sentence and never a traceback.
"""

from __future__ import annotations

import contextlib
import struct
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from keras_rectifiers.errors import ArchiveError
from keras_rectifiers.errors import HiddenLayersError
from keras_rectifiers.graph import forms
from keras_rectifiers.graph.document import Entry
from keras_rectifiers.graph.document import Place
from keras_rectifiers.graph.document import is_functional
from keras_rectifiers.graph.document import is_model
from keras_rectifiers.graph.document import layers_of
from keras_rectifiers.graph.document import name_of
from keras_rectifiers.graph.document import walk
from keras_rectifiers.graph.graph import Ref
from keras_rectifiers.graph.graph import end_refs
from keras_rectifiers.graph.graph import layer_order
from keras_rectifiers.graph.graph import node_refs
from keras_rectifiers.graph.graph import nodes_of
from keras_rectifiers.graph.survey import Survey

#: Most layers and operations that a document may hold; NASNetLarge has 1,041.
MAX_PLACES = 50_000
#: Longest axis of a rectifier; slopes for it would take 256 MiB.
MAX_AXIS = 1 << 26

_KINDS = {
    "class_name": str,
    "config": dict,
    "module": str | None,
    "registered_name": str | None,
    "build_config": dict | None,
}

#: What malformed data makes plain code raise.
MALFORMED = (
    ArithmeticError,
    AttributeError,
    LookupError,
    MemoryError,
    RecursionError,
    TypeError,
    ValueError,
)
#: ... and damaged zip members.
_DAMAGED = (EOFError, NotImplementedError, struct.error, zipfile.BadZipFile, zlib.error)


@contextlib.contextmanager
def reading(path: Path, what: str) -> Iterator[None]:
    """Turn whatever malformed content makes the block raise into one sentence.

    No code of the user may run inside: its errors are not the file's.

    Args:
        path: The file that is read.
        what: The part of it, such as `"config.json"`.

    Raises:
        ArchiveError: The block raised an error of plain Python.
    """
    try:
        yield
    except (*MALFORMED, *_DAMAGED) as error:
        raise ArchiveError(_malformed(path, what, error)) from error


@contextlib.contextmanager
def unpacking(path: Path, what: str) -> Iterator[None]:
    """Turn what a damaged member makes zipfile raise into one sentence.

    Args:
        path: The file that is read.
        what: The member of it, such as `"model.weights.h5"`.

    Raises:
        ArchiveError: The member is damaged.
    """
    try:
        yield
    except _DAMAGED as error:
        raise ArchiveError(_malformed(path, what, error)) from error


def check(survey: Survey, path: Path) -> None:
    """Refuse a document that surgery could misread.

    Args:
        survey: The config of a whole model, as it came from a file.
        path: The file, for messages.

    Raises:
        ArchiveError: Says which layer is malformed, and how.
    """
    with reading(path, "config.json"):
        for count, place in enumerate(walk(survey.document), 1):
            _require(count <= MAX_PLACES, place, f"more than {MAX_PLACES} layers")
            _check_entry(place.entry, place)
            if is_model(place.entry):
                _check_members(place)
            if is_functional(place.entry):
                _check_graph(place)
        for found in survey.found:
            for shape in found.site.shapes:
                for axis in shape or ():
                    whole = isinstance(axis, int) and not isinstance(axis, bool)
                    _require(
                        axis is None or (whole and 0 <= axis <= MAX_AXIS),
                        found.places[0],
                        f"an axis of length {axis!r}",
                    )


def without_layers(document: Entry, path: Path, *, modern: bool = True) -> ArchiveError:
    """The error for a model whose config does not list its layers.

    Args:
        document: The config of a whole model, which `is_model` does not take for one.
        path: The file.
        modern: Whether it is a `.keras` file of Keras 3, which Keras opens where it
            knows the class. Default True.
    """
    class_name = document.get("class_name")
    if not str(class_name).isidentifier() or _should_list(document):
        return ArchiveError(
            f"The config of a model must list its layers. Received: {class_name!r} in "
            f"{str(path)!r}, whose config does not. The file is damaged, or was not "
            "written by Keras."
        )
    if not modern:
        return ArchiveError(
            "A model whose layers are created in Python code must be a .keras file of "
            f"Keras 3. Received: {str(path)!r}, a {class_name!r}. Load it with the "
            "version of Keras that wrote it, copy its weights to the same class under "
            "Keras 3, and save that."
        )
    return HiddenLayersError(
        "The class of a model whose layers are created in Python code must be "
        f"registered. Received: {str(path)!r}, a {class_name!r}, which is not.",
        str(class_name),
        document,
    )


def _should_list(document: Entry) -> bool:
    """Whether a model is of a class that lists its layers, or of none."""
    if document.get("module") is not None:
        return forms.is_keras(document)
    return document.get("class_name") in (None, "Functional", "Model", "Sequential")


def _check_entry(entry: Entry, place: Place) -> None:
    amiss = not_of_an_entry(entry)
    _require(amiss is None, place, f"{amiss}={_short(entry.get(amiss or ''))}")


def not_of_an_entry(entry: Entry) -> str | None:
    """Which value of an entry has another type than Keras gives it; None if none has.

    Args:
        entry: A serialized layer, operation or model.
    """
    for key, kinds in _KINDS.items():
        if not isinstance(entry.get(key), kinds):
            return key
    return None


def _check_members(place: Place) -> None:
    seen = set()
    for entry in layers_of(place.entry):
        _check_entry(entry, place)
        name = entry.get("name", entry["config"].get("name"))
        _require(isinstance(name, str), place, f"a layer named {_short(name)}")
        _require("/" not in name, place, f"a layer named {_short(name)}")
        _require(name not in seen, place, f"two layers named {_short(name)}")
        seen.add(name)


def _check_graph(place: Place) -> None:
    """Each tensor must come from a layer that is there, and from no cycle."""
    calls = {}
    for entry in layers_of(place.entry):
        nodes = entry.get("inbound_nodes", [])
        good = isinstance(nodes, list) and all(
            isinstance(node, dict)
            and isinstance(node.get("args"), list)
            and isinstance(node.get("kwargs"), dict)
            for node in nodes
        )
        name = name_of(entry)
        _require(good, place, f"calls of {name!r} in another format")
        calls[name] = max(1, len(nodes))
        if forms.is_operation(entry.get("module")):
            _require(len(nodes) == 1, place, f"{len(nodes)} calls of {name!r}")

    def known(ref: Ref) -> bool:
        # Keras counts the calls of a nested model from 1 in some places.
        return ref.name in calls and 0 <= ref.node <= calls[ref.name]

    for entry in layers_of(place.entry):
        for node in nodes_of(entry):
            for ref in node_refs(node):
                source = f"a tensor of {ref.name!r} in {name_of(entry)!r}"
                _require(known(ref), place, f"{source}, which no layer computes")
    for key in ("input_layers", "output_layers"):
        for ref in end_refs(place.entry, key):
            _require(known(ref), place, f"{ref.name!r} in {key}, which does not exist")
    reached = set(layer_order(place.entry))
    for name in calls:
        _require(name in reached, place, f"{name!r}, which leads to no output")


def _require(condition: bool, place: Place, received: str) -> None:
    if not condition:
        raise ArchiveError(
            "config.json must describe a model in the form that Keras writes. "
            f"Received: {received}, at {place.path or 'the top of the model'!r}. The "
            "file was not written by Keras."
        )


def _malformed(path: Path, what: str, error: Exception) -> str:
    return (
        "A saved model must have the structure that Keras writes. Received: "
        f"{str(path)!r}, where {what} is not valid ({reason(error)}). The file is "
        "damaged, or was not written by Keras."
    )


def reason(error: Exception) -> str:
    """What an error of malformed data says, in one short line."""
    return f"{type(error).__name__}: {error}".splitlines()[0][:200]


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:80]}..."  # noqa: PLR2004
