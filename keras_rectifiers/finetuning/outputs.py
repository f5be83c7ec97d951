"""Labels side by side with the outputs of a model, and the loss of each."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import keras

from keras_rectifiers.files.structures import named_leaves


@dataclasses.dataclass(frozen=True, eq=False)
class Output:
    """One output of a model, with its labels."""

    #: How its labels are called: by key, or by place.
    name: str
    labels: Any
    #: Shape of the output with its batch axis; None where it is not known.
    shape: tuple[int | None, ...] | None
    #: The loss as Keras takes it, None where it has none.
    loss: Any

    @property
    def loss_name(self) -> str:
        """The loss by its string, function or class."""
        return name_of(self.loss)

    @property
    def is_sparse(self) -> bool:
        """Whether labels are numbers of classes."""
        return "sparse_categorical" in self.loss_name


def of_labels(model: Any, labels: Any, loss: Any = None) -> list[Output]:
    """Every output that has labels.

    Args:
        model: The model.
        labels: An array, or a structure of arrays.
        loss: The loss that replaces the model's, or None.
    """
    named = list(named_leaves(labels, "y"))
    names = list(getattr(model, "output_names", None) or [])
    shapes = _shapes(model)
    if isinstance(labels, Mapping) and set(labels) == set(names):
        places = [names.index(name) for name, _ in named]
    else:  # Keras sorts the keys of dicts
        order = sorted(range(len(named)), key=lambda i: named[i][0])
        by_key = isinstance(labels, Mapping)
        places = [order.index(i) if by_key else i for i in range(len(named))]
    fits = len(named) == len(shapes)
    losses = model.loss if loss is None else loss
    return [
        Output(
            name,
            array,
            shapes[place] if fits else None,
            _one_of(losses, name, place, names),
        )
        for (name, array), place in zip(named, places, strict=True)
    ]


def count(model: Any) -> int:
    """Number of outputs, 1 where the model does not say."""
    return max(len(_shapes(model)), 1)


def name_of(loss: Any) -> str:
    """A loss as Keras names it: its string, function or class."""
    if isinstance(loss, Mapping):
        return ", ".join(f"{key}: {name_of(each)}" for key, each in loss.items())
    if isinstance(loss, (list, tuple)):
        return ", ".join(map(name_of, loss))
    if isinstance(loss, str):
        return loss
    return str(getattr(loss, "name", None) or getattr(loss, "__name__", loss))


def _one_of(losses: Any, name: str, place: int, names: list[str]) -> Any:
    if isinstance(losses, Mapping):
        own = names[place] if place < len(names) else name
        return losses.get(name, losses.get(own))
    if isinstance(losses, (list, tuple)):
        return losses[place] if place < len(losses) else None
    return losses


def _shapes(model: Any) -> list[tuple[int | None, ...]]:
    try:
        return [tuple(tensor.shape) for tensor in model.outputs or ()]
    except (AttributeError, ValueError):
        pass  # subclassed, or not built
    try:
        shape = model.output_shape
    except (AttributeError, ValueError):
        return []
    plain = isinstance(shape, tuple) and not keras.tree.is_nested(shape[:1])
    return [shape] if plain else []
