"""Where the variables of a model are: on one device, mirrored on several, or sharded.

A copy of a model has its variables where the original has them, whether or not the
caller is in the scope that the original was created in.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import keras

from keras_rectifiers.errors import UnsupportedModelError
from keras_rectifiers.live import processes


@contextlib.contextmanager
def as_of(model: Any) -> Iterator[None]:
    """Make variables where those of a model are.

    A model that is on no several devices leaves the choice to the caller's own scope.

    Args:
        model: A Keras model, made in the scope of a `tf.distribute` strategy, in that
            of a `keras.distribution`, or in none.

    Raises:
        UnsupportedModelError: The caller is in the scope of another strategy.
    """
    strategy = getattr(model, "_distribute_strategy", None)
    mesh = _mesh_of(model)
    if strategy is not None:
        scope = _scope_of(strategy, model)
    elif mesh is not None and not _is_current(mesh):
        everywhere = keras.distribution.LayoutMap(mesh)
        scope = keras.distribution.ModelParallel(
            layout_map=everywhere, auto_shard_dataset=False
        ).scope()
    else:
        scope = contextlib.nullcontext()
    with scope:
        yield


def is_on_one_device(model: Any) -> bool:
    """Whether no strategy and no distribution has divided or mirrored a model.

    Args:
        model: A Keras model.
    """
    mirrored = getattr(model, "_distribute_strategy", None) is not None
    return not mirrored and _mesh_of(model) is None


def give(variable: Any, source: Any) -> None:
    """Give a variable the value of another, and its place on the devices.

    Replicas may differ: each has the moving statistics of the samples that it saw.

    Args:
        variable: The variable to write to.
        source: One of the same shape and dtype.
    """
    layout = getattr(source, "_layout", None)
    if layout is not None:
        variable._layout = layout  # noqa: SLF001 - Keras has no public way
    own, others = _replicas(variable), _replicas(source)
    if len(own) == len(others) > 1:
        for each, other in zip(own, others, strict=True):
            each.assign(other)
    else:
        # JAX would share the array, and training one model delete the other's.
        variable.assign(keras.ops.copy(source.value))


def _replicas(variable: Any) -> tuple[Any, ...]:
    """The parts of a variable that a strategy of TensorFlow mirrors."""
    if keras.config.backend() != "tensorflow":
        return ()
    return tuple(getattr(variable.value, "values", ()))


def _scope_of(strategy: Any, model: Any) -> contextlib.AbstractContextManager[Any]:
    import tensorflow as tf  # noqa: PLC0415 - only models of TensorFlow come here

    current = tf.distribute.get_strategy() if tf.distribute.has_strategy() else None
    if current is strategy:
        return contextlib.nullcontext()
    if current is not None:
        raise UnsupportedModelError(
            "A model must be converted in the scope of the strategy that it was "
            f"created in, or outside any scope. Received: {model.name!r}, created in "
            f"the scope of a {type(strategy).__name__}, in the scope of another "
            f"{type(current).__name__}. Leave that scope: the new model's variables "
            "are placed like the original's."
        )
    scope: contextlib.AbstractContextManager[Any] = strategy.scope()
    return scope


def _mesh_of(model: Any) -> Any | None:
    """The devices that the variables of a model are laid out on."""
    # Not every caller's object is a model: whoever asks says what it must be.
    for variable in getattr(model, "variables", ()):
        layout = getattr(variable, "_layout", None)
        if layout is not None:
            return getattr(layout, "device_mesh", None)
    return None


def _is_current(mesh: Any) -> bool:
    current = keras.distribution.distribution()
    return current is not None and current.device_mesh is mesh


def batch_parts() -> int:
    """Parts into which `keras.distribution` divides what a process brings of a batch.

    1 without it. Each process brings its own part of the batch.
    """
    current = keras.distribution.distribution()
    if current is None or current.batch_dim_name is None:
        return 1
    mesh = current.device_mesh
    sizes = dict(zip(mesh.axis_names, mesh.shape, strict=True))
    parts = int(sizes.get(current.batch_dim_name, 1))
    return max(1, parts // processes.count())
