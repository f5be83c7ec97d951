"""Operations that together may be a rectifier, in spellings that are not replaced.

`x * (x > 0)`, `where(x < 0, 0, x)`, `(x + |x|) / 2`: these usually mean a rectifier,
but they do not show what else uses their parts.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

from keras_rectifiers.graph import forms

#: For a tensor the class and the operands of the operation that made it, or None.
Producer = Callable[[Any], tuple[str, Sequence[Any]] | None]
Same = Callable[[Any, Any], bool]

#: Most casts and plain numbers between a tensor and what it is compared with.
_FAR = 16
_TESTS = frozenset({"Greater", "GreaterEqual", "Less", "LessEqual"})
_STEPS = frozenset({"Sign", "Heaviside"})
_SCALES = frozenset({"Multiply", "Divide", "TrueDivide", "Add", "Subtract"})
_FACTORS = frozenset({"Multiply", "Divide", "TrueDivide"})
_ABSOLUTE = frozenset({"Abs", "Absolute"})
_ZEROS = frozenset({"ZerosLike", "Zeros"})


def hint(
    class_name: str, operands: Sequence[Any], producer: Producer, same: Same
) -> str:
    """How an operation looks like a rectifier; empty where it does not.

    Args:
        class_name: Its class, such as `"Multiply"`.
        operands: Its operands: numbers, lists, and anything else for tensors.
        producer: Gives the operation that made a tensor.
        same: Whether two operands are the same tensor.
    """
    parts = _Parts(producer, same)
    match class_name:
        case "Multiply" if parts.gated(operands):
            return "x * (x > 0)"
        case "Where" if parts.chosen(operands[:1], operands[1:]):
            return "where(x > 0, x, ...)"
        case "Select" if len(operands) > 1 and parts.chosen(
            _listed(operands[0]), _listed(operands[1])
        ):
            return "select([x > 0], [x], ...)"
        case "Add" | "Subtract" if parts.with_absolute(operands):
            return "x + |x|" if class_name == "Add" else "x - |x|"
        case "Maximum" if parts.compared(operands):
            return "maximum(x, a * x)"
        case "Minimum" if parts.compared(operands) or parts.with_zero(operands):
            return "minimum(x, 0)"
        case "Threshold":
            return "threshold(x, ...)"
    return ""


class _Parts:
    """Questions about the operands of one operation."""

    def __init__(self, producer: Producer, same: Same) -> None:
        self._producer = producer
        self._same = same

    def gated(self, operands: Sequence[Any]) -> bool:
        """Whether a tensor is multiplied with a test of itself."""
        return any(
            self._is_same(self._tested(mask), x)
            for mask, x in itertools.permutations(operands, 2)
        )

    def chosen(self, tests: Sequence[Any], branches: Sequence[Any]) -> bool:
        """Whether a test of a tensor chooses between it and something else."""
        return any(
            self._is_same(self._tested(test), self._base(branch, _FACTORS))
            for test in tests
            for branch in branches
        )

    def with_absolute(self, operands: Sequence[Any]) -> bool:
        """Whether a tensor meets its own absolute value, either of them scaled."""
        bases = [self._base(each, _FACTORS) for each in operands]
        for a, b in itertools.permutations(bases, 2):
            made = self._producer(b)
            if made and made[0] in _ABSOLUTE and self._is_same(made[1][0], a):
                return True
        return False

    def compared(self, operands: Sequence[Any]) -> bool:
        """Whether a tensor is compared with a multiple of itself, or with zeros."""
        for a, b in itertools.permutations(operands, 2):
            made = self._producer(b)
            if made and made[0] in _ZEROS and forms.number(a) is None:
                return True
            scaled = made and made[0] in _FACTORS
            if scaled and self._is_same(self._base(b, _FACTORS), a):
                return True
        return False

    def with_zero(self, operands: Sequence[Any]) -> bool:
        """Whether a tensor is compared with the number 0."""
        numbers = [forms.number(each) for each in operands]
        return numbers in ([None, 0], [0, None])

    def _tested(self, mask: Any) -> Any:
        """The tensor whose sign a value shows; None for any other value."""
        made = self._producer(self._base(mask, _SCALES))
        if made is None or not made[1]:
            return None
        name, operands = made
        if name in _STEPS:
            return operands[0]
        if name in _TESTS:
            tensors = [each for each in operands if forms.number(each) is None]
            zeros = [each for each in tensors if self._is_zero(each)]
            rest = [each for each in tensors if not self._is_zero(each)]
            return rest[0] if len(rest) == 1 and len(zeros) <= 1 else None
        return None

    def _is_zero(self, value: Any) -> bool:
        made = self._producer(value)
        return made is not None and made[0] in _ZEROS

    def _base(self, value: Any, through: frozenset[str]) -> Any:
        """A tensor before it was cast, or met a plain number."""
        for _ in range(_FAR):
            made = self._producer(value)
            if made is None:
                break
            name, operands = made
            tensors = [each for each in operands if forms.number(each) is None]
            if len(tensors) != 1 or (name != "Cast" and name not in through):
                break
            value = tensors[0]
        return value

    def _is_same(self, a: Any, b: Any) -> bool:
        return a is not None and b is not None and self._same(a, b)


def _listed(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else [value]


def is_merge(entry: Mapping[str, Any]) -> bool:
    """Whether an entry is the layer that does what the operation of its name does."""
    merges = ("Multiply", "Add", "Subtract", "Maximum", "Minimum")
    return forms.is_keras(entry) and entry.get("class_name") in merges
