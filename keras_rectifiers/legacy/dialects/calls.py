"""Calls of layers: from the lists of Keras 1 and 2 to the tensors of Keras 3.

Keras 2 writes a call as its first argument, in which each tensor is a list
`[layer, call, output, {other arguments}]`. Keras 3 writes all arguments as they
are, with `__keras_tensor__` objects for tensors.
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Container
from typing import Any

from keras_rectifiers.errors import ArchiveError
from keras_rectifiers.graph import forms
from keras_rectifiers.graph.document import Entry
from keras_rectifiers.graph.document import config_of
from keras_rectifiers.graph.document import is_functional
from keras_rectifiers.graph.document import is_model
from keras_rectifiers.graph.document import layers_of
from keras_rectifiers.graph.document import name_of
from keras_rectifiers.legacy.dialects import known
from keras_rectifiers.legacy.dialects.registry import Context
from keras_rectifiers.legacy.dialects.registry import model_rule

#: The marker in a call whose first argument is a constant.
CONSTANT = "_CONSTANT_VALUE"
#: ... and where it is ragged or sparse.
_COMPOSITE = "_COMPOSITE_TYPE"

#: Recurrent layers, whose states Keras 2 writes behind the sequence.
_RECURRENT = frozenset(
    {
        *("RNN", "LSTM", "GRU", "SimpleRNN", "CuDNNLSTM", "CuDNNGRU"),
        *("ConvLSTM1D", "ConvLSTM2D", "ConvLSTM3D", "Bidirectional"),
    }
)
#: Arguments of Keras' own layers that are tensors.
_TENSOR_ARGUMENTS = frozenset({"mask", "attention_mask", "initial_state", "key"})
_TENSOR = 3
_WITH_KEYWORDS = 4

#: The number of a layer's first call, by the layer's name.
_First = dict[str, int]


@model_rule("calls", "`inbound_nodes` as lists → arguments with tensors")
def modernize_calls(model: Entry, context: Context) -> None:
    """Bring the calls and the ends of a Functional model into Keras 3's form."""
    if not is_functional(model):
        return
    entries = {name_of(entry): entry for entry in layers_of(model)}
    if any(_is_old(entry) for entry in entries.values()):
        first = _first_calls(model, entries)
        for entry in entries.values():
            if _is_old(entry):
                entry["inbound_nodes"] = [
                    _call(entry, node, first, context) for node in _nodes(entry)
                ]
        for key in ("input_layers", "output_layers"):
            config_of(model)[key] = _modern_ends(config_of(model)[key], first, entries)
        context.repaired(model, "calls as lists → calls with arguments")
    for entry in entries.values():
        entry.setdefault("name", name_of(entry))
        entry["inbound_nodes"] = _nodes(entry)


def _modern_ends(ends: Any, first: _First, entries: dict[str, Entry]) -> Any:
    """The inputs or outputs of a model, with calls counted as Keras 3 counts."""
    if isinstance(ends, list) and len(ends) == 1 and is_end(ends[0]):
        ends = ends[
            0
        ]  # Keras 2 writes a list even for a single tensor that is not in one
    return map_ends(
        ends,
        lambda end: [
            end[0],
            end[1] - first[end[0]] + offset(entries, end[0]),
            end[2],
        ],
    )


def tensor(name: str, node: int, index: int) -> Entry:
    """A tensor as Keras 3 writes it; its shape and dtype are still unknown.

    Args:
        name: Of the layer that makes it.
        node: Number of the call, from 0.
        index: Which output of the call.
    """
    history = [name, node, index]
    config = {"shape": [], "dtype": "float32", "keras_history": history}
    return {"class_name": "__keras_tensor__", "config": config}


def array(value: Any, dtype: str) -> Entry:
    """A constant array as Keras 3 writes it."""
    return {"class_name": "__numpy__", "config": {"value": value, "dtype": dtype}}


def is_end(value: Any) -> bool:
    """Whether a value of `input_layers` names one tensor."""
    return (
        isinstance(value, list)
        and len(value) == _TENSOR
        and isinstance(value[0], str)
        and _is_index(value[1])
        and _is_index(value[2])
    )


def map_ends(value: Any, function: Callable[[list[Any]], Any]) -> Any:
    """Apply a function to every tensor in `input_layers` or `output_layers`."""
    return _mapped(value, is_end, function, "an input or output of the model")


def offset(entries: dict[str, Entry], name: str) -> int:
    """Keras 3's number of a layer's first call in `output_layers`."""
    return int(name in entries and is_functional(entries[name]))


def is_numeric(value: Any) -> bool:
    """Whether a value is a list of numbers, nested to any depth."""
    if isinstance(value, list):
        return bool(value) and all(
            is_numeric(each) or isinstance(each, int | float) for each in value
        )
    return False


def _is_old(entry: Entry) -> bool:
    return any(not _is_modern(node) for node in _nodes(entry))


def _is_modern(node: Any) -> bool:
    return isinstance(node, dict) and set(node) == {"args", "kwargs"}


def _nodes(entry: Entry) -> list[Any]:
    nodes = entry.get("inbound_nodes")
    return nodes if isinstance(nodes, list) else []


def _is_index(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_leaf(value: Any) -> bool:
    """Whether a value is one tensor or constant of a call's first argument."""
    if not isinstance(value, list) or len(value) not in (_TENSOR, _WITH_KEYWORDS):
        return False
    if not isinstance(value[0], str) or not _is_index(value[1]):
        return False
    return len(value) == _TENSOR or isinstance(value[3], dict)


def _leaves(value: Any) -> list[list[Any]]:
    found: list[list[Any]] = []
    _mapped(value, _is_leaf, found.append, "a call")
    return found


def _mapped(
    value: Any,
    is_leaf: Callable[[Any], bool],
    function: Callable[[list[Any]], Any],
    what: str = "",
) -> Any:
    """The same nested structure, with a function applied to each leaf.

    Where `what` names the whole, nothing else may be in it.
    """
    if is_leaf(value):
        return function(value)
    if isinstance(value, dict):
        found = ((key, _mapped(v, is_leaf, function, what)) for key, v in value.items())
        return dict(found)
    if isinstance(value, list):
        return [_mapped(each, is_leaf, function, what) for each in value]
    if what:
        raise _malformed(what, value)
    return value


def _first_calls(model: Entry, entries: dict[str, Entry]) -> _First:
    """The number from which each layer's calls are counted.

    Building a model counts as a call, which is not written down: the calls of a nested
    model count from 1, but not in every version.
    """
    used: dict[str, set[int]] = {}

    def use(reference: list[Any]) -> list[Any]:
        if reference[0] not in entries:
            raise _malformed("a tensor", reference[:_TENSOR])
        used.setdefault(reference[0], set()).add(reference[1])
        return reference

    for entry in entries.values():
        for node in _nodes(entry):
            for leaf in _leaves(node):
                if leaf[0] != CONSTANT:
                    use(leaf)
                if len(leaf) == _WITH_KEYWORDS:
                    _map_tensors(leaf[3], entries, use)
    for key in ("input_layers", "output_layers"):
        map_ends(config_of(model)[key], use)
    return {name: _first_call(entries[name], numbers) for name, numbers in used.items()}


def _first_call(entry: Entry, numbers: set[int]) -> int:
    """The number of a layer's first call, from the numbers that are used."""
    calls, lowest = max(1, len(_nodes(entry))), min(numbers)
    first = lowest if is_model(entry) or max(numbers) >= calls else 0
    if lowest < 0 or max(numbers) - first >= calls:
        raise _malformed(f"{calls} calls of {name_of(entry)!r}", sorted(numbers))
    return first


def _map_tensors(
    value: Any, names: Container[str], function: Callable[[list[Any]], Any]
) -> Any:
    """Apply a function to every tensor in the other arguments of a call."""
    return _mapped(value, lambda each: is_end(each) and each[0] in names, function)


def _call(entry: Entry, node: Any, first: _First, context: Context) -> Entry:
    """One call in Keras 3's form."""

    def made(reference: list[Any]) -> Entry:
        name, number, index = reference[:_TENSOR]
        return tensor(name, number - first[name], index)

    keywords: dict[str, Any] = {}
    for leaf in _leaves(node):
        keywords.update(leaf[3] if len(leaf) == _WITH_KEYWORDS else {})
    class_name = str(entry["class_name"])
    argument = _mapped(
        node, _is_leaf, lambda leaf: leaf[2] if leaf[0] == CONSTANT else made(leaf)
    )
    operation = class_name in known.CALLS
    if not operation and isinstance(argument, list) and len(argument) == 1:
        argument = argument[0]
    kwargs = {
        key: _map_tensors(value, first, made)
        for key, value in keywords.items()
        if value is not None
    }
    if not operation:
        _refuse_composite(entry, (argument, kwargs), context)
        if forms.is_keras(entry):
            kwargs = {key: _constant(key, value) for key, value in kwargs.items()}
    args = [argument]
    if class_name in _RECURRENT and isinstance(argument, list):
        args = _split_states(argument, kwargs)
    return {"args": args, "kwargs": kwargs}


def _constant(key: str, value: Any) -> Any:
    """An argument of Keras' own layers, with arrays where tensors are due."""
    if key not in _TENSOR_ARGUMENTS:
        return value
    if key == "initial_state" and isinstance(value, list):
        return [_array(each) for each in value]
    return _array(value)


def _array(value: Any) -> Any:
    return array(value, "float32") if is_numeric(value) else value


def _split_states(argument: list[Any], kwargs: dict[str, Any]) -> list[Any]:
    """Arguments of a recurrent layer; its states go where Keras 3 wants them."""
    sequence, *states = argument
    kwargs.setdefault("initial_state", [_array(each) for each in states])
    return [sequence]


def _refuse_composite(entry: Entry, value: Any, context: Context) -> None:
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list | tuple):
        if value and value[0] == _COMPOSITE:
            raise context.refuse(
                entry,
                "a ragged or sparse constant",
                "Build this layer's call again with a dense constant",
            )
        for each in value:
            _refuse_composite(entry, each, context)


def _malformed(what: str, value: Any) -> ArchiveError:
    text = repr(value)
    text = text if len(text) <= 80 else f"{text[:80]}..."  # noqa: PLR2004
    return ArchiveError(
        f"Calls must have the form that Keras writes. Received: {what}: {text}. The "
        "file is damaged, or was not written by Keras."
    )
