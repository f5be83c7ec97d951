"""What feeds a rectifier of a live model: the layers before it, nearest first.

The graph of a Functional or Sequential model is read backwards, into and out of
models and wrappers at any depth. Inside a subclassed model or layer no wiring can be
read: there the way ends.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import keras

from keras_rectifiers.graph import traits
from keras_rectifiers.live.layers import is_functional
from keras_rectifiers.live.layers import is_layer
from keras_rectifiers.live.layers import members
from keras_rectifiers.live.layers import walk
from keras_rectifiers.live.rectifiers import FUSED
from keras_rectifiers.live.rectifiers import OPERATION
from keras_rectifiers.live.rectifiers import LiveRectifier


class Upstream:
    """The way back through a model.

    Args:
        model: A built Keras model; not changed.
    """

    def __init__(self, model: Any) -> None:
        self._model = model
        self._parents: dict[int, Any] = {}
        self._paths: dict[int, str] = {}
        for path, member, parent, _ in walk(model):
            self._parents[id(member)] = parent
            self._paths[id(member)] = path

    def path(self, member: Any) -> str:
        """Names from inside the top model, joined by `/`."""
        return self._paths.get(id(member), member.name)

    def feeding(self, rectifier: LiveRectifier) -> tuple[Any, Any]:
        """The layer with the kernel and the normalization before a rectifier.

        Args:
            rectifier: One of the model.

        Returns:
            Each of them, or None where there is none, or where several layers are
            merged on the way.
        """
        if rectifier.form == FUSED:
            return rectifier.owner, None
        normalization = None
        before = self._first(rectifier)
        while before is not None and len(before) == 1:
            member = before[0]
            does = traits.of(type(member).__name__)
            if kernel_name(member) is not None:
                return member, normalization
            if does.normalizes and normalization is None:
                normalization = member
            elif not does.passes:
                break
            before = self._before(member)
        return None, normalization

    def all_before(self, rectifier: LiveRectifier) -> set[int] | None:
        """Identities of all that feeds a rectifier; None if that cannot be read."""
        seen: set[int] = set()
        queue = [self._first(rectifier)]
        while queue:
            before = queue.pop()
            if before is None:
                return None
            new = [member for member in before if id(member) not in seen]
            seen.update(map(id, new))
            queue += map(self._before, new)
        return seen

    def ends(self, rectifiers: Iterable[LiveRectifier]) -> tuple[str, ...]:
        """The rectifiers that make an output of the model.

        Their values reach it through layers that only reshape or rescale, as the role
        of an output has it in `graph.roles`.

        Args:
            rectifiers: Those of the model.

        Returns:
            Their paths; none where the wiring of the model cannot be read.
        """
        owners = {id(each.owner): each.path for each in rectifiers}
        found: list[str] = []
        seen: set[int] = set()
        queue = self._last(self._model) or []
        while queue:
            member = queue.pop(0)
            if id(member) in seen:
                continue
            seen.add(id(member))
            if id(member) in owners:
                found.append(owners[id(member)])
                continue
            does = traits.of(type(member).__name__)
            before = self._before(member) or []
            if len(before) == 1 and (does.passes or does.reorders or does.scales):
                queue += before
        return tuple(found)

    def _first(self, rectifier: LiveRectifier) -> list[Any] | None:
        """What is directly before a rectifier."""
        if rectifier.form != OPERATION:
            return self._before(rectifier.owner)
        node = rectifier.owner._inbound_nodes[0]  # noqa: SLF001 - no public way
        return self._lasts([node.arguments.args[rectifier.operand]])

    def _before(self, member: Any) -> list[Any] | None:
        """What hands its output to a member; None where that cannot be read."""
        parent = self._parents.get(id(member))
        if isinstance(parent, keras.Sequential):
            chain = members(parent)
            place = chain.index(member)
            return self._last(chain[place - 1]) if place else self._around(parent)
        if isinstance(parent, keras.layers.Wrapper):
            return self._around(parent)
        if not is_functional(parent):
            return None
        if isinstance(member, keras.layers.InputLayer):
            return self._around(parent)
        nodes = member._inbound_nodes  # noqa: SLF001 - Keras has no public way
        return self._lasts(nodes[0].input_tensors if nodes else ())

    def _around(self, container: Any) -> list[Any] | None:
        """What is before the model or wrapper around a member."""
        if id(container) not in self._parents:
            return []  # the top model: the data themselves
        return self._before(container)

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
            layers = members(member)
            return self._last(layers[-1]) if layers else self._before(member)
        if is_functional(member):
            return self._lasts(keras.tree.flatten(member.outputs))
        if isinstance(member, keras.layers.TimeDistributed):
            return self._last(member.layer)
        return None if isinstance(member, keras.Model) else [member]


def kernel_name(member: Any) -> str | None:
    """The attribute of a layer that holds the kernel which makes its units.

    Args:
        member: A layer; anything else has none.
    """
    if not is_layer(member):
        return None
    for name in ("pointwise_kernel", "kernel"):
        try:
            shape = getattr(member, name).shape
        except (AttributeError, ValueError, RuntimeError):
            continue  # no such weight, or one that was not made yet
        if len(shape) > 1:
            return name
    return None
