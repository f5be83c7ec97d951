"""The inputs and outputs of a model as a file has them."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence
from typing import Any

import keras
from keras.src.export import export_utils

from keras_rectifiers.errors import ExportError
from keras_rectifiers.errors import UnsupportedModelError

_NUMBERED = re.compile(r"(?:.*\D)?(\d+)(?::0)?")


@dataclasses.dataclass(frozen=True)
class Port:
    """One input."""

    name: str
    #: Lengths of its axes, the batch first; None where it is open.
    shape: tuple[int | None, ...]
    dtype: str


@dataclasses.dataclass(frozen=True)
class Signature:
    """What a model takes, with the batch that its file is to have."""

    #: As `keras.Model.export` takes it.
    structure: Any
    #: Its leaves, in the order of `keras.tree.flatten`.
    inputs: tuple[Port, ...]
    #: Samples in each run; None for any number.
    batch: int | None

    @property
    def open_axes(self) -> list[str]:
        """Inputs with an axis of any length other than the batch, in words."""
        return [
            f"{port.name!r} {port.shape}".replace("None", "any")
            for port in self.inputs
            if None in port.shape[1:]
        ]

    def packed(self, arrays: Sequence[Any]) -> Any:
        """Flat inputs as the model takes them.

        Args:
            arrays: In the order of `inputs`.
        """
        made = keras.tree.pack_sequence_as(self.structure, list(arrays))
        return made[0] if len(made) == 1 else made

    def order(self, found: Sequence[tuple[str, Sequence[Any]]]) -> list[int]:
        """For each of the inputs of a file, which of ours it is.

        Args:
            found: Names and shapes of the file's inputs.

        Raises:
            ExportError: They cannot be distinguished.
        """
        names = [port.name for port in self.inputs]
        plain = [_plain(name) for name, _ in found]
        if len(names) == 1:
            return [0]
        if sorted(plain) == sorted(map(_plain, names)):
            known = [_plain(name) for name in names]
            return [known.index(name) for name in plain]
        shapes = [len(port.shape) for port in self.inputs], [len(s) for _, s in found]
        if sorted(shapes[0]) == sorted(set(shapes[0])) == sorted(shapes[1]):
            return [shapes[0].index(rank) for rank in shapes[1]]
        raise ExportError(
            "The inputs of a file must be identifiable by name. Received: "
            f"{', '.join(name for name, _ in found)}, for the model's "
            f"{', '.join(names)}. Give names to the inputs of the model."
        )


def of_model(model: Any, batch: int | None) -> Signature:
    """What a model takes.

    Args:
        model: A built `keras.Model`.
        batch: Samples in each run; None for any number.

    Raises:
        UnsupportedModelError: The model does not know its inputs.
    """
    try:
        given = export_utils.get_input_signature(model)
    except ValueError as error:
        raise UnsupportedModelError(
            "The inputs of a model must be known before export. Received: "
            f"{model.name!r}, for which Keras reports: {str(error).strip()} Call it "
            "once on data, and save it again."
        ) from error

    def fixed(spec: Any) -> Any:
        shape = (batch, *tuple(spec.shape)[1:])
        return keras.InputSpec(dtype=spec.dtype, shape=shape, name=spec.name)

    structure = keras.tree.map_structure(fixed, given)
    leaves = keras.tree.flatten(structure)
    ports = tuple(
        Port(leaf.name or f"input_{index}", tuple(leaf.shape), str(leaf.dtype))
        for index, leaf in enumerate(leaves)
    )
    return Signature(structure, ports, batch)


def output_order(names: Sequence[str]) -> list[int]:
    """For each of the outputs of a file, its place among the model's.

    Keras numbers those of a list and names those of a dict, whose leaves it sorts.

    Args:
        names: Names of the outputs, in the order of the file.
    """
    numbers = [_NUMBERED.fullmatch(name) for name in names]
    if all(numbers):
        key: list[Any] = [int(each[1]) for each in numbers if each]
    else:
        key = list(names)
    if len(set(key)) < len(key):
        return list(range(len(names)))
    ranks = sorted(key)
    return [ranks.index(each) for each in key]


def _plain(name: str) -> str:
    """A name without what exporters put around it."""
    return re.sub(r"^serving_default_|:\d+$", "", name)
