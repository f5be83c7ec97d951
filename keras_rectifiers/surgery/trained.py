"""The variables of a saved model that its optimizer trains, in Keras' order."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from collections.abc import Mapping
from typing import Any

from keras_rectifiers.graph.document import Entry
from keras_rectifiers.graph.document import Place
from keras_rectifiers.graph.document import config_of
from keras_rectifiers.graph.layout import stored
from keras_rectifiers.graph.sites import ATTRIBUTE
from keras_rectifiers.graph.variables.table import is_known
from keras_rectifiers.graph.variables.table import variables_of
from keras_rectifiers.graph.variables.variable import Variable
from keras_rectifiers.graph.wellformed import MALFORMED
from keras_rectifiers.surgery.rewrite import Holder
from keras_rectifiers.surgery.rewrite import Rewritten

#: Layers whose own flag does not reach the layers inside them, when Keras 3 opens
#: a file.
_UNREACHED = frozenset(
    {"MultiHeadAttention", "GroupQueryAttention", "GroupedQueryAttention"}
)
#: What LoRA adds to a layer; Keras merges it into the kernel when it saves.
_LORA = ("lora_kernel_a", "lora_kernel_b")
#: Most numbers in one of them; a file may claim any rank.
_MOST = 1 << 26


@dataclasses.dataclass(frozen=True)
class ArrayHeader:
    """An array of a weights file."""

    shape: tuple[int, ...]
    #: `dtype.kind` of NumPy: `"f"` for floats, `"V"` for bfloat16.
    kind: str
    #: Whether the file really has the number of bytes that the shape implies.
    plain: bool = True


#: The arrays of a weights file by their names.
Arrays = Mapping[str, ArrayHeader]


@dataclasses.dataclass(frozen=True)
class TrainedVariable:
    """A variable that is trained.

    Attributes:
        path: Its path in Keras: the layer's name and its own, `"conv/kernel"`.
        shape: Its shape.
        array: Its array in the weights file; `""` where Keras stores none.
        value: What a new variable starts with; None for one of the file.
    """

    path: str
    shape: tuple[int, ...]
    array: str = ""
    value: Any = None


@dataclasses.dataclass(frozen=True)
class TrainedLayer:
    """What is trained of one layer, or of the rectifier in its attribute.

    Attributes:
        holder: Path of the layer, and the attribute in it or `""`.
        variables: Its variables in Keras' order.
        sure: Whether its class says what it trains. Of another class any of its
            arrays may be trained.
    """

    holder: Holder
    variables: tuple[TrainedVariable, ...]
    sure: bool = True

    @property
    def new(self) -> bool:
        """Whether its variables are not in the file yet."""
        return any(each.value is not None for each in self.variables)


def trained(document: Entry, arrays: Arrays) -> list[TrainedLayer]:
    """What Keras 3 trains of a model that it opens, layer by layer.

    Args:
        document: The config of a whole model.
        arrays: The arrays of its weights file.
    """
    places = list(stored(document))
    groups = {place.group for place in places}
    return [
        group
        for place in places
        if place.group
        for group in _of_place(place, arrays, groups)
        if group.variables
    ]


def holders(document: Entry) -> Iterator[tuple[Holder, Place]]:
    """What may be trained in a model, in Keras' order."""
    for place in stored(document):
        if place.group:
            yield (place.path, ""), place
            yield (place.path, ATTRIBUTE), place


def may_touch_state(old: Entry, rewritten: Rewritten) -> bool:
    """Whether a rewrite may change what is trained, or the order of it.

    Args:
        old: The document as it was.
        rewritten: What became of it.
    """
    if not old.get("compile_config"):
        return False
    if rewritten.removed or any(rewritten.replaced.values()):
        return True
    before = [place.path for place in stored(old)]
    after = [place.path for place in stored(rewritten.document)]
    common = set(before) & set(after)
    return [path for path in before if path in common] != [
        path for path in after if path in common
    ]


def trains(place: Place, attribute: str = "") -> bool:
    """Whether Keras 3 trains a layer's own variables when it opens a file.

    It goes by the flag of the whole model and by that of the layer; those of models
    and wrappers between them do not count, and a rectifier in an attribute has its own.

    Args:
        place: The layer.
        attribute: The attribute of it that holds a rectifier, or `""`.
    """
    top = place
    while top.parent is not None:
        top = top.parent
    if top.config.get("trainable") is False:
        return False
    if attribute:
        inner = place.config.get(attribute)
        return not isinstance(inner, dict) or (
            config_of(inner).get("trainable") is not False
        )
    unreached = place.entry.get("class_name") in _UNREACHED
    return unreached or place.config.get("trainable") is not False


def _of_place(
    place: Place, arrays: Arrays, groups: set[tuple[str, ...]]
) -> Iterator[TrainedLayer]:
    own, inner = _variables(place)
    yield _group(place, "", own, arrays, groups)
    yield _group(place, ATTRIBUTE, inner, arrays, groups)


def _group(
    place: Place,
    attribute: str,
    variables: list[Variable] | None,
    arrays: Arrays,
    groups: set[tuple[str, ...]],
) -> TrainedLayer:
    holder = (place.path, attribute)
    if not trains(place, attribute):
        return TrainedLayer(holder, ())
    if variables is not None:
        found = [_of_file(place, each, arrays) for each in variables]
        named = tuple(each for each in found if each is not None)
        if len(named) == len(found):
            return TrainedLayer(holder, _with_lora(place, attribute, named))
    root = (*place.group, attribute) if attribute else place.group
    any_of_them = tuple(_below(place, attribute, root, arrays, groups))
    return TrainedLayer(holder, any_of_them, sure=False)


def _variables(place: Place) -> tuple[list[Variable] | None, list[Variable] | None]:
    """What a layer, and one in its attribute, train; None for a class not known."""
    entry, held = place.entry, place.config.get(ATTRIBUTE)
    inner: list[Variable] | None = []
    if isinstance(held, dict) and isinstance(held.get("class_name"), str):
        inner = [] if is_known(held) else None
    try:
        found = variables_of(entry)
    except MALFORMED:
        found = None
    if found is None:
        return None, inner
    wanted = [
        each
        for each in found
        if each.trainable and not (each.twin or each.in_config or each.overwritten)
    ]
    if inner is not None:
        inner = [each for each in wanted if each.group[0] == ATTRIBUTE]
    return [each for each in wanted if each.group[0] != ATTRIBUTE], inner


def _of_file(
    place: Place, variable: Variable, arrays: Arrays
) -> TrainedVariable | None:
    name = "/".join((*place.group, *variable.group))
    if name not in arrays:
        return None
    path = f"{place.names[-1]}/{variable.name}"
    return TrainedVariable(path, arrays[name].shape, name)


def _with_lora(
    place: Place, attribute: str, found: tuple[TrainedVariable, ...]
) -> tuple[TrainedVariable, ...]:
    """What a layer with LoRA trains: two factors in place of its kernel."""
    rank = place.config.get("lora_rank")
    if attribute or not isinstance(rank, int) or isinstance(rank, bool) or rank <= 0:
        return found
    kept = [each for each in found if not _is_kernel(each)]
    kernel = next((each for each in found if _is_kernel(each)), None)
    if kernel is None or not kernel.shape:
        return found
    shapes = ((*kernel.shape[:-1], rank), (rank, kernel.shape[-1]))
    if any(math.prod(shape) > _MOST for shape in shapes):
        return found
    layer = kernel.path.partition("/")[0]
    return (
        *kept,
        *(
            TrainedVariable(f"{layer}/{name}", shape)
            for name, shape in zip(_LORA, shapes, strict=True)
        ),
    )


def _is_kernel(variable: TrainedVariable) -> bool:
    return variable.path.endswith(("/kernel", "/embeddings"))


def _below(
    place: Place,
    attribute: str,
    root: tuple[str, ...],
    arrays: Arrays,
    groups: set[tuple[str, ...]],
) -> Iterator[TrainedVariable]:
    """Every array of floats of one layer, other layers left out."""
    start = "/".join(root)
    inner = "" if attribute else f"{start}/{ATTRIBUTE}/"
    others = tuple(
        f"{'/'.join(group)}/"
        for group in groups
        if len(group) > len(root) and group[: len(root)] == root
    )
    for name, array in arrays.items():
        mine = name.startswith(f"{start}/") and not (
            name.startswith(others) or (inner and name.startswith(inner))
        )
        if mine and array.kind in "fV":
            path = f"{place.names[-1]}/{name[len(start) + 1 :]}"
            yield TrainedVariable(path, array.shape, name)
