"""TensorFlow's functions in a model become operations of Keras 3.

TF-Keras wraps each call of a function (`tf.nn.relu(x)`, `x + 1`, `x[:, 0]`) in a
separate layer; the same call in Keras 3 is an operation, which is not a layer. The
model is gone through once from its inputs to its outputs. What is known before the
model runs (the length of an axis) is worked out on the way.
"""

from __future__ import annotations

import graphlib
from typing import Any

from keras_rectifiers.errors import ArchiveError
from keras_rectifiers.graph.document import Entry
from keras_rectifiers.graph.document import config_of
from keras_rectifiers.graph.document import is_functional
from keras_rectifiers.graph.document import is_model
from keras_rectifiers.graph.document import layers_of
from keras_rectifiers.graph.document import name_of
from keras_rectifiers.graph.document import snake_case
from keras_rectifiers.graph.graph import Node
from keras_rectifiers.graph.graph import node_refs
from keras_rectifiers.graph.graph import nodes_of
from keras_rectifiers.graph.graph import refs
from keras_rectifiers.graph.inference.outputs import outputs_of
from keras_rectifiers.graph.inference.outputs import tensors_in
from keras_rectifiers.graph.inference.sizes import TensorSpec
from keras_rectifiers.legacy.dialects import known
from keras_rectifiers.legacy.dialects.calls import array
from keras_rectifiers.legacy.dialects.calls import is_numeric
from keras_rectifiers.legacy.dialects.calls import map_ends
from keras_rectifiers.legacy.dialects.calls import offset
from keras_rectifiers.legacy.dialects.calls import tensor
from keras_rectifiers.legacy.dialects.known import NOTES
from keras_rectifiers.legacy.dialects.known import REMEDY
from keras_rectifiers.legacy.dialects.registry import WAS
from keras_rectifiers.legacy.dialects.registry import Context
from keras_rectifiers.legacy.dialects.registry import Origin
from keras_rectifiers.legacy.dialects.tensorflow.raw import read_call
from keras_rectifiers.legacy.dialects.tensorflow.values import Constant
from keras_rectifiers.legacy.dialects.tensorflow.values import NamedTensor
from keras_rectifiers.legacy.dialects.tensorflow.values import Op
from keras_rectifiers.legacy.dialects.tensorflow.values import Raw
from keras_rectifiers.legacy.dialects.tensorflow.values import Several
from keras_rectifiers.legacy.dialects.tensorflow.values import UnknownOperationError
from keras_rectifiers.legacy.dialects.tensorflow.values import is_symbolic

#: Operations whose operand is a list of tensors.
_TAKE_LISTS = frozenset({"Concatenate", "Stack"})
#: A model's entry, by its identity, and what it takes -> its outputs.
_Known = dict[tuple[Any, ...], list[TensorSpec]]


def rewrite(model: Entry, context: Context) -> None:
    """Replace the function calls of a Functional model, and state its shapes.

    Args:
        model: Its entry, with modern calls; changed.
        context: Where repairs are noted.
    """
    _Rewriter(model, context, {}).rewrite()


def restate(model: Entry) -> None:
    """State the shapes of the tensors in a modern model again, as far as known.

    Args:
        model: Its entry; changed.
    """
    _Rewriter(model, Context(Origin()), {}).inside(model, [])


class _Rewriter:
    """One pass through a Functional model.

    Args:
        model: Its entry, with modern calls; changed by `rewrite`.
        context: Where repairs are noted.
        known: Outputs of the models inside, as far as they were worked out.
    """

    def __init__(self, model: Entry, context: Context, known: _Known) -> None:
        self.entries = {name_of(entry): entry for entry in layers_of(model)}
        self._model = model
        self._known = known
        self._context = context
        self._names = set(self.entries)
        self._outputs: dict[Node, list[TensorSpec]] = {}
        #: What the call of a function became: a value, or an operation's name.
        self._results: dict[Node, Any] = {}
        #: The new entries in place of an old one.
        self._made: dict[str, list[Entry]] = {}

    def rewrite(self) -> None:
        """Replace all function calls in place."""
        self.follow()
        config = config_of(self._model)
        config["output_layers"] = map_ends(config["output_layers"], self._end)
        kept: list[Entry] = []
        for name, entry in self.entries.items():
            kept += self._made[name] if _is_function(entry) else [entry]
        config["layers"] = kept
        self._drop_loose()

    def follow(self) -> None:
        """Go through all calls from the inputs to the outputs."""
        for name, number in self._order():
            entry = self.entries[name]
            nodes = nodes_of(entry)
            node = nodes[number] if nodes else {"args": [], "kwargs": {}}
            args, kwargs = self._read(node["args"]), self._read(node["kwargs"])
            if _is_function(entry):
                self._replace(entry, number, args, kwargs)
                continue
            self._outputs[name, number] = self.outputs(entry, args, kwargs)
            if nodes:
                node["args"] = self._written(entry, args)
                node["kwargs"] = self._written(entry, kwargs)

    def tensor(self, name: str, node: int, index: int) -> NamedTensor:
        """An output of a call that was already gone through."""
        known = self._outputs.get((name, node), [])
        made = known[index] if index < len(known) else TensorSpec()
        return NamedTensor(made.shape, made.dtype, name, node, index)

    def outputs(self, entry: Entry, args: Any, kwargs: Any) -> list[TensorSpec]:
        """Shape and dtype of each output of a call."""
        tensors = tensors_in([args, kwargs])
        if is_model(entry):
            return self.inside(entry, tensors)
        if entry["class_name"] != "TimeDistributed" or not tensors:
            return outputs_of(entry, args, kwargs)
        try:
            return self._each_step(config_of(entry)["layer"], tensors[0])
        except (LookupError, TypeError, ValueError):
            return []  # a config of some other kind: nothing is known

    def inside(self, model: Entry, given: list[TensorSpec]) -> list[TensorSpec]:
        """Shape and dtype of each output of a modern model.

        Args:
            model: Its entry, whose own models are modern as well.
            given: What it takes; a Functional model, and a Sequential that begins
                with an InputLayer, state that themselves.
        """
        takes = () if is_functional(model) else [each.shape for each in given]
        key = (id(model), *takes)
        if key not in self._known:
            self._known[key] = self._through(model, given)
        return self._known[key]

    def _through(self, model: Entry, given: list[TensorSpec]) -> list[TensorSpec]:
        rewriter = _Rewriter(model, self._context, self._known)
        if is_functional(model):
            rewriter.follow()
            found: list[TensorSpec] = []
            entries = rewriter.entries

            def end(value: list[Any]) -> list[Any]:
                name, node, index = value
                made = rewriter.tensor(name, node - offset(entries, name), index)
                found.append(made)
                return value

            map_ends(config_of(model)["output_layers"], end)
            return found
        outputs = given[:1]
        for entry in layers_of(model):
            outputs = rewriter.outputs(entry, outputs[:1], {})
        return outputs

    def _each_step(self, inner: Entry, taken: TensorSpec) -> list[TensorSpec]:
        """The output of a layer that is called for each step of a sequence."""
        if taken.shape is None:
            return []
        batch, steps, *rest = taken.shape
        made = self.outputs(inner, [TensorSpec((batch, *rest), taken.dtype)], {})
        if not made or made[0].shape is None:
            return []
        batch, *rest = made[0].shape
        return [TensorSpec((batch, steps, *rest), made[0].dtype)]

    def _order(self) -> list[Node]:
        """All calls, each after those whose outputs it takes."""
        sorter: graphlib.TopologicalSorter[Node] = graphlib.TopologicalSorter()
        for name, entry in self.entries.items():
            sorter.add((name, 0))
            for number, node in enumerate(nodes_of(entry)):
                # Calls of one layer stay in their order, as Keras makes them.
                sorter.add((name, number), *(ref.source for ref in node_refs(node)))
        try:
            order = list(sorter.static_order())
        except graphlib.CycleError as error:
            raise ArchiveError(
                "The graph of a model must not have a cycle. Received: a cycle "
                f"through {error.args[1][0][0]!r}. The file was not written by Keras."
            ) from error
        for name, number in order:
            if name not in self.entries or number < 0:
                raise ArchiveError(
                    "Each tensor must come from a layer of its model. Received: a "
                    f"tensor of {name!r}. The file was not written by Keras."
                )
        return order

    def _read(self, value: Any) -> Any:
        """A value of a call with its tensors looked up."""
        if isinstance(value, dict):
            if value.get("class_name") == "__keras_tensor__":
                name, node, index = value["config"]["keras_history"]
                return self._looked_up(name, node, index)
            return {key: self._read(each) for key, each in value.items()}
        if isinstance(value, list):
            return [self._read(each) for each in value]
        return value

    def _looked_up(self, name: str, node: int, index: int) -> Any:
        if (name, node) not in self._results:
            return self.tensor(name, node, index)
        result = self._results[name, node]
        if isinstance(result, Several):
            result = result.values[index]
        elif isinstance(result, Op):
            raise TypeError("an operation that was not created")
        elif isinstance(result, str):
            return self.tensor(result, 0, index)
        return result

    def _replace(self, entry: Entry, number: int, args: Any, kwargs: Any) -> None:
        """Find what the call of a function is in Keras 3."""
        self._made.setdefault(name_of(entry), [])
        function = str(config_of(entry).get("function", entry["class_name"]))
        try:
            function, recipe, call = read_call(entry, args, kwargs)
            result = recipe(call)
            if isinstance(result, Several):
                result = Several([self._emitted(entry, each) for each in result.values])
            elif isinstance(result, Op):
                result = self._emit(entry, result, self._call_name(entry, number))
        except UnknownOperationError as error:
            said = f" ({error})" if str(error) else ""
            raise self._context.refuse(
                entry, f"the TensorFlow function {function!r}{said}", REMEDY
            ) from error
        self._results[name_of(entry), number] = result
        made = self._made[name_of(entry)]
        became = str(made[-1]["class_name"]) if made else "worked out"
        self._context.repaired(entry, f"{function} → {became}")

    def _call_name(self, entry: Entry, number: int) -> str:
        name = name_of(entry)
        return name if number == 0 else self._unique(f"{name}_{number}")

    def _unique(self, name: str) -> str:
        number, unique = 0, name
        while unique in self._names:
            number += 1
            unique = f"{name}_{number}"
        self._names.add(unique)
        return unique

    def _emitted(self, entry: Entry, value: Any) -> Any:
        if not isinstance(value, Op):
            return value
        name = self._unique(f"{name_of(entry)}_{snake_case(value.class_name)}")
        return self.tensor(self._emit(entry, value, name), 0, 0)

    def _emit(self, entry: Entry, op: Op, name: str) -> str:
        """Make the entry of an operation, after those of its operands."""
        operands = [self._operands(entry, each, op) for each in op.args]
        found = tensors_in(operands)
        numbers = [each.dtype for each in found if each.dtype != "bool"]
        dtype = numbers[0] if numbers else "float32"
        args = [_constant(each, dtype) for each in operands]
        made = _entry(op, name, dtype)
        made["inbound_nodes"] = [
            {"args": [self._written(entry, each) for each in args], "kwargs": {}}
        ]
        if name == name_of(entry) and WAS in entry:
            made[WAS] = entry[WAS]
        plain = [each.value if isinstance(each, Raw) else each for each in args]
        self._outputs[name, 0] = self.outputs(made, plain, {})
        self._made[name_of(entry)].append(made)
        return name

    def _operands(self, entry: Entry, value: Any, op: Op) -> Any:
        if isinstance(value, Raw | Constant):
            return value
        if isinstance(value, list):
            if is_symbolic(value) and op.class_name not in _TAKE_LISTS:
                raise UnknownOperationError("a list of tensors as one operand")
            return [self._operands(entry, each, op) for each in value]
        if value is None:
            raise UnknownOperationError("a call without operands")
        return self._emitted(entry, value)

    def _written(self, entry: Entry, value: Any) -> Any:
        """A value as it is written in a file."""
        if isinstance(value, Raw):
            return value.value
        if isinstance(value, NamedTensor):
            made = tensor(value.name, value.node, value.index)
            made["config"]["dtype"] = value.dtype
            if value.shape is not None:
                made["config"]["shape"] = list(value.shape)
            return made
        if isinstance(value, dict):
            return {key: self._written(entry, each) for key, each in value.items()}
        if isinstance(value, list):
            return [self._written(entry, each) for each in value]
        if is_symbolic(value):
            raise self._context.refuse(
                entry, "an argument that is the length of an axis", REMEDY
            )
        return value

    def _end(self, end: list[Any]) -> list[Any]:
        name, node, index = end
        if not _is_function(self.entries.get(name, {})):
            return end
        value = self._looked_up(name, node, index)
        if not isinstance(value, NamedTensor):
            raise self._context.refuse(
                self.entries[name], "a shape as an output of the model", REMEDY
            )
        first = offset(self.entries, value.name)
        return [value.name, value.node + first, value.index]

    def _drop_loose(self) -> None:
        """Take out what leads to no output: losses, metrics, worked-out shapes."""
        entries = {name_of(entry): entry for entry in layers_of(self._model)}
        pending: list[str] = []
        map_ends(
            config_of(self._model)["output_layers"], lambda end: pending.append(end[0])
        )
        reached: set[str] = set()
        while pending:
            name = pending.pop()
            if name not in reached and name in entries:
                reached.add(name)
                nodes = entries[name].get("inbound_nodes", [])
                pending += [ref.name for ref in refs(_arguments(nodes))]
        kept = []
        for name, entry in entries.items():
            if name in reached or entry["class_name"] == "InputLayer":
                kept.append(entry)
            else:
                self._context.repaired(
                    entry,
                    f"{entry['class_name']} does not lead to an output → left out",
                    caution=entry["class_name"] in NOTES,  # it took part in training
                )
        config_of(self._model)["layers"] = kept


def _arguments(nodes: list[Entry]) -> list[Any]:
    return [[node["args"], node["kwargs"]] for node in nodes]


def _is_function(entry: Entry) -> bool:
    return entry.get("class_name") in known.CALLS


def _constant(value: Any, dtype: str) -> Any:
    """An operand with constant arrays as Keras 3 writes them."""
    if isinstance(value, Constant):
        plain = not isinstance(value.value, list)
        return value.value if plain else array(value.value, value.dtype)
    if is_numeric(value):
        return array(value, _dtype_beside(value, dtype))
    if isinstance(value, list):
        return [_constant(each, dtype) for each in value]
    return value


def _dtype_beside(value: Any, dtype: str) -> str:
    """The dtype of an array that is combined with tensors of some dtype."""
    flat = value
    while isinstance(flat, list):
        flat = flat[0]
    if isinstance(flat, bool):
        return "bool"
    return "float32" if isinstance(flat, float) and "float" not in dtype else dtype


def _entry(op: Op, name: str, dtype: str) -> Entry:
    """An operation, or the one layer that does what no operation does."""
    config = {"name": name, **op.config}
    if op.module == "layers":
        policy = dtype if "float" in dtype else "float32"
        return {
            "module": "keras.layers",
            "class_name": op.class_name,
            "config": {"name": name, "trainable": True, "dtype": policy, **op.config},
            "registered_name": None,
            "name": name,
        }
    module = op.module if "." in op.module else f"keras.src.ops.{op.module}"
    return {
        "module": module,
        "class_name": op.class_name,
        "config": config,
        "registered_name": op.class_name,
        "name": name,
    }
