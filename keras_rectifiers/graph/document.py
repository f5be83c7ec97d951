"""A saved model as a document: walk its layers, read and write at an address.

A document is what Keras writes as `config.json`: dicts, lists, strings and
numbers. Nothing here knows what a rectifier is, and Keras is never imported.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Container
from collections.abc import Iterator
from collections.abc import Mapping
from typing import Any

from keras_rectifiers.errors import ArchiveError
from keras_rectifiers.graph import forms
from keras_rectifiers.specs import Shape

Entry = dict[str, Any]
Address = tuple[str | int, ...]

_NOT_WORD = re.compile(r"\W+")
_BEFORE_CAPITALIZED = re.compile(r"(?<=.)(?=[A-Z][a-z])")
_BEFORE_CAPITAL = re.compile(r"(?<=[a-z])(?=[A-Z])")

#: What Keras exports, and writes into configs, under another name than the class's.
_CLASSES = {"GroupQueryAttention": "GroupedQueryAttention"}

#: Deepest nesting of models inside models that is walked.
MAX_DEPTH = 64

#: Config keys of wrapped layers, and the attributes under which Keras stores them.
WRAPPED = ("layer", "forward_layer", "backward_layer", "cell")


@dataclasses.dataclass(frozen=True)
class Place:
    """The place of one layer or operation in a document."""

    #: Names from inside the top model down to this entry.
    names: tuple[str, ...]
    #: Keys from the document's root to the entry.
    address: Address
    #: Group of the entry in the weights file, from its root.
    group: tuple[str, ...]
    #: The entry itself; not to be changed.
    entry: Entry
    #: Place of the model or wrapper that holds it; None for the top model.
    parent: Place | None
    #: Equal for two places that hold one shared object.
    identity: tuple[Any, ...]

    @property
    def path(self) -> str:
        """The names, joined by `/`."""
        return "/".join(self.names)

    @property
    def config(self) -> dict[str, Any]:
        """The entry's own config."""
        return config_of(self.entry)


def config_of(entry: Mapping[str, Any]) -> dict[str, Any]:
    """The config dict of an entry (empty where it has none)."""
    config = entry.get("config")
    return config if isinstance(config, dict) else {}


def name_of(entry: Mapping[str, Any]) -> str:
    """The name of a layer or operation."""
    name = _name(entry)
    return name if isinstance(name, str) else str(entry.get("class_name"))


def free_name(name: str, taken: Container[str]) -> str:
    """A name that is not taken: the one that is wished for, or that with a number.

    Args:
        name: The name that is wished for.
        taken: Names that others have.
    """
    number, free = 0, name
    while free in taken:
        number += 1
        free = f"{name}_{number}"
    return free


def give_names(document: Any, depth: int = 0) -> None:
    """Name the layers that a Sequential's config leaves without a name.

    A class of one's own may leave it out; a Functional model itself writes names.
    Keras then invents one at each load; here it is the class's, with a number where
    there are several, as Keras would begin.

    Args:
        document: The config of a whole model; names are added.
        depth: How many models are around it.
    """
    if depth > MAX_DEPTH or not isinstance(document, dict) or not is_model(document):
        return
    layers = layers_of(document)
    names = {str(_name(entry)) for entry in layers}
    used: dict[str, int] = {}
    for entry in layers:
        give_names(entry, depth + 1)
        if _name(entry) is None and not is_functional(document):
            own = str(entry["class_name"]).rpartition(">")[2]
            name = group_name(own, used)
            while name in names:
                name = group_name(own, used)
            names.add(name)
            entry["name"] = name


def _name(entry: Mapping[str, Any]) -> Any:
    return entry.get("name", config_of(entry).get("name"))


def built_shape(entry: Mapping[str, Any]) -> Shape | None:
    """The input shape in an entry's `build_config`."""
    build = entry.get("build_config")
    built = build.get("input_shape") if isinstance(build, dict) else None
    if not isinstance(built, list) or any(isinstance(axis, list) for axis in built):
        return None
    return tuple(built)


def is_model(entry: Mapping[str, Any]) -> bool:
    """Whether an entry is a model whose config lists its layers."""
    layers = config_of(entry).get("layers")
    return isinstance(layers, list) and all(
        isinstance(layer, dict) and "class_name" in layer for layer in layers
    )


def is_functional(entry: Mapping[str, Any]) -> bool:
    """Whether an entry is a model with a graph (and not a Sequential)."""
    return is_model(entry) and "output_layers" in config_of(entry)


def is_layer(entry: Mapping[str, Any]) -> bool:
    """Whether Keras counts an entry among a model's `layers`."""
    return not forms.is_operation(entry.get("module"))


def is_frozen(place: Place) -> bool:
    """Whether a layer, or what is around it, is set not to train."""
    current: Place | None = place
    while current is not None:
        if current.config.get("trainable") is False:
            return True
        current = current.parent
    return False


def layers_of(entry: Mapping[str, Any]) -> list[Entry]:
    """The entries of a model, in the order of its config."""
    layers = config_of(entry)["layers"]
    return list(layers)


def wrapped(entry: Mapping[str, Any]) -> Iterator[tuple[str, Entry]]:
    """The layers and cells in the config of a wrapper, each with its key there."""
    config = config_of(entry)
    cells = config.get("cells")
    found = [(key, config.get(key)) for key in WRAPPED]
    found += [("cells", each) for each in cells] if isinstance(cells, list) else []
    for key, child in found:
        if isinstance(child, dict) and "class_name" in child:
            yield key, child


def attribute_of(entry: Mapping[str, Any], key: str) -> str:
    """The attribute under which Keras stores what a wrapper has at a key."""
    both = key == "layer" and entry.get("class_name") == "Bidirectional"
    return "forward_layer" if both else key


def tracked_layers(entry: Mapping[str, Any]) -> list[Entry]:
    """The entries that Keras stores in a weights file, in its order."""
    layers = [layer for layer in layers_of(entry) if is_layer(layer)]
    hidden_input = not is_functional(entry) and layers
    if hidden_input and layers[0].get("class_name") == "InputLayer":
        return layers[1:]
    return layers


def walk(document: Entry) -> Iterator[Place]:
    """Every place in a document, the top model first, then depth first.

    Args:
        document: The config of a whole model.
    """
    top = Place((), (), (), document, None, ("top",))
    yield top
    yield from _below(top)


def at(document: Any, address: Address) -> Any:
    """The value at an address."""
    for key in address:
        document = document[key]
    return document


def group_name(class_name: str, used: dict[str, int]) -> str:
    """Keras' name for the next member of a container in a weights file.

    Args:
        class_name: The member's class.
        used: How often each name was used before; updated.
    """
    name = snake_case(_CLASSES.get(class_name, class_name))
    count = used.get(name, 0)
    used[name] = count + 1
    return f"{name}_{count}" if count else name


def snake_case(name: str) -> str:
    """The form of a class name in a weights file: `PReLU` becomes `p_re_lu`."""
    name = _NOT_WORD.sub("", name)
    name = _BEFORE_CAPITALIZED.sub("_", name)
    return _BEFORE_CAPITAL.sub("_", name).lower()


def _below(place: Place) -> Iterator[Place]:
    if len(place.address) > MAX_DEPTH * 3:
        raise ArchiveError(
            f"Models must be nested at most {MAX_DEPTH} deep. Received: a deeper "
            f"nesting at {place.path!r}. The file was not written by Keras."
        )
    for child in _children(place):
        yield child
        yield from _below(child)


def _children(place: Place) -> Iterator[Place]:
    entry, config = place.entry, place.config
    if is_model(entry):
        yield from _members(place, ("config", "layers"), (*place.group, "layers"))
        return
    if not forms.is_keras(entry):
        return  # a custom class: what its config means is its own affair
    for key, child in wrapped(entry):
        if key != "cells":
            group = (*place.group, attribute_of(entry, key))
            yield _place(place, child, ("config", key), group)
    if isinstance(config.get("cells"), list):
        yield from _members(place, ("config", "cells"), (*place.group, "cells"))


def _members(place: Place, key: Address, group: tuple[str, ...]) -> Iterator[Place]:
    entries = at(place.entry, key)
    tracked = {id(entry) for entry in entries}
    if key[-1] == "layers":
        tracked = {id(entry) for entry in tracked_layers(place.entry)}
    used: dict[str, int] = {}
    for index, entry in enumerate(entries):
        stored: tuple[str, ...] = ()
        if id(entry) in tracked:
            stored = (*group, group_name(str(entry["class_name"]), used))
        yield _place(place, entry, (*key, index), stored)


def _place(parent: Place, entry: Entry, key: Address, group: tuple[str, ...]) -> Place:
    name = name_of(entry)
    shared = entry.get("shared_object_id")
    own = not isinstance(shared, int | str)
    identity = (*parent.identity, name) if own else ("shared", shared)
    return Place(
        names=(*parent.names, name),
        address=(*parent.address, *key),
        group=group,
        entry=entry,
        parent=parent,
        identity=identity,
    )
