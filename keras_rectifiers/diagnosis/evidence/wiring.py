"""What stands before a rectifier: the layers that feed it, nearest first.

The graph of a Functional or Sequential model is read backwards, into and out of
models and wrappers at any depth. Inside a subclassed model or layer no wiring can be
read: there the way ends.
"""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Iterator
from typing import Any

import keras

from keras_rectifiers.graph import traits
from keras_rectifiers.live.rectifiers import FUSED
from keras_rectifiers.live.rectifiers import OPERATION
from keras_rectifiers.live.rectifiers import LiveRectifier


class Wiring:
    """The way back through a model.

    Args:
        model: A built Keras model; not changed.
    """

    def __init__(self, model: Any) -> None:
        self._parents: dict[int, Any] = {}
        self._paths: dict[int, str] = {}
        #: Path of each layer and the layer, in the order in which they compute.
        self.layers: list[tuple[str, Any]] = []
        self._enter(model, ())

    def path(self, member: Any) -> str:
        """Names from inside the top model, joined by `/`."""
        return self._paths.get(id(member), member.name)

    def feeding(self, rectifier: LiveRectifier) -> tuple[Any, Any]:
        """The layer with the kernel and the normalisation before a rectifier.

        Args:
            rectifier: One of the model.

        Returns:
            Each of them, or None where there is none, or where more than one layer
            comes together on the way.
        """
        normalisation = None
        member = rectifier.owner
        if rectifier.form == FUSED:
            return member, None
        while True:
            before = self._before(member, rectifier)
            if before is None or len(before) != 1:
                return None, normalisation
            member = before[0]
            kind = type(member).__name__
            if has_kernel(member):
                return member, normalisation
            if kind in traits.NORMALIZATIONS and normalisation is None:
                normalisation = member
            elif kind not in traits.PASSING:
                return None, normalisation

    def upstream(self, rectifier: LiveRectifier) -> set[int] | None:
        """Identities of all that feeds a rectifier; None if that cannot be read."""
        seen: set[int] = set()
        queue = [rectifier.owner]
        while queue:
            before = self._before(queue.pop(), rectifier)
            if before is None:
                return None
            for member in before:
                if id(member) not in seen:
                    seen.add(id(member))
                    queue.append(member)
        return seen

    def _enter(self, parent: Any, names: tuple[str, ...]) -> None:
        members = (
            parent.operations
            if _is_functional(parent)
            else getattr(parent, "_layers", ())
        )
        for member in members:
            if id(member) in self._parents:
                continue
            self._parents[id(member)] = parent
            self._paths[id(member)] = "/".join((*names, member.name))
            if isinstance(member, keras.layers.Layer):
                self.layers.append((self._paths[id(member)], member))
                self._enter(member, (*names, member.name))

    def _before(self, member: Any, rectifier: LiveRectifier) -> list[Any] | None:
        """What hands its output to a member; None where that cannot be read."""
        parent = self._parents.get(id(member))
        if isinstance(parent, keras.Sequential):
            chain = list(parent._layers)  # noqa: SLF001 - `layers` hides the input
            place = chain.index(member)
            if place and not isinstance(chain[place - 1], keras.layers.InputLayer):
                return self._last(chain[place - 1])
            return self._before_container(parent, rectifier)
        if isinstance(parent, keras.layers.Wrapper):
            return self._before_container(parent, rectifier)
        if not _is_functional(parent):
            return None
        if isinstance(member, keras.layers.InputLayer):
            return self._before_container(parent, rectifier)
        return self._lasts(_operands(member, rectifier))

    def _before_container(
        self, container: Any, rectifier: LiveRectifier
    ) -> list[Any] | None:
        if id(container) not in self._parents:
            return []  # the top model: the data themselves
        return self._before(container, rectifier)

    def _lasts(self, tensors: Iterable[Any]) -> list[Any] | None:
        found: list[Any] = []
        for tensor in tensors:
            last = self._last(tensor._keras_history.operation)  # noqa: SLF001
            if last is None:
                return None
            found += last
        return found

    def _last(self, member: Any) -> list[Any] | None:
        """What makes the output of a member: itself, or the last ones inside it."""
        if isinstance(member, keras.Sequential):
            layers = list(member._layers)  # noqa: SLF001
            return self._last(layers[-1]) if layers else None
        if _is_functional(member):
            outputs = keras.tree.flatten(member.outputs)
            return self._lasts(outputs)
        if isinstance(member, keras.layers.TimeDistributed):
            return self._last(member.layer)
        if isinstance(member, keras.Model):
            return None
        return [member]


def has_kernel(member: Any) -> bool:
    """Whether a member is a layer whose kernel makes units."""
    return kernel_name(member) is not None


def kernel_name(member: Any) -> str | None:
    """The attribute that holds the kernel which makes the units of a layer."""
    if not isinstance(member, keras.layers.Layer):
        return None
    for name in ("pointwise_kernel", "kernel"):
        try:
            shape = getattr(member, name).shape
        except (AttributeError, ValueError, RuntimeError):
            continue  # no such weight, or one that was not made yet
        if len(shape) > 1:
            return name
    return None


def _is_functional(model: Any) -> bool:
    return (
        isinstance(model, keras.Model)
        and hasattr(model, "operations")
        and not isinstance(model, keras.Sequential)
    )


def _operands(member: Any, rectifier: LiveRectifier) -> Iterator[Any]:
    """The tensors that a member of a graph takes; of a rectifier, what it rectifies."""
    if not member._inbound_nodes:  # noqa: SLF001 - Keras has no public way
        return
    node = member._inbound_nodes[0]  # noqa: SLF001
    tensors = node.input_tensors
    if member is rectifier.owner and rectifier.form == OPERATION:
        tensors = [node.arguments.args[rectifier.operand]]
    yield from tensors
