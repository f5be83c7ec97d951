"""The operations of an ONNX file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from keras_rectifiers.exporting.inspectors.found import Inspection
from keras_rectifiers.exporting.inspectors.found import Rectifying
from keras_rectifiers.exporting.inspectors.found import slopes

#: Domains whose operations every runtime has.
_STANDARD = ("", "ai.onnx", "ai.onnx.ml")
#: Operations after a rectifier that are its upper bound.
_CAPS = ("Min", "Clip")
_LEAKY = 0.01
_DEQUANTIZE = "DequantizeLinear"
_QUANTIZE = "QuantizeLinear"


def inspect(path: Path) -> Inspection:
    """What a file consists of.

    Args:
        path: The file.
    """
    import onnx

    model = onnx.load(path)
    graphs = [_Graph(each, onnx) for each in _graphs(model.graph)]
    nodes = [node for each in graphs for node in each.nodes]
    return Inspection(
        dict(Counter(node.op_type for node in nodes)),
        tuple(found for each in graphs for found in each.rectifying()),
        tuple(
            (f"{node.domain}.{node.op_type}", node.name)
            for node in nodes
            if node.domain not in _STANDARD and not _is_of_runtime(node)
        ),
    )


def _is_of_runtime(node: Any) -> bool:
    """Whether ONNX Runtime has an operation for a node."""
    return str(node.domain) == "com.microsoft"


def _graphs(graph: Any) -> Iterator[Any]:
    """A graph, and those inside its loops and branches."""
    yield graph
    for node in graph.node:
        for attribute in node.attribute:
            for inner in (attribute.g, *attribute.graphs):
                if len(inner.node):
                    yield from _graphs(inner)


class _Graph:
    def __init__(self, graph: Any, onnx: Any) -> None:
        self._onnx = onnx
        self.nodes = list(graph.node)
        self._held = {each.name: each for each in graph.initializer}
        self._makers = {name: node for node in self.nodes for name in node.output}
        self._readers: dict[str, list[Any]] = {}
        for node in self.nodes:
            for name in node.input:
                self._readers.setdefault(name, []).append(node)

    def rectifying(self) -> Iterator[Rectifying]:
        """The rectifiers with slopes, in running order."""
        for node in self.nodes:
            if node.op_type == "PRelu":
                made = self._constant(node.input[1])
                if made is not None:
                    yield self._found(node, *made)
            elif node.op_type == "LeakyRelu":
                (slope,) = [a.f for a in node.attribute if a.name == "alpha"] or [
                    _LEAKY
                ]
                yield self._found(node, slopes(slope), 1e-7)
            elif node.op_type == "Add":
                added = self._added(node)
                if added is not None:
                    yield self._found(node, *added)

    def _added(self, node: Any) -> tuple[Any, float, tuple[str, ...]] | None:
        """The slopes of `x + relu((slopes - 1) * x)`, and what comes before the sum.

        The ReLU goes where rounding to 8 bits cuts off negative numbers anyway.
        """
        first, second = node.input
        for plain, other in ((first, second), (second, first)):
            source = self._source(other)
            product = self._makers.get(source)
            names: tuple[str, ...] = ("Mul",)
            if product is not None and product.op_type == "Relu":
                product = self._makers.get(self._source(product.input[0]))
                names = ("Mul", "Relu")
            elif source == other:
                continue
            if product is None or product.op_type != "Mul":
                continue
            operands = list(product.input)
            own = self._source(plain)
            parts = [each for each in operands if self._source(each) != own]
            made = self._constant(parts[0]) if len(parts) == 1 else None
            if made is not None:
                return made[0] + 1, made[1] + 1e-6, names
        return None

    def _source(self, name: str) -> str:
        """A tensor as it was before it was rounded to 8 bits."""
        maker = self._makers.get(name)
        while maker is not None and maker.op_type in (_QUANTIZE, _DEQUANTIZE):
            name = maker.input[0]
            maker = self._makers.get(name)
        return name

    def _found(
        self,
        node: Any,
        values: Any,
        rounding: float,
        before: tuple[str, ...] = (),
    ) -> Rectifying:
        after = self._after(node)
        caps = (after,) if after in _CAPS else ()
        return Rectifying(
            (*before, node.op_type, *caps), values, native=True, rounding=rounding
        )

    def _after(self, node: Any) -> str | None:
        """The only operation that reads what a node computes."""
        readers = self._readers.get(node.output[0], [])
        if len(readers) != 1:
            return None
        (reader,) = readers
        if reader.op_type in (_QUANTIZE, _DEQUANTIZE):
            return self._after(reader)
        return str(reader.op_type)

    def _constant(self, name: str) -> tuple[Any, float] | None:
        """The numbers of a constant, and how far rounding may have moved them."""
        if name in self._held:
            value = self._onnx.numpy_helper.to_array(self._held[name])
            return slopes(value), 0.0
        maker = self._makers.get(name)
        if maker is None:
            return None
        if maker.op_type == "Constant":
            value = next(a.t for a in maker.attribute if a.name == "value")
            return slopes(self._onnx.numpy_helper.to_array(value)), 0.0
        if maker.op_type != _DEQUANTIZE:
            return None
        parts = [self._constant(each) for each in maker.input]
        if None in parts:
            return None
        value, scale, *zero = (part[0] for part in parts if part is not None)
        scale = np.asarray(scale)
        return (value - (zero[0] if zero else 0)) * scale, float(scale.max())
