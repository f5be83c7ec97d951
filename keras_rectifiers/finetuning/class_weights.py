"""Weights of classes in the loss, for labels of which some are rare."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np

from keras_rectifiers.errors import ArgumentError
from keras_rectifiers.files.data import Data
from keras_rectifiers.files.structures import kind_of
from keras_rectifiers.files.structures import leaves
from keras_rectifiers.finetuning import outputs
from keras_rectifiers.finetuning.outputs import Output

BALANCED = "balanced"
_RULE = (
    'class_weight must be a mapping from class to weight, "balanced", or for several '
    "outputs a mapping from output to one of these"
)


def in_loss(given: Any, data: Data, model: Any, loss: Any = None) -> Any:
    """Weights of samples that hold those of their classes.

    Args:
        given: A mapping from class to weight; `"balanced"`, which weighs each class
            by `samples / (classes * samples of the class)` (King & Zeng 2001, as
            scikit-learn computes it); or a mapping from output to one of these.
        data: Arrays with labels: numbers of classes, or one column for each class.
            Weights of samples in them are multiplied with those of classes.
        model: The model, for its outputs.
        loss: The loss that replaces the model's, or None.

    Returns:
        An array of the labels' shape without the column of classes, or a structure
        like that of the labels.

    Raises:
        ArgumentError: It is neither, or the labels are not classes.
    """
    found = outputs.of_labels(model, data.y, loss)
    wanted = _for_each(given, found)
    made = [_of_samples(each, one) for each, one in zip(found, wanted, strict=True)]
    one = len(found) == 1 and not keras.tree.is_nested(data.y)
    weights = iter(made)
    # In the order of `named_leaves`, which is that of the structure itself.
    structure = made[0] if one else _like(data.y, weights)
    return _times(structure, data.sample_weight)


def for_stream(given: Any, data: Data, first: tuple[Any, Any, Any]) -> Any:
    """Class weights that `keras.Model.fit` takes for a data set object.

    Args:
        given: As above.
        data: The data set object.
        first: Its first batch, as arrays.

    Raises:
        ArgumentError: They cannot be used there.
    """
    kind = kind_of(data.x)
    _, labels, weights = first
    several = keras.tree.is_nested(labels)
    able = isinstance(data.x, keras.utils.PyDataset) or hasattr(data.x, "cardinality")
    plain = isinstance(given, Mapping) and not _by_output(given)
    if not plain or several or weights is not None or not able:
        what = (
            "several outputs" if several else "weights" if weights is not None else ""
        )
        if given == BALANCED:
            raise ArgumentError(
                "class_weight='balanced' (--class-weight balanced) counts the labels "
                f"of arrays. Received: a data set object ({kind}). Give (x, y) as "
                "arrays, such as from a .npz, or batches (x, y, sample_weight) whose "
                "weights say how rare each class is."
            )
        raise ArgumentError(
            "For a data set object class_weight must be a mapping from class to "
            "weight, for a tf.data.Dataset or a PyDataset with one output and without "
            f"sample weights. Received: class_weight={given!r} for a {kind}"
            f"{f' with {what}' if what else ''}. Give (x, y) as arrays, or weights of "
            "samples in its batches (x, y, sample_weight)."
        )
    return _checked(given)


def balanced(labels: np.ndarray, name: str = "y") -> dict[int, float]:
    """The weight of each class by how rare it is.

    Args:
        labels: Numbers of classes, of any shape.
        name: How they are called, for the message.

    Raises:
        ArgumentError: They are not numbers of classes.
    """
    values = np.asarray(labels).ravel()
    if not np.array_equal(values, np.floor(values)) or values.min() < 0:
        raise ArgumentError(
            'class_weight="balanced" needs numbers of classes. Received: labels '
            f"{name} between {values.min():g} and {values.max():g}. Give a mapping "
            "from class to weight, or sample_weight=."
        )
    classes, counts = np.unique(values.astype(int), return_counts=True)
    share = len(values) / (len(classes) * counts)
    return dict(zip(classes.tolist(), share.tolist(), strict=True))


def _for_each(given: Any, found: list[Output]) -> list[Any]:
    """What was given for each output, None for one that is not weighted."""
    if isinstance(given, (list, tuple)) and len(given) == len(found):
        return list(given)
    if not isinstance(given, Mapping) or not _by_output(given):
        if isinstance(given, Mapping) and len(found) > 1:
            names = ", ".join(repr(each.name) for each in found)
            raise ArgumentError(
                f"{_RULE}. Received: class_weight={dict(given)!r} for {len(found)} "
                f"outputs. Name the outputs ({names})."
            )
        return [given] * len(found)
    unknown = set(given) - {each.name for each in found}
    if unknown:
        raise ArgumentError(
            f"{_RULE}. Received: class_weight for {sorted(map(str, unknown))}, where "
            f"the labels are {[each.name for each in found]}."
        )
    return [given.get(each.name) for each in found]


def _by_output(given: Mapping[Any, Any]) -> bool:
    return any(not isinstance(key, (int, float, np.number)) for key in given)


def _of_samples(output: Output, given: Any) -> np.ndarray:
    """The weight of each label of one output."""
    if given is None:
        return np.ones(len(output.labels), np.float32)
    if not isinstance(given, Mapping) and given != BALANCED:
        raise ArgumentError(f"{_RULE}. Received: class_weight={given!r}.")
    classes = _classes(output)
    weights = balanced(classes, output.name) if given == BALANCED else _checked(given)
    known, places = np.unique(classes, return_inverse=True)
    values = [weights.get(int(each), 1.0) for each in known]
    return np.asarray(values, np.float32)[places.reshape(classes.shape)]


def _classes(output: Output) -> np.ndarray:
    """Numbers of classes, where labels may have one column for each class."""
    labels = np.asarray(output.labels)
    if labels.ndim > 1 and labels.shape[-1] == 1:
        return labels[..., 0]
    if labels.ndim == 1 or output.is_sparse:
        return labels
    if not np.allclose(labels.sum(axis=-1), 1.0, atol=1e-3):
        raise ArgumentError(
            "class_weight needs one class for each label. Received: labels "
            f"{output.name} of shape {labels.shape} whose columns do not add up to 1. "
            "Give weights of samples, as sample_weight=."
        )
    return labels.argmax(axis=-1)


def _checked(given: Mapping[Any, Any]) -> dict[int, float]:
    try:
        return {int(key): float(value) for key, value in given.items()}
    except (TypeError, ValueError) as error:
        raise ArgumentError(
            f"{_RULE}. Received: class_weight={dict(given)!r}."
        ) from error


def _like(structure: Any, values: Any) -> Any:
    if isinstance(structure, Mapping):
        return {key: _like(part, values) for key, part in structure.items()}
    if isinstance(structure, (list, tuple)):
        return type(structure)(_like(part, values) for part in structure)
    return None if structure is None else next(values)


def _times(weights: Any, given: Any) -> Any:
    """Weights of classes times those of samples, which may be one array for all."""
    if given is None:
        return weights
    if keras.tree.is_nested(given):
        pairs = zip(leaves(weights), leaves(given), strict=True)
        return _like(weights, iter([_product(*pair) for pair in pairs]))
    if not keras.tree.is_nested(weights):
        return _product(weights, given)
    return _like(weights, iter([_product(each, given) for each in leaves(weights)]))


def _product(weights: np.ndarray, given: np.ndarray) -> np.ndarray:
    """The product where one may have axes of time that the other lacks."""
    given = np.asarray(given, np.float32)
    while given.ndim < weights.ndim:
        given = given[..., None]
    if given.ndim > weights.ndim and given.shape[-1] == 1:
        given = given[..., 0]
    while weights.ndim < given.ndim:
        weights = weights[..., None]
    return weights * given
