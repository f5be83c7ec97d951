"""What Keras 1 called the classes and the settings of its layers."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from collections.abc import Mapping
from typing import Any

from keras_rectifiers.graph.document import Entry
from keras_rectifiers.graph.document import config_of
from keras_rectifiers.legacy.dialects.keras1.objects import modernise_objects
from keras_rectifiers.legacy.dialects.registry import Context

#: Settings that many layers have: name in Keras 1 -> name in Keras 3.
COMMON: dict[str, str] = {
    "init": "kernel_initializer",
    "W_regularizer": "kernel_regularizer",
    "W_constraint": "kernel_constraint",
    "b_regularizer": "bias_regularizer",
    "b_constraint": "bias_constraint",
    "bias": "use_bias",
    "border_mode": "padding",
    "dim_ordering": "data_format",
}
#: Settings that lay at the input, or steered only how a layer was computed.
_LEFT = frozenset(
    {"cache_enabled", "consume_less", "input_dtype", "truncate_gradient", "weights"}
)
_ORDERINGS = {"th": "channels_first", "tf": "channels_last"}

#: Version of Keras from which its documents are written in the modern way.
MODERN = (2,)


@dataclasses.dataclass(frozen=True)
class Form:
    """How Keras 1 wrote the layers of one family.

    Attributes:
        classes: Class in Keras 1 -> class in Keras 3.
        names: Its own settings: name in Keras 1 -> name in Keras 3.
        signs: Settings that only Keras 1 wrote, to know it by where the version is
            unknown.
        left: Settings that have no meaning any more.
    """

    classes: Mapping[str, str]
    names: Mapping[str, str]
    signs: frozenset[str]
    left: frozenset[str] = frozenset()

    def has(self, entry: Entry, context: Context) -> bool:
        """Whether an entry is of this family, and Keras 1 wrote it."""
        if entry.get("class_name") not in self.classes:
            return False
        return written_by_keras_1(entry, context, self.signs)


def written_by_keras_1(entry: Entry, context: Context, signs: frozenset[str]) -> bool:
    """Whether Keras 1, or an older one, wrote an entry.

    Args:
        entry: A layer.
        context: Knows the version, if the file does.
        signs: Settings that only Keras 1 wrote.
    """
    version = context.origin.version
    if version:
        return version < MODERN
    return "module" not in entry and not signs.isdisjoint(config_of(entry))


def rename(entry: Entry, context: Context, form: Form) -> None:
    """Give an entry's class and settings their modern names, and tell.

    Args:
        entry: A layer of the form's family.
        context: Where to tell.
        form: How Keras 1 wrote it.
    """
    config = config_of(entry)
    told = []
    old_class = str(entry["class_name"])
    if form.classes[old_class] != old_class:
        entry["class_name"] = form.classes[old_class]
        told.append(f"{old_class} → {entry['class_name']}")
    for old, new in {**COMMON, **form.names}.items():
        if old in config:
            config.setdefault(new, config.pop(old))
            told.append(f"{old} → {new}")
    for key in (_LEFT | form.left) & set(config):
        del config[key]
    ordering = config.get("data_format")
    if ordering in _ORDERINGS:
        config["data_format"] = _ORDERINGS[ordering]
    elif ordering == "default":
        del config["data_format"]
    if told:
        context.repaired(entry, ", ".join(told))
    modernise_objects(entry, context)


def entries_in(document: Entry) -> Iterator[Entry]:
    """Every entry in an old document, however its layers are written down.

    Args:
        document: Its top entry, which is the first.
    """
    left: list[Any] = [document]
    while left:
        value = left.pop()
        if isinstance(value, dict):
            if "class_name" in value:
                yield value
            left.extend(reversed(value.values()))
        elif isinstance(value, list):
            left.extend(reversed(value))


def as_list(value: Any) -> list[Any]:
    """A setting that may be one number, as the list that Keras 3 writes."""
    return list(value) if isinstance(value, list | tuple) else [value]
