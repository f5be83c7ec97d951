"""The rules that make an old document modern, and what they share.

A rule is a function that changes one entry of a document in place, where the
entry is written in the old way, and says so. Rules know plain data only: Keras is
never imported, and nothing that a file names is.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

from keras_rectifiers.errors import ArchiveError
from keras_rectifiers.errors import UnsupportedModelError
from keras_rectifiers.graph.document import Entry
from keras_rectifiers.graph.document import config_of
from keras_rectifiers.graph.document import name_of
from keras_rectifiers.graph.wellformed import MALFORMED
from keras_rectifiers.graph.wellformed import reason
from keras_rectifiers.legacy.dialects import known
from keras_rectifiers.repairs import Repair
from keras_rectifiers.surgery.handed import NO_FUNCTIONS
from keras_rectifiers.surgery.handed import Functions

#: Key under which an entry remembers what it was, until it is collected.
WAS = "__was__"
#: Key under which a copy of a shared layer has the old paths of that layer, until
#: they are collected.
TWINS = "__twins__"


@dataclasses.dataclass(frozen=True)
class Origin:
    """Where a document comes from.

    Attributes:
        version: Of the Keras that wrote it, `(2, 4, 0)`; `()` where it is not known.
        backend: `"tensorflow"`, `"theano"`, `"cntk"`, or `""` where it is not known.
    """

    version: tuple[int, ...] = ()
    backend: str = ""


@dataclasses.dataclass(frozen=True)
class Was:
    """What a layer was in the old document.

    Attributes:
        path: Its old name, after those of the models and wrappers around it.
        class_name: Its old class.
        conversion: Name of the conversion that its weights need, or `""`.
        twins: The paths of the one layer that it is a copy of: its weights are
            stored at one of them.
    """

    path: tuple[str, ...]
    class_name: str
    conversion: str = ""
    twins: tuple[tuple[str, ...], ...] = ()


class Context:
    """What a rule can query and report while it looks at one entry.

    Args:
        origin: Where the document comes from.
        functions: The functions that the user hands over.
    """

    def __init__(self, origin: Origin, functions: Functions = NO_FUNCTIONS) -> None:
        self.origin = origin
        self.functions = functions
        self.repairs: list[Repair] = []
        #: Names of the models and wrappers around the entry.
        self.around: tuple[str, ...] = ()
        self._rule = ""

    def is_old(self, entry: Entry) -> bool:
        """Whether a layer's entry was written before Keras 3.

        If the version is unknown, the dtype decides: Keras 3 writes a policy where
        Keras 2 writes a string.
        """
        if self.origin.version:
            return self.origin.version < (3,)
        dtype = config_of(entry).get("dtype")
        return not (isinstance(dtype, dict) and dtype.get("module") == "keras")

    def path(self, entry: Entry) -> str:
        """Path of an entry, for people."""
        return "/".join((*self.around, name_of(entry)))

    def repaired(self, entry: Entry, text: str, *, caution: bool = False) -> None:
        """Note that the rule at work repaired an entry.

        Args:
            entry: The entry.
            text: What it was and what it is: `"batch_input_shape → batch_shape"`.
            caution: Whether the user should look at it.
        """
        made = Repair(self._rule, self.path(entry), text, caution)
        if made not in self.repairs:
            self.repairs.append(made)

    def convert_weights(self, entry: Entry, conversion: str) -> None:
        """Ask for a conversion of the entry's stored weights.

        Args:
            entry: The entry, of its modern class.
            conversion: A name in `weights.conversions.CONVERSIONS`.
        """
        entry[WAS]["conversion"] = conversion

    def refuse(self, entry: Entry, what: str, remedy: str) -> UnsupportedModelError:
        """The error for what cannot be converted; the caller raises it.

        Args:
            entry: The entry.
            what: What it holds, such as `"a Highway layer, which Keras 3 lacks"`.
            remedy: What the user can do, as a sentence without its full stop.
        """
        return UnsupportedModelError(
            f"Every layer must have a Keras 3 form. Received: {what}, at "
            f"{self.path(entry)!r}. {remedy}."
        )

    def run(self, name: str, rule: Rule, entry: Entry) -> None:
        """Apply one rule to one entry.

        Raises:
            ArchiveError: The entry is not built as any Keras builds it.
        """
        self._rule = name
        try:
            rule(entry, self)
        except MALFORMED as error:
            raise ArchiveError(
                "A layer must have the form that Keras writes. Received: "
                f"{self.path(entry) or 'the model'!r}, whose config has an unexpected "
                f"structure ({reason(error)}). The file is damaged, or was not "
                "written by Keras."
            ) from error


Rule = Callable[[Entry, Context], None]


@dataclasses.dataclass(frozen=True)
class Registered:
    """A rule with its name and what it repairs, in one line."""

    name: str
    about: str
    function: Rule


#: Rules for every entry: a model, a layer, a wrapped layer or cell, an operation.
#: They run from the top down, before the entry's own layers are looked at.
ENTRY_RULES: list[Registered] = []
#: Rules for every model whose config lists its layers; they run after the rules of its
#: layers.
MODEL_RULES: list[Registered] = []


def entry_rule(name: str, about: str) -> Callable[[Rule], Rule]:
    """Register a rule for every entry, after those registered before.

    Args:
        name: Its name, as users see it.
        about: What it repairs, in one line for the documentation.
    """

    def register(function: Rule) -> Rule:
        ENTRY_RULES.append(Registered(name, about, function))
        return function

    return register


def layer_rule(
    name: str, about: str, *classes: str, old: bool = False
) -> Callable[[Rule], Rule]:
    """Register a rule for layers of Keras' own, as the rule of classes names them.

    Args:
        name: As for `entry_rule`.
        about: As for `entry_rule`.
        classes: Classes of the layers; default: all.
        old: Whether it is only for those that were written before Keras 3.
    """

    def register(function: Rule) -> Rule:
        def rule(entry: Entry, context: Context) -> None:
            if classes and entry.get("class_name") not in classes:
                return
            if known.is_named_layer(entry) and (not old or context.is_old(entry)):
                function(entry, context)

        return entry_rule(name, about)(rule)

    return register


def model_rule(name: str, about: str) -> Callable[[Rule], Rule]:
    """Register a rule for every model, after those registered before."""

    def register(function: Rule) -> Rule:
        MODEL_RULES.append(Registered(name, about, function))
        return function

    return register


def serialized(
    class_name: str, module: str, config: Any, registered_name: str | None = None
) -> Entry:
    """An object in the form in which Keras 3 writes it."""
    return {
        "module": module,
        "class_name": class_name,
        "config": config,
        "registered_name": registered_name,
    }


def function(name: str, module: str = "builtins") -> Entry:
    """A function that Keras 3 looks up by its name among the custom objects."""
    return serialized("function", module, name, name)
