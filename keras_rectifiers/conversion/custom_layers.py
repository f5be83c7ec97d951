"""Let Keras say where a custom layer stores the weights of the layers inside it.

The user's module is imported because the user named it; Keras builds the model from
its config, in safe mode, so that nothing in the file runs. The arrays are assigned in
the order in which the file lists them, and what Keras then saves shows their places.
"""

from __future__ import annotations

import contextlib
import io
import tempfile
import zipfile
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import h5py

from keras_rectifiers.errors import RectifierError
from keras_rectifiers.errors import UnknownClassError
from keras_rectifiers.errors import UnsupportedModelError
from keras_rectifiers.files import hdf5
from keras_rectifiers.files import members
from keras_rectifiers.graph.document import Entry
from keras_rectifiers.graph.document import group_name
from keras_rectifiers.legacy.weights import nested
from keras_rectifiers.legacy.weights.names import may_be
from keras_rectifiers.legacy.weights.shapes import listed
from keras_rectifiers.legacy.weights.write import architecture_text
from keras_rectifiers.surgery import handed


@contextlib.contextmanager
def known(custom_objects: Mapping[str, Any] | None = None) -> Iterator[None]:
    """Inside the block, custom layers that hold layers are built with Keras.

    Only where a file has such a layer, and only then is Keras imported.

    Args:
        custom_objects: Classes that are not registered, as Keras takes them.

    Example:
        >>> from keras_rectifiers.conversion import custom_layers
        >>> with custom_layers.known():
        ...     pass  # upgrade(...), convert_file(...)
    """

    def build(document: Entry, shares: Sequence[nested.Share]) -> list[Any]:
        import keras

        with keras.saving.custom_object_scope(dict(custom_objects or {})):
            return built(document, shares)

    with handed.building(build):
        yield


def built(document: Entry, shares: Sequence[nested.Share]) -> list[list[nested.Built]]:
    """What Keras stores of custom layers whose classes it knows.

    Args:
        document: The modern document.
        shares: The layers, and their arrays in the order of the file.

    Raises:
        UnsupportedModelError: A class makes other variables than the file has.
    """
    model = _model(document)
    for owner, arrays in shares:
        layer = _at(model, owner.place.group)
        if layer is None:
            raise _refusal(owner.place.path, "which Keras does not find in its model")
        _assign(layer, owner.place.path, arrays)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.keras"
        model.save(path)
        with zipfile.ZipFile(path) as zipped:
            content = io.BytesIO(zipped.read(members.WEIGHTS))
    with h5py.File(content) as file:
        return [list(_stored(file, owner.place.group)) for owner, _ in shares]


def _model(document: Entry) -> Any:
    import keras

    from keras_rectifiers.surgery import loading  # noqa: PLC0415 (Keras)

    try:
        return keras.models.model_from_json(architecture_text(document))
    except RectifierError:
        raise
    except Exception as error:
        failure = loading.explained(Path("the config"), error)
        if isinstance(failure, UnknownClassError):
            raise failure from error
        raise UnsupportedModelError(
            "Keras must be able to build a model whose custom layers contain layers. "
            "Received a model that it cannot build: "
            f"{str(error).strip().splitlines()[0]}"
        ) from error


def _at(model: Any, group: tuple[str, ...]) -> Any:
    """The layer that Keras stores in a group; its name may be another one."""
    found = model
    for part in group:
        if isinstance(found, list | tuple):
            used: dict[str, int] = {}
            named = {group_name(type(each).__name__, used): each for each in found}
            found = named.get(part)
        else:
            found = getattr(found, part, None)
    return found


def _assign(layer: Any, path: str, arrays: Sequence[Any]) -> None:
    """Give a layer its arrays, in the order in which every Keras lists weights."""
    variables = [*layer.trainable_weights, *layer.non_trainable_weights]
    shapes = [tuple(each.shape) for each in variables]
    names = [each.name for each in variables]
    same = shapes == [tuple(each.shape) for each in arrays] and all(
        may_be(array.name, name) for array, name in zip(arrays, names, strict=True)
    )
    if not same:
        made = ", ".join(f"{n} {s}" for n, s in zip(names, shapes, strict=True))
        raise _refusal(
            path,
            f"whose class {type(layer).__name__!r} creates {made or 'no variables'}, "
            f"but the file has {listed(arrays)}",
        )
    for variable, array in zip(variables, arrays, strict=True):
        variable.assign(array.read())


def _stored(file: h5py.File, group: tuple[str, ...]) -> Iterator[nested.Built]:
    """What Keras saved of one layer."""
    root = "/".join(group)
    if root not in file:
        return
    for dataset in hdf5.datasets(file[root]):
        below = tuple(str(dataset.name).strip("/").split("/"))[len(group) :]
        yield nested.Built(str(dataset.name), hdf5.read(dataset), below)


def _refusal(path: str, what: str) -> UnsupportedModelError:
    return UnsupportedModelError(
        "The class of a custom layer must create the variables that the file has for "
        f"it, in the same order. Received: the layer {path!r}, {what}. Make the class "
        "create its layers like the old class, and build them in build()."
    )
