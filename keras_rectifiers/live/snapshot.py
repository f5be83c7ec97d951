"""Put a live model back as it was, where a change of it failed half way."""

from __future__ import annotations

from typing import Any

from keras.src.models.functional import Functional

from keras_rectifiers.live.layers import flat

#: Where torch keeps the layers that are attributes of another.
_MODULES = "_modules"


class Snapshot:
    """The attributes of every layer of a model, and the calls of its graphs.

    Values of variables are not kept: no change of the layers touches them.

    Args:
        model: A Keras model; not changed.
    """

    def __init__(self, model: Any) -> None:
        holders = flat(model)
        graphs = [getattr(each, "_functional", None) for each in holders]
        holders += [each for each in graphs if isinstance(each, Functional)]
        self._holders = [_Holder(each) for each in holders]
        operations = {
            id(each): each
            for holder in holders
            for each in getattr(holder, "_operations", ())
        }
        self._calls = [_Calls(each) for each in operations.values()]

    def restore(self) -> None:
        """Put everything back."""
        for holder in self._holders:
            holder.restore()
        for calls in self._calls:
            calls.restore()


class _Holder:
    """What one layer or model holds."""

    def __init__(self, holder: Any) -> None:
        self._holder, self._class = holder, type(holder)
        self._attributes = dict(vars(holder))
        self._modules = dict(vars(holder).get(_MODULES, {}))
        self._lists = [
            (each, list(each)) for each in vars(holder).values() if type(each) is list
        ]
        tracker = holder._tracker
        self._ids = {name: set(ids) for name, ids in tracker.stored_ids.items()}
        self._stores = [(store, list(store)) for _, store in tracker.config.values()]

    def restore(self) -> None:
        holder = self._holder
        holder.__class__ = self._class
        attributes = vars(holder)
        attributes.clear()
        attributes.update(self._attributes)
        if self._modules:
            attributes[_MODULES].clear()
            attributes[_MODULES].update(self._modules)
        for each, items in (*self._lists, *self._stores):
            list.__init__(each, items)
        holder._tracker.stored_ids.update(self._ids)


class _Calls:
    """The calls of one operation in graphs."""

    def __init__(self, operation: Any) -> None:
        self._operation = operation
        self._inbound = list(operation._inbound_nodes)
        self._outbound = list(operation._outbound_nodes)
        self._nodes = [
            (node, node.arguments, [_history(each) for each in node.outputs])
            for node in self._inbound
        ]

    def restore(self) -> None:
        self._operation._inbound_nodes = self._inbound
        self._operation._outbound_nodes = self._outbound
        for node, arguments, histories in self._nodes:
            node.operation, node.arguments = self._operation, arguments
            for tensor, history in zip(node.outputs, histories, strict=True):
                if history is not None:
                    tensor._keras_history = history


def _history(tensor: Any) -> Any:
    return getattr(tensor, "_keras_history", None)
