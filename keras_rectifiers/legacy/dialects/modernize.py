"""Bring a document of any age into the form that Keras 3 writes."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Iterator

from keras_rectifiers.errors import ArchiveError
from keras_rectifiers.graph import forms
from keras_rectifiers.graph.document import MAX_DEPTH
from keras_rectifiers.graph.document import Entry
from keras_rectifiers.graph.document import is_functional
from keras_rectifiers.graph.document import is_model
from keras_rectifiers.graph.document import layers_of
from keras_rectifiers.graph.document import name_of
from keras_rectifiers.graph.document import walk
from keras_rectifiers.graph.document import wrapped
from keras_rectifiers.graph.graph import layer_order
from keras_rectifiers.legacy.dialects.registry import ENTRY_RULES
from keras_rectifiers.legacy.dialects.registry import MODEL_RULES
from keras_rectifiers.legacy.dialects.registry import TWINS
from keras_rectifiers.legacy.dialects.registry import WAS
from keras_rectifiers.legacy.dialects.registry import Context
from keras_rectifiers.legacy.dialects.registry import Origin
from keras_rectifiers.legacy.dialects.registry import Was
from keras_rectifiers.repairs import Repair
from keras_rectifiers.surgery.handed import NO_FUNCTIONS
from keras_rectifiers.surgery.handed import Functions

#: What the parts of an entry are, in any version of Keras.
_KINDS = {
    "class_name": str | None,
    "config": dict | list | None,
    "module": str | None,
    "registered_name": str | None,
    "build_config": dict | None,
}


@dataclasses.dataclass(frozen=True)
class Modern:
    """A modern document, and how it came from an old one.

    Attributes:
        document: As Keras 3 writes `config.json`.
        repairs: Everything that was changed.
        was: Names from inside the top model down to a layer -> what it was. A
            layer that was added, such as an InputLayer, is not there.
    """

    document: Entry
    repairs: tuple[Repair, ...]
    was: dict[tuple[str, ...], Was]


def modernize(
    document: Entry, origin: Origin, functions: Functions = NO_FUNCTIONS
) -> Modern:
    """Apply every rule to every entry of a document.

    Args:
        document: A model's config, of any version of Keras; not changed.
        origin: Where it comes from.
        functions: The functions that the user hands over.

    Raises:
        ArchiveError: It is not a model, or it is nested too deeply.
        UnsupportedModelError: Something in it has no form in Keras 3.
    """
    new = copy.deepcopy(document)
    context = Context(origin, functions)
    _modernize(new, context, ())
    was = {}
    for place in walk(new):
        before = place.entry.pop(WAS, None)
        if before is not None:
            was[place.names] = Was(**before)
    return Modern(new, tuple(context.repairs), was)


def _modernize(entry: Entry, context: Context, old_path: tuple[str, ...]) -> None:
    around = context.around
    if len(around) > MAX_DEPTH:
        raise ArchiveError(
            f"Models must be nested at most {MAX_DEPTH} deep. Received: a deeper "
            f"nesting at {'/'.join(around)!r}. The file was not written by Keras."
        )
    for each in (entry, *(layers_of(entry) if is_model(entry) else ())):
        _check_kinds(each, context)
    entry[WAS] = {
        "path": old_path,
        "class_name": str(entry.get("class_name")),
        "twins": entry.pop(TWINS, ()),
    }
    for rule in ENTRY_RULES:
        context.run(rule.name, rule.function, entry)
    inside = (*around, name_of(entry)) if old_path else ()
    context.around = inside
    for child in _children(entry):
        _modernize(child, context, (*old_path, name_of(child)))
    context.around = around
    if is_model(entry):
        for rule in MODEL_RULES:
            context.run(rule.name, rule.function, entry)
        if is_functional(entry):
            _sort(entry)


def _check_kinds(entry: Entry, context: Context) -> None:
    """Refuse what no version of Keras writes, before a rule trips over it."""
    for key, kinds in _KINDS.items():
        value = entry.get(key)
        if not isinstance(value, kinds):
            where = context.path(entry) if isinstance(entry.get("config"), dict) else ""
            raise ArchiveError(
                "config.json must describe a model in the form that Keras writes. "
                f"Received: {key}={repr(value)[:80]}, at "
                f"{where or 'the top of the model'!r}. The file was not written by "
                "Keras."
            )


def _sort(model: Entry) -> None:
    """Bring layers into the order of Keras 3, which numbers weights by it."""
    layers = layers_of(model)
    order = {name: number for number, name in enumerate(layer_order(model))}
    model["config"]["layers"] = sorted(
        layers, key=lambda entry: order.get(name_of(entry), len(order))
    )


def _children(entry: Entry) -> Iterator[Entry]:
    if is_model(entry):
        yield from layers_of(entry)
        return
    if not forms.is_keras(entry):
        return  # a custom class: what its config means is its own affair
    yield from (child for _, child in wrapped(entry))
