"""Arrays in lists, tuples and dicts, as Keras takes them; Keras is not imported."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Mapping
from typing import Any

import numpy as np

from keras_rectifiers.files.rows import Rows
from keras_rectifiers.files.rows import is_mapped
from keras_rectifiers.files.rows import rows_of


def named_leaves(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """Every leaf with its name: that of a dict's key, or the place in a list.

    Args:
        value: A leaf or a structure of leaves; None has none.
        name: Of the whole; the name of a leaf that is not part of a dict.
    """
    if isinstance(value, Mapping):
        for key, part in value.items():
            yield from named_leaves(part, str(key))
    elif isinstance(value, (list, tuple)):
        for place, part in enumerate(value):
            yield from named_leaves(part, f"{name}[{place}]")
    elif value is not None:
        yield name, value


def leaves(value: Any) -> list[Any]:
    """Every leaf of a structure, without None."""
    return [leaf for _, leaf in named_leaves(value)]


def mapped(function: Callable[[Any], Any], value: Any) -> Any:
    """The same structure with a function of each leaf; None stays None."""
    if value is None:
        return None
    if isinstance(value, Mapping):
        return {key: mapped(function, part) for key, part in value.items()}
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*(mapped(function, part) for part in value))
    if isinstance(value, (list, tuple)):
        return type(value)(mapped(function, part) for part in value)
    return function(value)


def are_arrays(value: Any) -> bool:
    """Whether every leaf is an array of some framework, or a table."""
    return all(hasattr(leaf, "shape") for leaf in leaves(value))


def kind_of(stream: Any) -> str:
    """A data set object as users call it."""
    data_set = is_tensorflow(stream) and hasattr(stream, "cardinality")
    return "tf.data.Dataset" if data_set else type(stream).__name__.lstrip("_")


def is_tensorflow(value: Any) -> bool:
    """Whether a value is of one of TensorFlow's classes, or of one made of them."""
    return any(
        each.__module__.startswith("tensorflow.") for each in type(value).__mro__
    )


def as_arrays(value: Any) -> Any:
    """The same structure with NumPy arrays; a list of numbers is one array.

    Memory maps become `Rows`.

    Args:
        value: Arrays of NumPy, TensorFlow, JAX, torch, pandas or SciPy, numbers, or
            a structure of them.
    """
    if isinstance(value, (list, tuple)) and not _holds_arrays(value):
        return np.asarray(value)
    if isinstance(value, Mapping):
        return {key: as_arrays(part) for key, part in value.items()}
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*(as_arrays(part) for part in value))
    if isinstance(value, (list, tuple)):
        return type(value)(as_arrays(part) for part in value)
    return None if value is None else _as_array(value)


def _holds_arrays(value: Any) -> bool:
    if isinstance(value, Mapping):
        return True
    if isinstance(value, (list, tuple)):
        return any(_holds_arrays(part) for part in value)
    return value is None or getattr(value, "shape", ()) != ()


def _as_array(value: Any) -> Any:
    if isinstance(value, Rows):
        return value
    if is_mapped(value):
        return rows_of(value)
    if hasattr(value, "detach"):  # torch, also where it records gradients
        value = value.detach().cpu()
    for method in ("to_numpy", "toarray"):  # pandas; SciPy's sparse matrices
        if hasattr(value, method):
            return np.asarray(getattr(value, method)())
    return np.asarray(value)
