"""The wiring inside one model of a document: who feeds whom, and in which order.

A Functional model states its edges in `inbound_nodes`; a Sequential is a chain.
Both answer the same questions here.
"""

from __future__ import annotations

import dataclasses
import functools
import itertools
from collections.abc import Iterator
from typing import Any

from keras_rectifiers.errors import ArchiveError
from keras_rectifiers.graph.document import Entry
from keras_rectifiers.graph.document import config_of
from keras_rectifiers.graph.document import is_functional
from keras_rectifiers.graph.document import layers_of
from keras_rectifiers.graph.document import name_of

#: One call of one layer or operation: its name and the index of the call.
Node = tuple[str, int]


@dataclasses.dataclass(frozen=True)
class Ref:
    """A tensor in a document: the output of one call of one layer."""

    name: str
    node: int
    tensor: int
    shape: tuple[int | None, ...] | None = None
    dtype: str | None = None

    @property
    def source(self) -> Node:
        """The call that produced the tensor."""
        return self.name, self.node


class Graph:
    """Edges of one model, by name and call.

    Args:
        model: A model's entry in a document (Functional or Sequential).
    """

    def __init__(self, model: Entry) -> None:
        self.functional = is_functional(model)
        self.entries: dict[str, Entry] = {}
        self._consumers: dict[Node, list[Node]] = {}
        self._shapes: dict[Node, Ref] = {}
        self._inputs: dict[Node, list[Ref]] = {}
        self.chain = [] if self.functional else layers_of(model)
        for entry in layers_of(model):
            self.entries[name_of(entry)] = entry
        self._positions = {name: index for index, name in enumerate(self.entries)}
        if self.functional:
            self._connect()
            self.outputs = [ref.source for ref in end_refs(model, "output_layers")]
            self.begins = {ref.source for ref in end_refs(model, "input_layers")}
        else:
            names = [name_of(entry) for entry in self.chain]
            for name, following in itertools.pairwise(names):
                self._consumers[name, 0] = [(following, 0)]
            self.outputs = [(names[-1], 0)] if names else []
            self.begins = set()

    def position(self, name: str) -> int:
        """Where a layer stands in a chain, counted from 0."""
        return self._positions[name]

    def calls(self, name: str) -> int:
        """How often a layer is called."""
        if not self.functional:
            return 1
        return max(1, len(nodes_of(self.entries[name])))

    def consumers(self, name: str, node: int) -> list[Node]:
        """The calls that take the output of one call."""
        return self._consumers.get((name, node), [])

    def arguments(self, name: str, node: int) -> list[Any]:
        """Positional operands of one call: `Ref`s and plain values."""
        if not self.functional:
            position = self.position(name)
            if position == 0:
                return []
            return [Ref(name_of(self.chain[position - 1]), 0, 0)]
        nodes = nodes_of(self.entries[name])
        if node >= len(nodes):
            return []
        return [_as_ref(value) or value for value in nodes[node].get("args", [])]

    def inputs(self, name: str, node: int) -> list[Ref]:
        """All tensors that one call takes, in Keras' order."""
        if not self.functional:
            return list(self.arguments(name, node))
        return self._inputs.get((name, node), [])

    def output(self, name: str, node: int) -> Ref | None:
        """What consumers say of the shape and dtype of one call's output."""
        return self._shapes.get((name, node))

    @functools.cached_property
    def order(self) -> dict[Node, int]:
        """The calls on which the outputs depend, numbered: each after what it takes.

        Raises:
            ArchiveError: The graph has a cycle.
        """
        nodes = [(name_of(entry), 0) for entry in self.chain]
        if self.functional:
            parents = {
                node: [ref.source for ref in taken]
                for node, taken in self._inputs.items()
            }
            nodes, _ = _depth_first(self.outputs, parents, self.begins)
        return {node: number for number, node in enumerate(nodes)}

    def _connect(self) -> None:
        for name, entry in self.entries.items():
            for index, node in enumerate(nodes_of(entry)):
                taken = self._inputs[name, index] = list(node_refs(node))
                for ref in taken:
                    self._consumers.setdefault(ref.source, []).append((name, index))
                    if ref.tensor == 0:
                        self._shapes.setdefault(ref.source, ref)


def nodes_of(entry: Entry) -> list[dict[str, Any]]:
    """The calls of an entry; none for an input."""
    nodes = entry.get("inbound_nodes")
    if not isinstance(nodes, list):
        return []
    return [node for node in nodes if isinstance(node, dict)]


def node_refs(node: dict[str, Any]) -> Iterator[Ref]:
    """The tensors of one call, in the order in which Keras flattens them."""
    yield from refs(node.get("args", []))
    yield from refs(node.get("kwargs", {}))


def refs(value: Any) -> Iterator[Ref]:
    """Every tensor inside a value of an inbound node."""
    ref = _as_ref(value)
    if ref is not None:
        yield ref
    elif isinstance(value, dict):
        for key in sorted(value, key=str):
            yield from refs(value[key])
    elif isinstance(value, list):
        for item in value:
            yield from refs(item)


def end_refs(model: Entry, key: str) -> Iterator[Ref]:
    """The tensors of `input_layers` or `output_layers`.

    Keras counts the calls of a nested Functional from 1 there, and from 0 in
    `inbound_nodes`; here they count from 0 everywhere.
    """
    functional = {name_of(entry) for entry in layers_of(model) if is_functional(entry)}
    for name, node, tensor in _leaves(config_of(model).get(key)):
        yield Ref(name, node - 1 if name in functional else node, tensor)


def layer_order(model: Entry) -> list[str]:
    """Names in the order in which Keras lists a Functional model's operations.

    Keras sorts by depth (steps to the outputs), then by the order in which a
    depth-first walk from the outputs meets an operation. The weights file
    counts classes in this order, so a rewritten graph must be ordered alike.
    """
    entries = {name_of(entry): entry for entry in layers_of(model)}
    inputs = {ref.source for ref in end_refs(model, "input_layers")}
    parents = {
        (name, index): [ref.source for ref in node_refs(node)]
        for name, entry in entries.items()
        for index, node in enumerate(nodes_of(entry))
    }
    finished, met = _depth_first(
        [ref.source for ref in end_refs(model, "output_layers")], parents, inputs
    )
    depths = _depths(finished, parents, set(finished))
    for name, _ in inputs:
        if name not in depths:
            depths[name] = 0
            met[name] = -1
    return sorted(depths, key=lambda name: (-depths[name], met[name]))


def _depth_first(
    outputs: list[Node], parents: dict[Node, list[Node]], inputs: set[Node]
) -> tuple[list[Node], dict[str, int]]:
    """Nodes from inputs to outputs, and when each operation was first met."""
    finished: dict[Node, None] = {}
    stopped: set[Node] = set()
    waiting: set[Node] = set()
    met: dict[str, int] = {}
    for output in outputs:
        stack: list[tuple[Node, Iterator[Node]]] = []
        pending: Iterator[Node] = iter([output])
        while True:
            node = next(pending, None)
            if node is None:
                if not stack:
                    break
                done, pending = stack.pop()
                waiting.discard(done)
                finished.setdefault(done)
                continue
            if node in finished or node in stopped:
                continue
            if node in inputs and parents.get(node):
                stopped.add(node)  # an intermediate tensor used as input
                continue
            if node in waiting:
                raise ArchiveError(
                    "The graph of a model must not have a cycle. Received: one "
                    f"through {node[0]!r}. The file is not one that Keras wrote."
                )
            met.setdefault(node[0], len(met))
            waiting.add(node)
            stack.append((node, pending))
            pending = iter(parents.get(node, []))
            # A loop cannot be walked; Keras refuses such a file when it loads.
            if len(stack) > len(parents) + len(inputs) + 1:
                raise RecursionError("the graph has a loop")
    return list(finished), met


def _depths(
    finished: list[Node], parents: dict[Node, list[Node]], inside: set[Node]
) -> dict[str, int]:
    node_depths: dict[Node, int] = {}
    depths: dict[str, int] = {}
    for node in reversed(finished):
        depth = max(node_depths.setdefault(node, 0), depths.get(node[0], 0))
        depths[node[0]] = node_depths[node] = depth
        for parent in parents.get(node, []):
            if parent in inside:
                node_depths[parent] = max(depth + 1, node_depths.get(parent, 0))
    return depths


def _as_ref(value: Any) -> Ref | None:
    if not isinstance(value, dict) or value.get("class_name") != "__keras_tensor__":
        return None
    config = config_of(value)
    history = config.get("keras_history")
    if not isinstance(history, list) or len(history) != 3:  # noqa: PLR2004
        return None
    shape = config.get("shape")
    return Ref(
        str(history[0]),
        int(history[1]),
        int(history[2]),
        tuple(shape) if isinstance(shape, list) else None,
        config.get("dtype"),
    )


def _leaves(value: Any) -> Iterator[tuple[str, int, int]]:
    """Leaves `[name, node, tensor]` of a nested structure, keys sorted."""
    if isinstance(value, dict):
        for key in sorted(value, key=str):
            yield from _leaves(value[key])
    elif isinstance(value, list | tuple):
        if len(value) == 3 and isinstance(value[0], str):  # noqa: PLR2004
            yield value[0], int(value[1]), int(value[2])
        else:
            for item in value:
                yield from _leaves(item)
