"""Put other layers in the place of some inside a live model, wherever they are held.

A layer of a model is referenced in attributes, in lists and dicts there, in Keras' list
of what it tracks, and in the graph of each Functional model that calls it. All of them
are changed, or the old layer would go on being run, trained or saved.
"""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Mapping
from typing import Any
from typing import NamedTuple

import keras
from keras.src.models.functional import Functional
from keras.src.ops.function import map_graph
from keras.src.ops.node import KerasHistory
from keras.src.ops.symbolic_arguments import SymbolicArguments

from keras_rectifiers.errors import UnsupportedModelError
from keras_rectifiers.live.layers import flat

_LAYERS = "layers"
#: What attributes begin with in which TensorFlow and this package note something.
_NOTES = ("_self_", "_keras_rectifiers_")


class Exchange(NamedTuple):
    """One object and what takes its place."""

    #: The layer or operation; for a function, the layer that holds it.
    old: Any
    #: The layer that takes its place.
    new: Any
    #: Attribute of `old` that is replaced instead of `old` itself.
    attribute: str = ""
    #: Which argument of an operation the new layer is called with.
    operand: int = 0


def exchange(model: Any, wanted: Iterable[Exchange]) -> None:
    """Put each new layer in its place; the model is changed.

    Args:
        model: The model; a copy, or one that may be changed.
        wanted: What goes where. The new layers are built.

    Raises:
        UnsupportedModelError: Keras would not save the weights of a new layer.
    """
    wanted = list(wanted)
    news = {id(each.old): each for each in wanted if not each.attribute}
    for holder in _holders(model):
        _check_sets(holder, news)
    graphs = [each for each in _holders(model) if isinstance(each, Functional)]
    for each in wanted:
        if each.attribute:
            put(each.old, each.attribute, each.new)
        else:
            _take_over(each)
    for holder in _holders(model):
        _in_store(holder, news)
        _in_attributes(holder, news)
    for graph in graphs:
        if any(id(each) in news for each in graph._operations):
            _map_again(graph)
            _track(graph)
    for holder in _holders(model):
        if "_torch_params" in attributes(holder):
            holder._track_variables()


def attributes(holder: Any) -> dict[str, Any]:
    """The attributes of a layer or model by name.

    Args:
        holder: The layer or model; with torch its layers are in a separate dict.
    """
    return {**vars(holder), **vars(holder).get("_modules", {})}


def own_attributes(holder: Any) -> dict[str, Any]:
    """The attributes of a layer or model that its class gave it, not Keras.

    Args:
        holder: The layer or model.
    """
    kind = _kind(holder)
    if kind not in _INTERNAL:
        _INTERNAL[kind] = frozenset(attributes(_plain(kind)))
    return {
        name: value
        for name, value in attributes(holder).items()
        if name not in _INTERNAL[kind] and not name.startswith(_NOTES)
    }


def put(holder: Any, name: str, value: Any) -> None:
    """Set an attribute of a layer, also where it is built.

    A layer takes the place of the one that was there in Keras' order, too.

    Args:
        holder: The layer or model.
        name: The attribute.
        value: A layer, or a list, tuple or dict with layers inside.
    """
    tracker = holder._tracker
    locked = tracker.locked
    tracker.unlock()
    try:
        before = attributes(holder).get(name)
        if _only_there(holder, name, before) and tracker.is_in_store(_LAYERS, before):
            tracker.replace_tracked_value(_LAYERS, before, value)
        setattr(holder, name, value)
    finally:
        tracker.locked = locked


def _only_there(holder: Any, name: str, layer: Any) -> bool:
    """Whether a layer is in one attribute of a holder, and in no other."""
    if not isinstance(layer, keras.layers.Layer):
        return False
    others = (each for key, each in own_attributes(holder).items() if key != name)
    return all(layer is not leaf for leaf in leaves(list(others)))


def leaves(value: Any) -> list[Any]:
    """What is inside dicts, lists, tuples and sets; anything else is its own leaf.

    Args:
        value: Any value. The keys of dicts need no order.
    """
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list | tuple | set | frozenset):
        return [leaf for each in value for leaf in leaves(each)]
    return [value]


#: What layers of Keras' own base classes hold, by class.
_INTERNAL: dict[type, frozenset[str]] = {}


def _kind(holder: Any) -> type:
    for kind in (Functional, keras.Sequential, keras.Model):
        if isinstance(holder, kind):
            return kind
    return keras.layers.Layer


def _plain(kind: type) -> Any:
    if kind is Functional:
        tensor = keras.Input((1,))
        return Functional(tensor, tensor)
    return kind()


def _holders(model: Any) -> list[Any]:
    """A model, every layer inside it, and the graphs that Sequentials have."""
    found = flat(model)
    graphs = (getattr(each, "_functional", None) for each in found)
    return [*found, *(each for each in graphs if isinstance(each, Functional))]


def _in_attributes(holder: Any, news: Mapping[int, Exchange]) -> None:
    for name, value in own_attributes(holder).items():
        after = _replaced(value, news)
        if after is not value:
            put(holder, name, after)


def _check_sets(holder: Any, news: Mapping[int, Exchange]) -> None:
    """Refuse weights in a set: Keras saves them where a model holds it, else not.

    Raises:
        UnsupportedModelError: Says which layer is there.
    """
    if isinstance(holder, keras.Model):
        return
    for name, value in own_attributes(holder).items():
        for old in _in_sets(value):
            if id(old) in news and news[id(old)].new.variables:
                raise UnsupportedModelError(
                    "A layer with weights must be in a container that Keras saves. "
                    f"Received: {old.name!r} in the set {name!r} of {holder.name!r}, "
                    "which Keras does not save. Keep it in a list, use a Leaky ReLU, "
                    "or leave it out with exclude=."
                )


def _in_sets(value: Any) -> list[Any]:
    """What is inside the sets of a value."""
    if isinstance(value, set | frozenset):
        return leaves(value)
    inside = list(value.values()) if isinstance(value, dict) else value
    if isinstance(inside, list | tuple):
        return [leaf for each in inside for leaf in _in_sets(each)]
    return []


def _replaced(value: Any, news: Mapping[int, Exchange]) -> Any:
    """A value with the new layers in it; the same object where nothing changes."""
    if id(value) in news:
        return news[id(value)].new
    if isinstance(value, dict):
        after = {key: _replaced(each, news) for key, each in value.items()}
        same = all(after[key] is each for key, each in value.items())
        return value if same else after
    if isinstance(value, list | tuple):
        items = [_replaced(each, news) for each in value]
        if all(a is b for a, b in zip(items, value, strict=True)):
            return value
        if hasattr(value, "_make"):
            # Not by its type: TensorFlow's proxy of a named tuple takes a whole tuple.
            return value._make(items)
        return tuple(items) if isinstance(value, tuple) else items
    if isinstance(value, set | frozenset):
        members = {_replaced(each, news) for each in value}
        return value if members == value else members
    return value


def _in_store(holder: Any, news: Mapping[int, Exchange]) -> None:
    """Change what Keras tracks, each layer at its old place in the order."""
    tracker = holder._tracker
    for each in news.values():
        if tracker.is_in_store(_LAYERS, each.old):
            tracker.replace_tracked_value(_LAYERS, each.old, each.new)
    if isinstance(holder, keras.Sequential):
        stack = holder._layers
        for index, layer in enumerate(stack):
            if id(layer) in news:
                list.__setitem__(stack, index, news[id(layer)].new)


def _track(graph: Any) -> None:
    """Have the layers that were operations tracked, each after the one before it."""
    _, store = graph._tracker.config[_LAYERS]
    before = -1
    for layer in graph.layers:
        if graph._tracker.is_in_store(_LAYERS, layer):
            before = next(i for i, each in enumerate(store) if each is layer)
            continue
        before += 1
        store.insert(before, layer)
        graph._tracker.stored_ids[_LAYERS].add(id(layer))


def _take_over(each: Exchange) -> None:
    """Give the calls of an operation in graphs to a layer."""
    old, new = each.old, each.new
    for index, node in enumerate(old._inbound_nodes):
        node.operation = new
        if not isinstance(old, keras.layers.Layer):
            _keep_operand(node, each.operand)
        for position, tensor in enumerate(node.outputs):
            if hasattr(tensor, "_keras_history"):
                tensor._keras_history = KerasHistory(new, index, position)
    new._inbound_nodes[:] = old._inbound_nodes
    new._outbound_nodes[:] = old._outbound_nodes
    old._inbound_nodes, old._outbound_nodes = [], []


def _keep_operand(node: Any, operand: int) -> None:
    """Leave a call only the tensor that is rectified."""
    kept = [*node.arguments.args, *node.arguments.kwargs.values()][operand]
    for tensor in node.input_tensors:
        source = tensor._keras_history.operation
        if tensor is not kept and source is not None:
            source._outbound_nodes.remove(node)
    node.arguments = SymbolicArguments(kept)


def _map_again(graph: Any) -> None:
    names = ("_nodes", "_nodes_by_depth", "_operations", "_operations_by_depth")
    vars(graph).update(
        zip(names, map_graph(graph._inputs, graph._outputs), strict=True)
    )
