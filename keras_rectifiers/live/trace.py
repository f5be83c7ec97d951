"""Run a model on symbolic tensors, to learn the shapes inside its Python code."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
from keras.src.backend import compute_output_spec

from keras_rectifiers.errors import UnsupportedModelError
from keras_rectifiers.live.called import Calling
from keras_rectifiers.live.called import watched
from keras_rectifiers.live.layers import flat
from keras_rectifiers.live.layers import is_functional
from keras_rectifiers.live.layers import is_keras
from keras_rectifiers.live.rectifiers import CALLED
from keras_rectifiers.live.rectifiers import LiveRectifier
from keras_rectifiers.live.rectifiers import find
from keras_rectifiers.live.rectifiers import placed
from keras_rectifiers.live.tap import tap
from keras_rectifiers.specs import Rectifier
from keras_rectifiers.specs import Shape


class Trace:
    """The rectifiers of a model, and what each takes every time that it is called.

    Args:
        model: A built Keras model; not changed.

    Attributes:
        rectifiers: Those that layers are or hold, then those that Python code calls.

    Raises:
        UnsupportedModelError: It is not built, or cannot run on symbolic tensors.
    """

    def __init__(self, model: Any) -> None:
        self._calls: dict[int, list[Shape]] = {}
        self._posts: list[tuple[int, Any]] = []
        self._ends: set[int] = set()
        self._called: dict[tuple[int, Calling], LiveRectifier] = {}
        self._placed = {id(each.member): (each, axis) for each, axis in placed(model)}
        held = find(model)
        args, kwargs = _inputs(model)
        try:
            with tap(held, self._receive), watched(self._receive_call):
                compute_output_spec(self._running(model), *args, **kwargs)
        except (TypeError, ValueError, NotImplementedError, AttributeError) as error:
            raise UnsupportedModelError(_not_symbolic(model, error)) from error
        self._posts.clear()
        self.rectifiers = (*held, *self._called.values())

    def _running(self, model: Any) -> Callable[..., Any]:
        def run(*args: Any, **kwargs: Any) -> Any:
            outputs = model(*args, **kwargs)
            ends = {id(each) for each in keras.tree.flatten(outputs)}
            self._ends = {key for key, post in self._posts if id(post) in ends}
            return outputs

        return run

    def _receive(self, rectifier: LiveRectifier, _: Any, post: Any) -> None:
        shape = (None, *(_length(each) for each in post.shape[1:]))
        self._calls.setdefault(id(rectifier), []).append(shape)
        self._posts.append((id(rectifier), post))

    def _receive_call(
        self, layer: Any, calling: Calling, function: Rectifier, pre: Any, post: Any
    ) -> None:
        if id(layer) not in self._placed:
            return
        each, axis = self._placed[id(layer)]
        key = id(layer), calling
        if key not in self._called:
            path = "/".join(filter(None, (each.path, f"{calling.name}:{calling.line}")))
            number = 1 + sum(one.path == path for one in self._called.values())
            self._called[key] = LiveRectifier(
                path if number == 1 else f"{path}#{number}",
                CALLED,
                layer,
                function,
                channel_axis=axis,
                position=each.position,
                calling=calling,
            )
        self._receive(self._called[key], pre, post)

    def shapes(self, rectifier: LiveRectifier) -> tuple[Shape, ...]:
        """The shape at each call of a rectifier; none where nothing calls it."""
        return tuple(self._calls.get(id(rectifier), ()))

    def ends(self, rectifier: LiveRectifier) -> bool:
        """Whether the model puts out what a rectifier gives."""
        return id(rectifier) in self._ends


def seen(model: Any) -> tuple[LiveRectifier, ...]:
    """Every rectifier of a model that can be watched, those of Python code included.

    Args:
        model: A Keras model; not changed. Where it is not built, or cannot run on
            symbolic tensors, those that its layers are or hold.
    """
    if all(is_keras(each) for each in flat(model)):
        return find(model)
    try:
        return Trace(model).rectifiers
    except UnsupportedModelError:
        return find(model)


#: What JAX and torch are given for a length that is not known (Keras' own choice).
_FILLED = (83, 89)


def _length(axis: Any) -> int | None:
    known = isinstance(axis, int) and axis not in _FILLED
    return axis if known else None


def _not_symbolic(model: Any, error: Exception) -> str:
    first = " ".join(str(error).split()).split(". ")[0]
    return (
        "A model must run on symbolic tensors, so that the shapes inside it are known. "
        f"Received: {model.name!r} of class {type(model).__name__}, which does not "
        f"({type(error).__name__}: {first})."
    )


def _inputs(model: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Symbolic tensors as a model takes them: positional ones and named ones."""
    if is_functional(model):
        return (keras.tree.map_structure(_like, model._inputs_struct),), {}
    shapes = model._build_shapes_dict
    if not model.built or not shapes:
        raise UnsupportedModelError(
            "A model must be built, so that the shapes inside it are known. Received: "
            f"{model.name!r} of class {type(model).__name__}, which was never called. "
            "Call it once on a batch of data."
        )
    made = {
        key.removesuffix("_shape"): keras.tree.map_shape_structure(_symbolic, shape)
        for key, shape in shapes.items()
    }
    if len(made) == 1:
        return tuple(made.values()), {}
    return (), made


def _like(tensor: Any) -> keras.KerasTensor:
    return keras.KerasTensor(tensor.shape, tensor.dtype)


def _symbolic(shape: Any) -> keras.KerasTensor:
    return keras.KerasTensor((None, *shape[1:]))
