"""The operations of a LiteRT file, read from its flatbuffer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from keras_rectifiers.exporting.inspectors.found import Inspection
from keras_rectifiers.exporting.inspectors.found import Operation
from keras_rectifiers.exporting.inspectors.found import Rectifying
from keras_rectifiers.exporting.inspectors.found import slopes

#: Operations after a rectifier that are its upper bound.
_CAPS = ("MINIMUM",)
#: `relu(x) - slopes * relu(-x)`, for inputs that PRELU does not take.
_EXPANDED = ("RELU", "NEG", "RELU", "MUL", "SUB")


def inspect(path: Path) -> Inspection:
    """What a file consists of.

    Args:
        path: The file.
    """
    from tensorflow.lite.python import schema_py_generated as schema

    model = schema.ModelT.InitFromPackedBuf(bytearray(path.read_bytes()), 0)
    names = _names(schema.BuiltinOperator)
    graphs = [_Graph(model, graph, names, schema) for graph in model.subgraphs]
    operations = Counter(name for each in graphs for name, _ in each.nodes)
    foreign = [
        (name, each.place(node))
        for each in graphs
        for name, node in each.nodes
        if name not in names.values()
    ]
    rectifying = [found for each in graphs for found in each.rectifying()]
    nodes = tuple(
        each.described(name, node) for each in graphs for name, node in each.nodes
    )
    return Inspection(dict(operations), tuple(rectifying), tuple(foreign), nodes)


def _names(enumeration: Any) -> dict[int, str]:
    """The names of the numbers of an enumeration of the schema."""
    pairs = vars(enumeration).items()
    return {value: name for name, value in pairs if isinstance(value, int)}


class _Graph:
    def __init__(self, model: Any, graph: Any, names: Any, schema: Any) -> None:
        self._model = model
        self._graph = graph
        self._types = {
            schema.TensorType.FLOAT32: "float32",
            schema.TensorType.FLOAT16: "float16",
            schema.TensorType.INT8: "int8",
            schema.TensorType.INT16: "int16",
        }
        self._type_names = _names(schema.TensorType)
        self._relu = schema.ActivationFunctionType.RELU
        self.nodes = [(self._name(node, names), node) for node in graph.operators or ()]
        self._makers = {
            int(index): pair for pair in self.nodes for index in pair[1].outputs
        }
        self._readers: dict[int, list[str]] = {}
        for name, node in self.nodes:
            for index in node.inputs:
                self._readers.setdefault(int(index), []).append(name)

    def _name(self, node: Any, names: Any) -> str:
        code = self._model.operatorCodes[node.opcodeIndex]
        number = max(code.builtinCode, code.deprecatedBuiltinCode)
        name = names.get(number, f"operation {number}")
        return (code.customCode or b"CUSTOM").decode() if name == "CUSTOM" else name

    def place(self, node: Any) -> str:
        """The name of what a node computes, which begins with its layer."""
        name = self._graph.tensors[node.outputs[0]].name or b""
        return str(name.decode()).split(";", maxsplit=1)[0]

    def described(self, name: str, node: Any) -> Operation:
        """An operation as devices see it.

        Args:
            name: Its name.
            node: Its node.
        """
        graph = self._graph
        # An optional input that is not there has the index -1.
        read = [int(each) for each in node.inputs if each >= 0]
        written = [int(each) for each in node.outputs]
        constants = [each for each in read if self._is_constant(each)]
        moving = {*read, *written} - set(constants)
        types = {self._type(each) for each in moving}
        # Weights, axes and shapes have their own integer types.
        types |= {"float16"} & {self._type(each) for each in constants}
        return Operation(
            name,
            self.place(node),
            frozenset(types),
            tuple(tuple(map(int, _shape(graph.tensors[each]))) for each in constants),
            slope=node.builtinOptions.alpha if name == "LEAKY_RELU" else None,
            fused=bool(getattr(node.builtinOptions, "fusedActivationFunction", 0)),
            at_edge=not {*read, *written}.isdisjoint({*graph.inputs, *graph.outputs}),
        )

    def _type(self, index: int) -> str:
        return self._type_names[self._graph.tensors[index].type].lower()

    def _is_constant(self, index: int) -> bool:
        data = self._model.buffers[self._graph.tensors[index].buffer].data
        return data is not None and len(data) > 0

    def rectifying(self) -> Iterator[Rectifying]:
        """The rectifiers with slopes, in running order."""
        for name, node in self.nodes:
            if name == "PRELU":
                made = self._constant(int(node.inputs[1]))
                if made is not None:
                    yield self._found((name,), node, *made)
            elif name == "LEAKY_RELU":
                slope = np.float64(node.builtinOptions.alpha)
                yield self._found((name,), node, slopes(slope), 1e-7)
            elif name == "ADD":
                made = self._added(node)
                if made is not None:
                    yield self._found(("MUL", name), node, *made)
            elif name == "SUB":
                made = self._subtracted(node)
                if made is not None:
                    yield self._found(_EXPANDED, node, *made, native=False)

    def _found(
        self,
        names: tuple[str, ...],
        node: Any,
        values: Any,
        rounding: float,
        *,
        native: bool = True,
    ) -> Rectifying:
        readers = self._readers.get(int(node.outputs[0]), [])
        caps = tuple(readers) if len(readers) == 1 and readers[0] in _CAPS else ()
        return Rectifying((*names, *caps), values, native=native, rounding=rounding)

    def _added(self, node: Any) -> tuple[Any, float] | None:
        """The slopes of `x + relu((slopes - 1) * x)`."""
        first, second = (int(index) for index in node.inputs)
        for plain, product in ((first, second), (second, first)):
            name, maker = self._makers.get(product, ("", None))
            if name == "RELU":
                name, maker = self._makers.get(int(maker.inputs[0]), ("", None))
            elif name == "MUL" and not self._is_rectified(maker):
                continue
            if name != "MUL":
                continue
            operands = [int(index) for index in maker.inputs]
            if plain in operands:
                operands.remove(plain)
                made = self._constant(operands[0])
                return None if made is None else (made[0] + 1, made[1])
        return None

    def _subtracted(self, node: Any) -> tuple[Any, float] | None:
        """The slopes of `relu(x) - slopes * relu(-x)`."""
        name, maker = self._makers.get(int(node.inputs[1]), ("", None))
        if self._maker(node.inputs[0]) != "RELU" or name != "MUL":
            return None
        operands = [int(index) for index in maker.inputs]
        parts = [each for each in operands if self._maker(each) == "RELU"]
        if len(parts) != 1:
            return None
        operands.remove(parts[0])
        return self._constant(operands[0])

    def _maker(self, index: Any) -> str:
        """The operation that computes a tensor; empty for inputs and constants."""
        return self._makers.get(int(index), ("", None))[0]

    def _is_rectified(self, node: Any) -> bool:
        """Whether an operation has a ReLU fused into it."""
        return bool(node.builtinOptions.fusedActivationFunction == self._relu)

    def _constant(self, index: int) -> tuple[Any, float] | None:
        """The numbers of a constant, and how far rounding may have moved them."""
        maker, node = self._makers.get(index, ("", None))
        if maker == "DEQUANTIZE":
            return self._constant(int(node.inputs[0]))
        tensor = self._graph.tensors[index]
        data = self._model.buffers[tensor.buffer].data
        dtype = self._types.get(tensor.type)
        if data is None or dtype is None or not len(data):
            return None
        raw = np.frombuffer(bytes(data), dtype).astype("float64")
        values = raw.reshape(list(_shape(tensor)))
        held = tensor.quantization
        if dtype.startswith("int") and held is not None and held.scale is not None:
            scale = np.asarray(held.scale, "float64")
            zero = np.asarray(held.zeroPoint if held.zeroPoint is not None else 0)
            return slopes((values - zero) * scale), float(scale.max())
        return slopes(values), 1e-3 if dtype == "float16" else 0.0


def _shape(tensor: Any) -> Any:
    return () if tensor.shape is None else tensor.shape
