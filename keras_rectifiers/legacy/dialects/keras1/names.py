"""What Keras 1 called the classes and the settings of its layers."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from collections.abc import Mapping
from typing import Any

from keras_rectifiers.graph.document import Entry
from keras_rectifiers.graph.document import config_of
from keras_rectifiers.legacy.dialects.keras1.objects import modernize_objects
from keras_rectifiers.legacy.dialects.registry import Context
from keras_rectifiers.legacy.dialects.registry import entry_rule

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
#: Settings of recurrent layers, in the same way.
RECURRENT: dict[str, str] = {
    "inner_init": "recurrent_initializer",
    "inner_activation": "recurrent_activation",
    "U_regularizer": "recurrent_regularizer",
    "dropout_W": "dropout",
    "dropout_U": "recurrent_dropout",
}
#: Settings by which a layer stated the shape of its input.
INPUTS = frozenset({"input_dim", "input_length", "input_shape"})
#: Settings that together are a kernel's size.
SIDES = (("nb_row", "nb_col"), ("kernel_dim1", "kernel_dim2", "kernel_dim3"))
#: Settings that lay at the input, or steered only how a layer was computed.
_LEFT = frozenset(
    {"cache_enabled", "consume_less", "input_dtype", "truncate_gradient", "weights"}
)
_ORDERINGS = {"th": "channels_first", "tf": "channels_last"}


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
    left: frozenset[str] = INPUTS

    def has(self, entry: Entry, context: Context) -> bool:
        """Whether an entry is of this family, and Keras 1 wrote it."""
        if entry.get("class_name") not in self.classes:
            return False
        return written_by_keras_1(entry, context, self.signs)


def rename_rule(name: str, about: str, form: Form) -> None:
    """Register a rule that gives the layers of a family their modern names.

    Args:
        name: As for `entry_rule`.
        about: As for `entry_rule`.
        form: How Keras 1 wrote them.
    """

    @entry_rule(name, about)
    def rule(entry: Entry, context: Context) -> None:
        if form.has(entry, context):
            rename(entry, context, form)


def same(*classes: str) -> dict[str, str]:
    """Classes that have kept their names."""
    return {name: name for name in classes}


def written_by_keras_1(entry: Entry, context: Context, signs: frozenset[str]) -> bool:
    """Whether Keras 1, or an older one, wrote an entry.

    Args:
        entry: A layer.
        context: Knows the version, if the file does.
        signs: Settings that only Keras 1 wrote.
    """
    version = context.origin.version
    if version:
        return version < (2,)
    return "module" not in entry and not signs.isdisjoint(config_of(entry))


def rename(entry: Entry, context: Context, form: Form) -> None:
    """Give an entry's class and arguments their modern names, and report it.

    Args:
        entry: A layer of the form's family.
        context: Where to report it.
        form: How Keras 1 wrote it.
    """
    config = config_of(entry)
    changes = []
    old_class = str(entry["class_name"])
    if form.classes[old_class] != old_class:
        entry["class_name"] = form.classes[old_class]
        changes.append(f"{old_class} → {entry['class_name']}")
    for old, new in {**COMMON, **form.names}.items():
        if old in config:
            config.setdefault(new, config.pop(old))
            changes.append(f"{old} → {new}")
    for key in (_LEFT | form.left) & set(config):
        del config[key]
    ordering = config.get("data_format")
    if ordering in _ORDERINGS:
        config["data_format"] = _ORDERINGS[ordering]
    elif ordering == "default":
        del config["data_format"]
    if changes:
        context.repaired(entry, ", ".join(changes))
    modernize_objects(entry, context)


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
