"""Run a model on symbolic tensors, to learn the shapes inside its Python code."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import keras
from keras.src.backend import compute_output_spec

from keras_rectifiers.errors import UnsupportedModelError
from keras_rectifiers.live.layers import is_functional
from keras_rectifiers.live.rectifiers import LiveRectifier
from keras_rectifiers.live.tap import tap
from keras_rectifiers.specs import Shape


class Trace:
    """What the rectifiers of a model take, each time that they are called.

    Args:
        model: A built Keras model; not changed.
        rectifiers: Those to watch.

    Raises:
        UnsupportedModelError: It is not built, or cannot run on symbolic tensors.
    """

    def __init__(self, model: Any, rectifiers: Iterable[LiveRectifier]) -> None:
        self._calls: dict[int, list[Shape]] = {}
        self._ends: set[int] = set()
        posts: list[tuple[int, Any]] = []

        def receive(rectifier: LiveRectifier, pre: Any, post: Any) -> None:
            shape = (None, *(_length(each) for each in post.shape[1:]))
            self._calls.setdefault(id(rectifier), []).append(shape)
            posts.append((id(rectifier), post))

        def run(*args: Any, **kwargs: Any) -> Any:
            outputs = model(*args, **kwargs)
            ends = {id(each) for each in keras.tree.flatten(outputs)}
            self._ends = {key for key, post in posts if id(post) in ends}
            return outputs

        args, kwargs = _inputs(model)
        try:
            with tap(rectifiers, receive):
                compute_output_spec(run, *args, **kwargs)
        except (TypeError, ValueError, NotImplementedError, AttributeError) as error:
            first = " ".join(str(error).split()).split(". ")[0]
            raise UnsupportedModelError(
                "A model must run on symbolic tensors, so that the shapes inside it "
                f"are known. Received: {model.name!r} of class {type(model).__name__}, "
                f"which does not ({type(error).__name__}: {first})."
            ) from error

    def shapes(self, rectifier: LiveRectifier) -> tuple[Shape, ...]:
        """The shape at each call of a rectifier; none where nothing calls it."""
        return tuple(self._calls.get(id(rectifier), ()))

    def ends(self, rectifier: LiveRectifier) -> bool:
        """Whether the model puts out what a rectifier gives."""
        return id(rectifier) in self._ends


#: What JAX and torch are given for a length that is not known (Keras' own choice).
_FILLED = (83, 89)


def _length(axis: Any) -> int | None:
    known = isinstance(axis, int) and axis not in _FILLED
    return axis if known else None


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
