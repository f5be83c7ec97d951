"""What a rectifier is there for: not every ReLU is an activation.

A ReLU that makes a gate, bounds the model's output or keeps a square root real
must not start to leak. Each role is found by following the rectifier's output
through layers that only reshape or rescale it.
"""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Sequence

from keras_rectifiers.graph import forms
from keras_rectifiers.graph import traits
from keras_rectifiers.graph.calls import Call
from keras_rectifiers.graph.calls import Calls
from keras_rectifiers.graph.calls import Tensor
from keras_rectifiers.graph.document import Place
from keras_rectifiers.graph.passes import Backward
from keras_rectifiers.specs import Rectifier

HIDDEN = "hidden"
GATE = "gate"
OUTPUT = "output"
GUARD = "guard"
RECURRENT = "recurrent"
CUSTOM = "custom"
#: Called by Python code, and held by no layer: it can be seen, and not replaced.
CALLED = "called_in_python"
ROLES = (HIDDEN, GATE, OUTPUT, GUARD, RECURRENT, CUSTOM)

#: Why a rectifier has the role of an output.
ENDS = (
    "it is the model's output; if other models build on it, as on a backbone, --role "
    "hidden --role output includes it"
)

#: A role and the evidence for it.
Role = tuple[str, str]
_HIDDEN: Role = (HIDDEN, "")


class Roles(Backward[Role]):
    """What the output of each call is there for.

    Args:
        calls: The calls of a model.
    """

    def __init__(self, calls: Calls) -> None:
        super().__init__(calls)
        self.run()

    def value(self, call: Call, takers: Sequence[Call]) -> Role:
        """What the ways from the output of a call lead to."""
        if self.ends(call):
            return OUTPUT, ENDS
        uses = [(taker, self._use(call, taker)) for taker in takers]
        passed = [self.of(taker) for taker, use in uses if use is None]
        return _first([use for _, use in uses if use] + passed[::-1])

    def of_places(
        self, places: Sequence[Place], known: Rectifier, *, fused: bool
    ) -> Role:
        """The role of a rectifier and the evidence for it.

        Args:
            places: Its place; several for a shared layer.
            known: What it computes.
            fused: Whether it is in a layer's `activation`.
        """
        entry = places[0].entry
        class_name = str(entry["class_name"])
        row = traits.of(class_name)
        if row.recurrent or row.cell:
            return RECURRENT, f"inside the recurrence of {class_name}"
        if not forms.is_keras(entry) and not forms.is_ours(entry):
            named = entry.get("registered_name") or class_name
            return CUSTOM, f"an argument of the custom class {named}"
        calls = [self.calls.of(place) for place in places]
        for first in (each[0] for each in calls if each):
            dtype = None if fused else self._counting(first)
            if dtype is not None:
                return GUARD, f"it keeps whole numbers ({dtype}) from being negative"
            offset = None if fused else self._offset(first)
            if offset is not None and known.max_value is not None:
                cap = f"{known.max_value:g}"
                return GATE, f"hard sigmoid: x + {offset:g} clipped to [0, {cap}]"
        return _first(self.of(call) for each in calls for call in reversed(each))

    def _counting(self, call: Call) -> str | None:
        """The dtype of what a call rectifies, where that holds whole numbers only."""
        dtypes = (
            self.calls.stated(each).dtype
            for each in call.args
            if isinstance(each, Tensor)
        )
        # The test of `where` comes before what is rectified.
        dtype = next((each for each in dtypes if each != "bool"), None)
        return dtype if str(dtype).startswith(("int", "uint")) else None

    def _offset(self, call: Call) -> float | None:
        """The constant that is added just before a call, as hard sigmoids do."""
        taken = call.args[0] if call.args else None
        if not isinstance(taken, Tensor):
            return None
        before = self.calls[taken.call]
        if before.class_name == "Rescaling":
            offset = before.config.get("offset")
            return float(offset) if isinstance(offset, int | float) and offset else None
        if before.class_name == "Add" and before.is_operation:
            numbers = [each for each in before.args if isinstance(each, int | float)]
            return float(numbers[0]) if numbers else None
        return None

    def _use(self, call: Call, taker: Call) -> Role | None:
        """What a taker does with a value; None where it passes the value on."""
        row, name = taker.traits, taker.member.names[-1]
        others = {tensor.call for tensor in taker.takes} - {call.number}
        if others and row.merges and taker.class_name == "Multiply":
            if any(self.calls.depends(self.calls[other], call) for other in others):
                return _HIDDEN  # it is what a gate made from it lets through
            return GATE, f"it is multiplied with another branch in {name!r}"
        if row.needs_positive:
            return GUARD, f"it feeds {taker.class_name.lower()} in {name!r}"
        divisor = taker.args[1] if row.divides and len(taker.args) > 1 else None
        if isinstance(divisor, Tensor) and divisor.call == call.number:
            return GUARD, f"it is a divisor in {name!r}"
        passes = row.passes or row.reorders or row.scales
        return None if passes and len(taker.takes) == 1 else _HIDDEN


def _first(roles: Iterable[Role]) -> Role:
    """The first role that is not the usual one."""
    return next((each for each in roles if each[0] != HIDDEN), _HIDDEN)
