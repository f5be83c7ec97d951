"""The rule of each class: what it does to bounds."""

from __future__ import annotations

from keras_rectifiers.estimation import rules_arithmetic
from keras_rectifiers.estimation import rules_linear
from keras_rectifiers.estimation import rules_shape
from keras_rectifiers.estimation.call import Rule
from keras_rectifiers.graph import forms
from keras_rectifiers.graph.document import Entry

_LAYERS: dict[str, Rule] = {
    **rules_linear.RULES,
    **rules_shape.LAYERS,
    **rules_arithmetic.LAYERS,
}
_OPERATIONS: dict[str, Rule] = {
    **rules_shape.OPERATIONS,
    **rules_arithmetic.OPERATIONS,
}
#: Layers that apply their `activation` after what their rule bounds.
_ACTIVATED = frozenset({*rules_linear.RULES, "EinsumDense"})


def rule_of(entry: Entry) -> Rule | None:
    """The rule of a layer or operation; None where nothing is known of it."""
    if not forms.is_keras(entry):
        return None
    operation = forms.is_operation(entry.get("module"))
    return (_OPERATIONS if operation else _LAYERS).get(str(entry["class_name"]))


def activates(entry: Entry) -> bool:
    """Whether the `activation` of a layer works on what its rule bounds."""
    return forms.is_keras(entry) and entry["class_name"] in _ACTIVATED
