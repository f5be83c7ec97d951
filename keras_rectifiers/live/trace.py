"""Run a model on symbolic tensors, to learn the shapes inside its Python code."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import keras
from keras.src.backend import compute_output_spec

from keras_rectifiers.errors import UnsupportedModelError
from keras_rectifiers.live.called import Calling
from keras_rectifiers.live.called import watched
from keras_rectifiers.live.layers import flat
from keras_rectifiers.live.layers import is_all_keras
from keras_rectifiers.live.layers import is_functional
from keras_rectifiers.live.layers import members
from keras_rectifiers.live.rectifiers import CALLED
from keras_rectifiers.live.rectifiers import LiveRectifier
from keras_rectifiers.live.rectifiers import find
from keras_rectifiers.live.rectifiers import placed
from keras_rectifiers.live.tap import tap
from keras_rectifiers.specs import Rectifier
from keras_rectifiers.specs import Shape


class Trace:
    """The rectifiers of a model, and what each takes every time that it is called.

    A model without a `call` (a GAN that holds two others) is traced part by part.

    Args:
        model: A built Keras model; not changed.

    Attributes:
        rectifiers: Those that layers are or hold, then those that Python code calls.
        complete: Whether the model ran to its end. Where its code takes neither
            symbolic tensors nor zeros, what was seen until then is kept.

    Raises:
        UnsupportedModelError: It is not built.
    """

    def __init__(self, model: Any) -> None:
        self.complete = True
        self._calls: dict[int, list[Shape]] = {}
        self._posts: list[tuple[int, Any]] = []
        self._ends: set[int] = set()
        self._called: dict[tuple[int, Calling], LiveRectifier] = {}
        self._placed = {id(each.member): (each, axis) for each, axis in placed(model)}
        held = find(model)
        with tap(held, self._receive), watched(self._receive_call):
            for part in _parts(model):
                self._run(part)
        self._posts.clear()
        self.rectifiers = (*held, *self._called.values())

    def _run(self, part: Any) -> None:
        args, kwargs = _inputs(part)

        def run(*args: Any, **kwargs: Any) -> Any:
            outputs = part(*args, **kwargs)
            ends = {id(each) for each in keras.tree.flatten(outputs)}
            self._ends |= {key for key, post in self._posts if id(post) in ends}
            return outputs

        before = {key: list(shapes) for key, shapes in self._calls.items()}
        try:
            compute_output_spec(run, *args, **kwargs)
        except Exception:  # noqa: BLE001 - what a user's code raises
            self._calls = before
            self.complete &= _run_on_zeros(run, args, kwargs)

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
        model: A Keras model; not changed. Where it is not built, those that its layers
            are or hold.
    """
    if is_all_keras(model):
        return find(model)
    try:
        return Trace(model).rectifiers
    except UnsupportedModelError:
        return find(model)


def _parts(model: Any) -> Iterator[Any]:
    """A model, or the outermost parts of it that can be called."""
    if type(model).call is not keras.Model.call:
        yield model
        return
    for part in members(model):
        yield from _parts(part)


def _run_on_zeros(run: Any, args: Any, kwargs: Any) -> bool:
    """Run code that does not take symbolic tensors; no variable is changed."""
    try:
        with keras.StatelessScope():
            args, kwargs = keras.tree.map_structure(_zeros, (args, kwargs))
            run(*args, **kwargs)
    except Exception:  # noqa: BLE001 - what a user's code raises
        return False
    return True


def _zeros(tensor: Any) -> Any:
    shape = [1, *(_FREE if each is None else each for each in tensor.shape[1:])]
    return keras.ops.zeros(shape, tensor.dtype)


#: Length given to an axis that a model leaves open.
_FREE = 8
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
    if not shapes:
        raise UnsupportedModelError(_unknown(model))
    made = {
        key.removesuffix("_shape"): keras.tree.map_shape_structure(_symbolic, shape)
        for key, shape in shapes.items()
    }
    if len(made) == 1:
        return tuple(made.values()), {}
    return (), made


def _unknown(model: Any) -> str:
    inside = [each for each in flat(model) if each is not model]
    named = f"{model.name!r} of class {type(model).__name__}"
    if inside and all(each.built for each in inside):
        return (
            "A model must know its input shapes, so that a copy of it can be built. "
            f"Received: {named}, whose call does not run on symbolic tensors. Give "
            "the class a build(self, input_shape) method that builds its layers."
        )
    return (
        f"A model must be built, so that its shapes are known. Received: {named}, "
        "which was never called. Call it once on a batch of data."
    )


def _like(tensor: Any) -> keras.KerasTensor:
    return keras.KerasTensor(tensor.shape, tensor.dtype)


def _symbolic(shape: Any) -> keras.KerasTensor:
    return keras.KerasTensor((None, *shape[1:]))
