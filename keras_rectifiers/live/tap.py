"""The tap: see what each rectifier takes and gives while a model is traced.

Inside the context the rectifiers' own `call` (or their host's `activation`) is
replaced; after it the instance is as before. Nothing is added to the model, its
weights or its compiled functions.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from typing import Any

import keras

from keras_rectifiers.live.called import Calling
from keras_rectifiers.live.called import aside
from keras_rectifiers.live.called import watched
from keras_rectifiers.live.rectifiers import FUSED
from keras_rectifiers.live.rectifiers import LiveRectifier
from keras_rectifiers.live.shadow import shadowed

#: Receives a rectifier, its pre-activation and its post-activation.
Receiver = Callable[[LiveRectifier, Any, Any], None]
#: Takes a rectifier and what it is given; gives back what it is given instead.
Before = Callable[[LiveRectifier, Any], Any]


@contextlib.contextmanager
def tap(
    rectifiers: Iterable[LiveRectifier],
    receive: Receiver,
    before: Before | None = None,
) -> Iterator[None]:
    """Hand every call of the rectifiers to a function, inside the graph.

    Args:
        rectifiers: The rectifiers to watch.
        receive: Called with the rectifier, its pre- and its post-activation each
            time the model computes one; symbolic tensors are not passed on.
        before: Called ahead of it with the rectifier and its pre-activation, which
            it may replace. Default None.
    """
    with contextlib.ExitStack() as stack:
        called = {}
        for rectifier in rectifiers:
            if rectifier.calling is not None:
                called[id(rectifier.owner), rectifier.calling] = rectifier
                continue
            instance, attribute = _target(rectifier)
            original = getattr(instance, attribute)
            stand_in = _watched(original, rectifier, receive, before)
            stack.enter_context(shadowed(instance, **{attribute: stand_in}))
        if called:
            stack.enter_context(_calls(called, receive, before))
        yield


def _calls(
    called: Mapping[tuple[int, Calling], LiveRectifier],
    receive: Receiver,
    before: Before | None,
) -> contextlib.AbstractContextManager[None]:
    """Hand the calls that Python code makes to a function."""

    def seen(layer: Any, calling: Calling, _: Any, pre: Any, post: Any) -> None:
        rectifier = called.get((id(layer), calling))
        if rectifier is not None:
            receive(rectifier, pre, post)

    def ahead(layer: Any, calling: Calling, pre: Any) -> Any:
        rectifier = called.get((id(layer), calling))
        return pre if rectifier is None or before is None else before(rectifier, pre)

    return watched(seen, None if before is None else ahead)


class SharedTap:
    """A tap for several threads at a time, each with its own receiver.

    TensorFlow's strategies trace replicas in threads that take turns in the midst
    of a step. The layers are tapped once, from the first thread that enters to the
    last that leaves; never between steps, so that a model that is saved meanwhile is
    as it was.

    Args:
        rectifiers: The rectifiers to watch.
    """

    def __init__(self, rectifiers: Iterable[LiveRectifier]) -> None:
        self._rectifiers = tuple(rectifiers)
        self._lock = threading.Lock()
        self._inside = 0
        self._open = contextlib.ExitStack()
        self._local = threading.local()

    @contextlib.contextmanager
    def watching(self, receive: Receiver) -> Iterator[None]:
        """Hand the calls that this thread makes inside the context to a function.

        Args:
            receive: As for `tap`.
        """
        with self._lock:
            if not self._inside:
                self._open.enter_context(tap(self._rectifiers, self._receive))
            self._inside += 1
        self._local.receive = receive
        try:
            yield
        finally:
            self._local.receive = None
            with self._lock:
                self._inside -= 1
                if not self._inside:
                    self._open.close()

    def _receive(self, rectifier: LiveRectifier, pre: Any, post: Any) -> None:
        receive = getattr(self._local, "receive", None)
        if receive is not None:
            receive(rectifier, pre, post)


def _target(rectifier: LiveRectifier) -> tuple[Any, str]:
    """The object and the attribute through which each value passes."""
    if rectifier.form != FUSED:
        return rectifier.owner, "call"
    if rectifier.layer is not None:
        return rectifier.layer, "call"
    return rectifier.owner, rectifier.attribute


def _watched(
    original: Callable[..., Any],
    rectifier: LiveRectifier,
    receive: Receiver,
    before: Before | None,
) -> Callable[..., Any]:
    def call(*args: Any, **kwargs: Any) -> Any:
        if before is not None:
            args, kwargs = _replaced(args, kwargs, rectifier, before)
        with aside():
            output = original(*args, **kwargs)
        given = [*args, *kwargs.values()][rectifier.operand]
        if not isinstance(output, keras.KerasTensor):
            receive(rectifier, given, output)
        return output

    return call


def _replaced(
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    rectifier: LiveRectifier,
    before: Before,
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The arguments with what `before` makes of the pre-activation."""
    values = [*args, *kwargs.values()]
    if not isinstance(values[rectifier.operand], keras.KerasTensor):
        values[rectifier.operand] = before(rectifier, values[rectifier.operand])
    named = dict(zip(kwargs, values[len(args) :], strict=True))
    return tuple(values[: len(args)]), named
