"""What the recipes for TensorFlow's functions work with."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from collections.abc import Mapping
from typing import Any

from keras_rectifiers.graph.inference.sizes import TensorSpec
from keras_rectifiers.specs import Shape

#: Longest shape that is worked out, and longest axis.
MAX_RANK = 64
MAX_LENGTH = 1 << 63


@dataclasses.dataclass(frozen=True)
class NamedTensor(TensorSpec):
    """The output of a layer or of an operation that is already modern."""

    shape: Shape | None = dataclasses.field(default=None, compare=False)
    dtype: str = dataclasses.field(default="float32", compare=False)
    name: str = ""
    node: int = 0
    index: int = 0


@dataclasses.dataclass(frozen=True)
class Length:
    """The length of one axis of a tensor, which is known only when it runs."""

    tensor: NamedTensor
    axis: int


@dataclasses.dataclass(frozen=True)
class Free:
    """A number that is worked out from lengths of axes as the model runs."""


@dataclasses.dataclass(frozen=True)
class Op:
    """An operation of Keras 3 that is to be made, on tensors or on other ones.

    Attributes:
        class_name: Its class.
        args: Its operands: `NamedTensor`, `Op`, numbers, lists of them.
        config: Its arguments, without its name.
        module: The submodule of `keras.src.ops` with the class, or a full module.
    """

    class_name: str
    args: tuple[Any, ...]
    config: dict[str, Any] = dataclasses.field(default_factory=dict)
    module: str = "numpy"


@dataclasses.dataclass(frozen=True)
class Raw:
    """An operand that is written as it is."""

    value: Any


@dataclasses.dataclass(frozen=True)
class Constant:
    """A number or an array with its own dtype."""

    value: Any
    dtype: str


@dataclasses.dataclass(frozen=True)
class Several:
    """Results of a call with several outputs, one for each."""

    values: list[Any]


class UnknownOperationError(Exception):
    """A call has no form in Keras 3; says why, as a noun phrase."""


class Arguments:
    """Arguments of one call of a TensorFlow function.

    Args:
        first: Its first argument.
        named: All others, by their names.
    """

    def __init__(self, first: Any, named: dict[str, Any]) -> None:
        self.first = first
        self.named = named

    def get(self, *names: str, default: Any = None) -> Any:
        """The argument that goes by one of these names in some version."""
        for name in names:
            if self.named.get(name) is not None:
                return self.named[name]
        return default

    def tensor(self) -> NamedTensor:
        """The first argument, which must be a tensor."""
        if not isinstance(self.first, NamedTensor):
            raise UnknownOperationError("a call without a tensor")
        return self.first

    def number(self, *names: str, default: float) -> float:
        """An argument that must be a plain number."""
        value = self.get(*names, default=default)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise UnknownOperationError(f"a {names[0]} that is not a plain number")
        return value

    def whole(self, *names: str, default: int | None = None) -> int:
        """An argument that must be a whole number."""
        value = self.get(*names, default=default)
        if isinstance(value, bool) or not isinstance(value, int):
            raise UnknownOperationError(f"a {names[0]} that is not an integer")
        return value

    def axes(self, *names: str) -> Any:
        """An argument with one axis, several, or none."""
        value = self.get(*names)
        many = value if isinstance(value, list) else [value]
        if value is not None and not all(is_whole(each) for each in many):
            raise UnknownOperationError("axes that are not integers")
        return value

    def require(self, name: str, *allowed: Any) -> None:
        """Refuse an argument with another value than these (None: not given)."""
        value = self.named.get(name)
        if value is not None and value not in allowed:
            raise UnknownOperationError(f"{name}={value!r}")


Recipe = Callable[[Arguments], Any]

#: Short name of a TensorFlow function -> how Keras 3 computes it. A recipe gives
#: an `Op`, a tensor that is the result, a plain value, or a list of results.
RECIPES: dict[str, Recipe] = {}


def recipe(*names: str) -> Callable[[Recipe], Recipe]:
    """Register the recipe for TensorFlow functions of these short names."""

    def register(function: Recipe) -> Recipe:
        RECIPES.update(dict.fromkeys(names, function))
        return function

    return register


def operation(
    names: str,
    class_name: str,
    module: str = "numpy",
    config: Mapping[str, Any] | None = None,
    require: Mapping[str, tuple[Any, ...]] | None = None,
) -> None:
    """Register functions of one tensor that one operation of Keras 3 computes.

    Args:
        names: Short names of the TensorFlow functions.
        class_name: Class of the operation.
        module: As for `Op`.
        config: Its arguments: values, or what reads them from the call.
        require: Name of an argument -> its only values that are supported.
    """

    def made(call: Arguments) -> Op:
        for name, allowed in (require or {}).items():
            call.require(name, *allowed)
        read = {
            name: value(call) if callable(value) else value
            for name, value in (config or {}).items()
        }
        return Op(class_name, (call.tensor(),), read, module)

    recipe(*names.split())(made)


def is_whole(value: Any) -> bool:
    """Whether a value is a whole number."""
    return isinstance(value, int) and not isinstance(value, bool)


def is_symbolic(value: Any) -> bool:
    """Whether a value is known only when the model runs."""
    if isinstance(value, list | tuple):
        return any(is_symbolic(each) for each in value)
    return isinstance(value, NamedTensor | Op | Length | Free)


def has_tensors(value: Any) -> bool:
    """Whether a value is, or holds, a tensor (and not just the length of one)."""
    if isinstance(value, list | tuple):
        return any(has_tensors(each) for each in value)
    return isinstance(value, NamedTensor | Op)


def bounded(value: Any) -> Any:
    """A length or a shape that was worked out, if it can be one.

    Raises:
        UnknownOperationError: It is too large, as only a contrived file makes it.
    """
    if isinstance(value, list):
        large = len(value) > MAX_RANK
    else:
        large = abs(value) > MAX_LENGTH
    if large:
        raise UnknownOperationError("a shape that is too large")
    return value


def chain(class_name: str, operands: list[Any]) -> Any:
    """One result of a binary operation over any number of operands."""
    return functools.reduce(lambda left, right: Op(class_name, (left, right)), operands)
