"""What of a model cannot be looked into, and what may hide a rectifier.

A plan that passes over a part of a model in silence says of it that it holds no
rectifier. Keras' own classes say in their config all that they compute; classes of
others do not, nor do Python functions.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

from keras_rectifiers.graph import forms
from keras_rectifiers.graph import hints
from keras_rectifiers.graph import traits
from keras_rectifiers.graph.callables import LIBRARIES
from keras_rectifiers.graph.calls import Calls
from keras_rectifiers.graph.calls import same
from keras_rectifiers.graph.document import Place
from keras_rectifiers.graph.document import is_model
from keras_rectifiers.graph.survey import Survey

#: Reasons: a class that is not one of Keras, and a Python function or an operation
#: that may compute a rectifier.
CUSTOM = "custom"
FUNCTION = "function"
OPERATION = "operation"

#: Arguments that take a function of a value.
_SLOTS = ("activation", "recurrent_activation")
#: Packages whose functions are known by their names.
_KNOWN = frozenset({"keras", *LIBRARIES})


@dataclasses.dataclass(frozen=True)
class Unseen:
    """A part of a model in which rectifiers cannot be found."""

    #: Names from inside the top model, joined by `/`.
    path: str
    #: Class of the layer, the operation, or of the layer that has the function.
    class_name: str
    #: `"custom"` for what cannot be looked into; `"function"` or `"operation"` for
    #: what may hide a rectifier.
    reason: str
    #: The same in words.
    detail: str
    #: Number of layers inside; None where that is not known.
    layers: int | None = None


@dataclasses.dataclass(frozen=True)
class Inside:
    """What is known of the layers of a class that is not one of Keras."""

    #: Number of layers; None where that is not known.
    layers: int | None = None
    #: Whether they form a Functional model; None where that is not known.
    functional: bool | None = None


#: What is known of the layers inside a place.
Look = Callable[[Place], Inside]


def unseen(survey: Survey, look: Look) -> tuple[Unseen, ...]:
    """What of a document cannot be looked into, in the order of its layers.

    Args:
        survey: The document.
        look: Gives what is known of the layers inside a place.

    Returns:
        One entry for each. A layer that is shared between models counts once.
    """
    known = {place.address for each in survey.found for place in each.places}
    found: dict[tuple[Any, ...], Unseen] = {}
    for place in survey.view.places[1:]:
        for each in _of(place, survey.calls, look, known=place.address in known):
            found.setdefault((*place.identity, each.reason, each.detail), each)
    return tuple(found.values())


def counted(found: Sequence[Unseen]) -> str:
    """How much there is, for the end of a summary; empty where there is nothing.

    Args:
        found: What `unseen` gave.
    """
    custom = [each for each in found if each.reason == CUSTOM]
    text = ""
    if custom:
        layers = [each.layers for each in custom]
        known = sum(each for each in layers if each is not None)
        inside = f" ({known:,} layers inside)" if known else ""
        if None in layers:
            inside = f" (at least {known:,} layers inside)" if known else ""
        text += f" Not inspected: {len(custom)}{inside}."
    if len(custom) < len(found):
        text += f" May hide a rectifier: {len(found) - len(custom)}."
    return text


def _of(place: Place, calls: Calls, look: Look, *, known: bool) -> Iterator[Unseen]:
    entry, class_name = place.entry, str(place.entry["class_name"])
    if forms.is_operation(entry.get("module")) or hints.is_merge(entry):
        spelled = "" if known else _operation(place, calls)
        if spelled:
            detail = f"{spelled} may be a rectifier"
            yield Unseen(place.path, class_name, OPERATION, detail, 0)
        return
    if is_model(entry) or forms.is_ours(entry):
        return
    if not forms.is_keras(entry) or traits.of(class_name).foreign:
        inside = look(place)
        yield Unseen(place.path, class_name, CUSTOM, _custom(inside), inside.layers)
        return
    if class_name == "Lambda":
        detail = "its Python function may hide a rectifier"
        yield Unseen(place.path, class_name, FUNCTION, detail, 0)
    for slot in _SLOTS:
        name = _function(place.config.get(slot))
        if name:
            detail = f"{slot}={name} may hide a rectifier"
            yield Unseen(place.path, class_name, FUNCTION, detail, 0)


def _custom(inside: Inside) -> str:
    if inside.layers == 0:
        return "what it computes is Python code"
    if inside.functional is False:
        return "its layers are called by Python code"
    wrapped = "keras.Model(m.inputs, m.outputs)"
    if inside.functional:
        return f"its config does not list its layers; the config of {wrapped} does"
    return (
        "its config does not list its layers; if it is a Functional model m, the "
        f"config of {wrapped} does"
    )


def _function(value: Any) -> str:
    """The name of a Python function in a config; empty where it is well known."""
    if not isinstance(value, Mapping) or forms.recognize_activation(value) is not None:
        return ""
    class_name, module = value.get("class_name"), value.get("module")
    if class_name == "__lambda__":
        return "<lambda>"
    if class_name == "function":
        root = str(module).split(".", maxsplit=1)[0]
        return "" if root in _KNOWN else str(value.get("config"))
    known = forms.is_ours(value) or forms.is_keras(value)
    return "" if known else f"{class_name}()"


def _operation(place: Place, calls: Calls) -> str:
    """How an operation looks like a rectifier; empty where it does not, or is known."""
    if calls.view.member(place) is not place:
        return ""  # a wrapper calls it, with one tensor
    operands = next((list(call.args) for call in calls.of(place)), [])
    if len(operands) == 1 and isinstance(operands[0], list):
        operands = operands[0]  # a layer takes its tensors in a list
    return hints.hint(str(place.entry["class_name"]), operands, calls.producer, same)
