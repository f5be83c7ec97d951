"""The wiring inside one model of a document: who feeds whom, and in which order.

A Functional model states its edges in `inbound_nodes`; a Sequential is a chain.
Both answer the same questions here.
"""

from __future__ import annotations

import dataclasses
import functools
import itertools
from collections.abc import Callable
from collections.abc import Iterable
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


@dataclasses.dataclass(frozen=True, slots=True)
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
    """The calls of one model's members, and what each of them takes.

    Args:
        model: A model's entry in a document (Functional or Sequential).

    Attributes:
        functional: Whether the model states its edges; else it is a chain.
        entries: The members, by name.
        nodes: The calls of each member as they are written; none in a chain.
        outputs: The calls that make the outputs of the model.
        begins: The calls that are inputs of the model.
    """

    def __init__(self, model: Entry) -> None:
        self.functional = is_functional(model)
        self.entries = {name_of(entry): entry for entry in layers_of(model)}
        self.nodes = {name: nodes_of(each) for name, each in self.entries.items()}
        self._inputs: dict[Node, list[Ref]] = {}
        self.outputs: list[Node] = []
        self.begins: dict[Node, None] = {}
        if self.functional:
            self.outputs = [ref.source for ref in end_refs(model, "output_layers")]
            begins = (ref.source for ref in end_refs(model, "input_layers"))
            self.begins = dict.fromkeys(begins)
            for name, nodes in self.nodes.items():
                for index, node in enumerate(nodes):
                    self._inputs[name, index] = list(node_refs(node))
            return
        names = list(self.entries)
        for name, following in itertools.pairwise(names):
            self._inputs[following, 0] = [Ref(name, 0, 0)]
        self.outputs = [(names[-1], 0)] if names else []

    def calls(self, name: str) -> int:
        """How often a member is called."""
        return max(1, len(self.nodes[name])) if self.functional else 1

    def inputs(self, name: str, node: int) -> list[Ref]:
        """All tensors that one call takes, in Keras' order."""
        return self._inputs.get((name, node), [])

    @functools.cached_property
    def order(self) -> dict[Node, int]:
        """The calls on which the outputs depend, numbered: each after what it takes.

        Raises:
            ArchiveError: The graph has a cycle.
        """
        nodes = [(name, i) for name in self.entries for i in range(self.calls(name))]
        if self.functional:
            # Ties are broken by the order of the document, which is Keras' own.
            every, _ = running_order((*nodes, *self.outputs), self._takes)
            needed = set(self.outputs)
            for node in reversed(every):
                if node in needed:
                    needed.update(self._takes(node))
            nodes = [node for node in every if node in needed]
        return {node: number for number, node in enumerate(nodes)}

    def _takes(self, node: Node) -> list[Node]:
        begins = node in self.begins  # an intermediate tensor may be used as input
        return [] if begins else [ref.source for ref in self.inputs(*node)]


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
    ref = as_ref(value)
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
    graph = Graph(model)
    # An intermediate tensor may be used as input; what is before it does not count.
    middle = {node for node in graph.begins if graph.inputs(*node)}

    def takes(node: Node) -> list[Node]:
        sources = [ref.source for ref in graph.inputs(*node)]
        return [each for each in sources if each not in middle]

    outputs = (each for each in graph.outputs if each not in middle)
    order, met = running_order(outputs, takes)
    depths = _depths(order, takes)
    first: dict[str, int] = {}
    for number, (name, _) in enumerate(met):
        first.setdefault(name, number)
    for name, _ in graph.begins:
        if name not in depths:
            depths[name] = 0
            first[name] = -1
    return sorted(depths, key=lambda name: (-depths[name], first[name]))


def running_order(
    ends: Iterable[Node], takes: Callable[[Node], Iterable[Node]]
) -> tuple[list[Node], list[Node]]:
    """Walk depth first from ends to all that they depend on.

    Args:
        ends: Where to begin, in this order.
        takes: Gives the nodes that a node takes from.

    Returns:
        The nodes in running order, each after all that it takes from, and in the
        order in which the walk first met them.

    Raises:
        ArchiveError: The graph has a cycle.
    """
    order: list[Node] = []
    done: dict[Node, bool] = {}
    for end in ends:
        stack = [(end, iter(takes(end)))] if end not in done else []
        done.setdefault(end, False)
        while stack:
            node, pending = stack[-1]
            before = next((each for each in pending if not done.get(each)), None)
            if before is None:
                stack.pop()
                done[node] = True
                order.append(node)
            elif before in done:
                raise ArchiveError(
                    "The graph of a model must not have a cycle. Received: a cycle "
                    f"through {before[0]!r}. The file was not written by Keras."
                )
            else:
                done[before] = False
                stack.append((before, iter(takes(before))))
    return order, list(done)


def _depths(order: list[Node], takes: Callable[[Node], list[Node]]) -> dict[str, int]:
    """The most steps from each operation to the outputs."""
    node_depths: dict[Node, int] = {}
    depths: dict[str, int] = {}
    for node in reversed(order):
        depth = max(node_depths.setdefault(node, 0), depths.get(node[0], 0))
        depths[node[0]] = node_depths[node] = depth
        for source in takes(node):
            node_depths[source] = max(depth + 1, node_depths.get(source, 0))
    return depths


def as_ref(value: Any) -> Ref | None:
    """The tensor that a value of an inbound node is; None if it is something else."""
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
