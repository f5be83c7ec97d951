"""Rectifiers that Python code calls, and no layer holds: `ops.relu(x)` in a `call`.

No object represents such a call. It is found while the model runs: the rectifying
functions of Keras and of its backend are watched, and the stack shows which layer
called one, in which file and line.
"""

from __future__ import annotations

import contextlib
import dataclasses
import sys
import threading
import types
from collections.abc import Callable
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
from keras.src import backend

from keras_rectifiers.specs import LEAKY_RELU
from keras_rectifiers.specs import RELU
from keras_rectifiers.specs import Rectifier

#: Packages whose code is on the way from a user's call to the function that is watched.
_LIBRARIES = frozenset(
    {"keras", "keras_rectifiers", "tensorflow", "jax", "torch", "functools"}
)
#: Names under which users call what rectifies.
_NAMES = frozenset({"relu", "relu6", "leaky_relu", "maximum"})
_SIX = 6.0


@dataclasses.dataclass(frozen=True)
class Calling:
    """Where in the user's code a rectifier is called."""

    #: File and line.
    file: str
    line: int
    #: Name of the function that makes the call, such as `"call"`.
    caller: str
    #: Name of the function that is called, such as `"relu"`.
    name: str
    #: Offset of the call in the code of its caller; a line may have several.
    offset: int

    def __str__(self) -> str:
        return f"{self.name} in {self.caller}, {Path(self.file).name} line {self.line}"


#: Receives the layer that calls, where, what is computed, the input and the output.
Receiver = Callable[[Any, Calling, Rectifier, Any, Any], None]
#: The same before the call without the output; gives the input to take instead.
Before = Callable[[Any, Calling, Any], Any]

_LOCAL = threading.local()


@contextlib.contextmanager
def watched(receive: Receiver, before: Before | None = None) -> Iterator[None]:
    """See every call of a rectifier by the code of layers, inside the context.

    Args:
        receive: Called after each of them. Calls inside layers of Keras, and those
            by code that belongs to no layer, are not passed on.
        before: Called ahead of it; it may replace the input. Default None.
    """
    watch = _Watch(receive, before)
    with contextlib.ExitStack() as stack:
        for module, name in _functions():
            original = getattr(module, name)
            stack.callback(setattr, module, name, original)
            setattr(module, name, watch.over(original, name))
        yield


@contextlib.contextmanager
def aside() -> Iterator[None]:
    """Pass over the calls inside the context: those of rectifiers that are held."""
    before = getattr(_LOCAL, "aside", False)
    _LOCAL.aside = True
    try:
        yield
    finally:
        _LOCAL.aside = before


def _functions() -> Iterator[tuple[Any, str]]:
    """The functions that rectify, of Keras' backend and of the library under it."""
    places = [
        (backend.nn, ("relu", "relu6", "leaky_relu")),
        (backend.numpy, ("maximum",)),
    ]
    name = keras.config.backend()
    if name == "tensorflow":
        tensorflow = sys.modules["tensorflow"]
        places += [(tensorflow.nn, ("relu", "relu6", "leaky_relu"))]
        places += [(tensorflow, ("maximum",))]
    elif name == "jax":
        jax = sys.modules["jax"]
        places += [(jax.nn, ("relu", "relu6", "leaky_relu"))]
        places += [(jax.numpy, ("maximum",))]
    elif name == "torch":
        torch = sys.modules["torch"]
        places += [(torch.nn.functional, ("relu", "relu6", "leaky_relu"))]
        places += [(torch, ("relu",))]
    for module, names in places:
        yield from ((module, each) for each in names)


class _Watch:
    """Functions that report their calls to one receiver."""

    def __init__(self, receive: Receiver, before: Before | None) -> None:
        self._receive, self._before = receive, before
        self._local = threading.local()

    def over(self, original: Callable[..., Any], name: str) -> Callable[..., Any]:
        """A function that wraps another one and reports its calls."""

        def call(*args: Any, **kwargs: Any) -> Any:
            inside = getattr(self._local, "inside", False)
            if inside or getattr(_LOCAL, "aside", False):
                return original(*args, **kwargs)
            known = _known(name, args, kwargs)
            if known is None:
                return original(*args, **kwargs)
            place = _place(sys._getframe(1), name)  # noqa: SLF001 - there is no public way
            if place is None:
                return original(*args, **kwargs)
            self._local.inside = True  # one function calls another of these
            try:
                return self._told(original, args, kwargs, *known, *place)
            finally:
                self._local.inside = False

        return call

    def _told(
        self,
        original: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        function: Rectifier,
        operand: int,
        layer: Any,
        calling: Calling,
    ) -> Any:
        if self._before is not None:
            given = self._before(layer, calling, args[operand])
            args = (*args[:operand], given, *args[operand + 1 :])
        output = original(*args, **kwargs)
        if not isinstance(output, keras.KerasTensor):
            self._receive(layer, calling, function, args[operand], output)
        return output


def _known(
    name: str, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[Rectifier, int] | None:
    """What a call computes, and which argument it rectifies; None if it does not."""
    if not args:
        return None
    if name == "relu6":
        return Rectifier(RELU, 0.0, _SIX), 0
    if name == "leaky_relu":
        named = [kwargs[key] for key in ("negative_slope", "alpha") if key in kwargs]
        slopes = [*named, *args[1:2]]
        numbers = [each for each in slopes if isinstance(each, int | float)]
        return (Rectifier(LEAKY_RELU, float(numbers[0])), 0) if numbers else None
    if name == "maximum":
        zeros = [isinstance(each, int | float) and each == 0 for each in args[:2]]
        return (Rectifier(RELU), zeros.index(False)) if sum(zeros) == 1 else None
    return Rectifier(RELU), 0


def _place(frame: types.FrameType | None, name: str) -> tuple[Any, Calling] | None:
    """The layer whose code made a call, and where in it."""
    while frame is not None and _is_library(frame):
        if frame.f_globals is not globals():  # that of another watch
            name = frame.f_code.co_name
        frame = frame.f_back
    if frame is None or name not in _NAMES:
        return None
    code = frame.f_code
    calling = Calling(
        code.co_filename, frame.f_lineno, code.co_name, name, frame.f_lasti
    )
    while frame is not None:
        layer = frame.f_locals.get("self")
        if isinstance(layer, keras.layers.Layer):
            own = not _is_library(frame)
            return (layer, calling) if own else None
        frame = frame.f_back
    return None


def _is_library(frame: types.FrameType) -> bool:
    module = str(frame.f_globals.get("__name__", ""))
    return module.split(".", maxsplit=1)[0] in _LIBRARIES
