"""A Functional model put together from the branches of a model of Keras 1."""

from __future__ import annotations

import copy
from typing import Any

from keras_rectifiers.errors import ArchiveError
from keras_rectifiers.errors import UnsupportedModelError
from keras_rectifiers.graph.document import MAX_DEPTH
from keras_rectifiers.graph.document import Entry
from keras_rectifiers.graph.document import config_of
from keras_rectifiers.graph.document import name_of
from keras_rectifiers.legacy.dialects.registry import Context

#: A tensor as Keras 1 and 2 write it: layer, number of its call, output.
Reference = list[Any]


class BranchGraph:
    """Layers and their calls, in the form of Keras 2.

    Args:
        context: To refuse what has no form.
        model: The model that is rewritten, for messages.
    """

    def __init__(self, context: Context, model: Entry) -> None:
        self.context = context
        self.model = model
        self._entries: dict[str, Entry] = {}
        self._inputs: list[Reference] = []
        self._depth = 0

    def config(self, name: str, outputs: list[Reference]) -> dict[str, Any]:
        """The config of the Functional model.

        Args:
            name: Its name.
            outputs: Its outputs.
        """
        return {
            "name": name,
            "layers": list(self._entries.values()),
            "input_layers": self._inputs,
            "output_layers": outputs,
        }

    def add_input(self, name: str, shape: list[Any], dtype: str) -> Reference:
        """An input of the model.

        Args:
            name: Its name.
            shape: Its shape, with the batch.
            dtype: Its type.
        """
        if name in self._entries:
            return [name, 0, 0]
        config = {"name": name, "batch_input_shape": shape, "dtype": dtype}
        self._put({"class_name": "InputLayer", "config": config, "name": name})
        reference = [name, 0, 0]
        self._inputs.append(reference)
        return reference

    def add_layer(self, layer: Entry, inputs: list[Reference]) -> Reference:
        """A layer that is called; a layer of a known name is called again.

        Args:
            layer: Its entry.
            inputs: What it is called on.
        """
        name = name_of(layer)
        if name in self._entries and not self._is_known(layer):
            raise self._two_of(name)
        # A model counts one call when it is built, before it is used as a layer.
        first = int(layer.get("class_name") in ("Sequential", "Model", "Functional"))
        if name not in self._entries:
            new = {**copy.deepcopy(layer), "name": name, "inbound_nodes": []}
            if isinstance(new.get("config"), dict):
                new["config"].setdefault("name", name)
            self._put(new)
        nodes = self._entries[name]["inbound_nodes"]
        nodes.append([list(each) for each in inputs])
        return [name, first + len(nodes) - 1, 0]

    def add_sequential(self, layers: list[Entry]) -> Reference:
        """The layers of a Sequential, one after the other; its output.

        Args:
            layers: Its entries.
        """
        self._depth += 1
        if self._depth > MAX_DEPTH or not layers:
            raise ArchiveError(
                "Merged branches must be models in the form of Keras 1. Received: a "
                f"branch without layers, or nested deeper than {MAX_DEPTH}, at "
                f"{self.context.path(self.model)!r}. The file was not written by "
                "Keras."
            )
        first, *rest = layers
        branches = config_of(first).get("layers")
        if first.get("class_name") == "Merge" and isinstance(branches, list):
            ends = [self._add_branch(branch) for branch in branches]
            kept = {k: v for k, v in config_of(first).items() if k != "layers"}
            end = self.add_layer({"class_name": "Merge", "config": kept}, ends)
        else:
            end = self._add_first(first)
        for layer in rest:
            end = self.add_layer(layer, [end])
        self._depth -= 1
        return end

    def _add_branch(self, branch: Entry) -> Reference:
        config: Any = branch.get("config")
        class_name = branch.get("class_name")
        if class_name == "Sequential":
            layers = config if isinstance(config, list) else config.get("layers")
            return self.add_sequential(list(layers or ()))
        if class_name in ("Model", "Functional"):
            return self._add_model(config)
        return self._add_first(branch)

    def _add_first(self, layer: Entry) -> Reference:
        """A layer that takes an input of the model."""
        name, config = name_of(layer), config_of(layer)
        shape, dtype = _input_of(layer)
        if shape is None:
            raise self.context.refuse(
                self.model,
                f"a branch whose first layer, {name!r}, states no input shape",
                "Build the model again with Keras 3 layers",
            )
        if layer.get("class_name") == "InputLayer":
            return self.add_input(name, shape, str(config.get("dtype") or dtype))
        end = self.add_input(f"{name}_input", shape, dtype)
        return self.add_layer(layer, [end])

    def _add_model(self, config: dict[str, Any]) -> Reference:
        """The layers of a Functional branch, with their calls as they are."""
        for layer in config["layers"]:
            self._put(copy.deepcopy(layer))
        self._inputs.extend(config["input_layers"])
        (output,) = config["output_layers"]
        return list(output)

    def _put(self, entry: Entry) -> None:
        name = name_of(entry)
        if self._entries.setdefault(name, entry) != entry:
            raise self._two_of(name)

    def _is_known(self, layer: Entry) -> bool:
        """Whether it is the layer of its name that was there before, shared."""
        known = self._entries[name_of(layer)]
        return all(known.get(key) == layer.get(key) for key in ("class_name", "config"))

    def _two_of(self, name: str) -> UnsupportedModelError:
        return self.context.refuse(
            self.model,
            f"two different layers named {name!r} in merged branches",
            "Build the model again with Keras 3 layers",
        )


def _input_of(layer: Entry) -> tuple[list[Any] | None, str]:
    """The input's shape and type, as a layer or the first layer inside it says."""
    for _ in range(MAX_DEPTH):
        config: Any = layer.get("config")
        layers = config.get("layers") if isinstance(config, dict) else config
        if isinstance(config, dict) and config.get("batch_input_shape"):
            dtype = str(config.get("input_dtype") or "float32")
            return list(config["batch_input_shape"]), dtype
        if not isinstance(layers, list) or not layers:
            break
        layer = layers[0]
    return None, "float32"
