"""Check the arrays of a weights file against what its model builds, without Keras.

Keras opens a file if every layer finds the same number of arrays as it has variables,
in its own group and of the right shapes; arrays in groups that no layer reads are lost
silently. Both are checked here from the config and the file's metadata.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Mapping
from typing import Any

from keras_rectifiers.errors import ArchiveError
from keras_rectifiers.graph import capped
from keras_rectifiers.graph.document import Entry
from keras_rectifiers.graph.document import Place
from keras_rectifiers.graph.document import is_layer
from keras_rectifiers.graph.document import walk
from keras_rectifiers.graph.variables.shapes import fits
from keras_rectifiers.graph.variables.shapes import shape_text
from keras_rectifiers.graph.variables.table import variables_of
from keras_rectifiers.graph.variables.variable import Variable
from keras_rectifiers.surgery.builds import builds
from keras_rectifiers.surgery.builds import stated_inputs
from keras_rectifiers.surgery.lengths import lengths_of
from keras_rectifiers.surgery.lengths import slopes_shape
from keras_rectifiers.surgery.marks import MARK

Group = tuple[str, ...]
#: Where each array is -> its shape.
Arrays = Mapping[Group, tuple[int, ...]]

#: Groups at the root that belong to no layer.
OUTSIDE = ("optimizer", "metrics", "_metrics", "loss", "_loss_tracker")
#: States of random generators: some releases stored them, and none reads them.
RANDOM = ("seed_generator", "_random_generator", "random_generator")
#: Classes that read the arrays they know, and look at no others.
_LENIENT = frozenset(
    ["Discretization", "IntegerLookup", "StringLookup", "TextVectorization"]
)
_SLOT = "activation"
_SLOPES = "PReLU"


@dataclasses.dataclass(frozen=True)
class Fault:
    """What prevents a file from being opened, or is lost when it is opened.

    Attributes:
        layer: Path of the layer; `""` for an array of no layer.
        what: What is wrong, as a clause: `"has no array for its kernel"`.
        refused: Whether Keras refuses to open such a file.
    """

    layer: str
    what: str
    refused: bool = True


def faults(document: Entry, arrays: Arrays) -> list[Fault]:
    """What is wrong between a model and its arrays.

    Layers of classes that are not Keras' own, and those whose kernels are
    quantized, have whatever they have.

    Args:
        document: A model as Keras 3 writes it.
        arrays: Every array of its weights file.
    """
    return list(_Check(document, arrays).faults())


def check(
    document: Entry,
    arrays: Arrays,
    source: str,
    before: Callable[[], tuple[Entry, Arrays]] | None = None,
) -> None:
    """Refuse a file that Keras would not open, or of which it would lose something.

    Args:
        document: As for `faults`.
        arrays: As for `faults`.
        source: What the file was made from, for the message.
        before: Gives the same of what it was made from; arrays that belonged to no
            layer there may be there still.

    Raises:
        ArchiveError: Names the first layer, and what is wrong there.
    """
    found = faults(document, arrays)
    if before is not None and found and not any(each.refused for each in found):
        known = [each for each in faults(*before()) if not each.refused]
        found = found[: len(found) - len(known)]
    for fault in found:
        who = f"the layer {fault.layer!r}" if fault.layer else "the weights file"
        raise ArchiveError(
            "Every variable of a model must have an array in the file, and every "
            f"array a variable. Received: {source!r}, where {who} {fault.what}. "
            "Nothing was written, because Keras would not open the result. Check that "
            "the config and the weights belong to the same model."
        )


class _Check:
    """One comparison.

    Args:
        document: The model.
        arrays: The arrays of its file.
    """

    def __init__(self, document: Entry, arrays: Arrays) -> None:
        self._arrays = arrays
        self._names: dict[Group, list[str]] = {}
        for group in arrays:
            self._names.setdefault(group[:-1], []).append(group[-1])
        places = list(walk(document))
        #: Where the weights of a shared layer may be, which may be in a slot, too.
        self._shared: dict[object, set[Group]] = {}
        for place in places:
            slot = place.config.get(_SLOT)
            for entry, inside in ((place.entry, ()), (slot, (_SLOT,))):
                mark = entry.get(MARK) if isinstance(entry, dict) else None
                if mark is not None:
                    groups = self._shared.setdefault(mark, set())
                    groups.add((*place.group, *inside))
        self._builds = builds(document)
        self._places: dict[tuple[Any, ...], list[Place]] = {}
        for place in places:
            if (place.parent is None or place.group) and is_layer(place.entry):
                self._places.setdefault(place.identity, []).append(place)
        #: Arrays that a layer reads.
        self._claimed: set[Group] = set()
        #: Groups below which anything may be.
        self._open: set[Group] = set()

    def faults(self) -> Iterator[Fault]:
        for spots in self._places.values():
            # A shared layer is stored in whichever of its places Keras met first.
            found = [list(self._layer(place)) for place in spots]
            if all(found):
                yield from found[0]
        for group in self._arrays:
            if group not in self._claimed and not self._is_apart(group):
                what = f"has the array {'/'.join(group)!r}, which no layer reads"
                yield Fault("", what, refused=False)

    def _layer(self, place: Place) -> Iterator[Fault]:
        every = variables_of(place.entry)
        if every is None or self._is_open(place.group[:-1]):
            self._open.add(place.group)
            return
        lengths = lengths_of(place.entry, self._builds[place.address].inputs)
        groups = {(*place.group, "vars")}
        for variable in every:
            group = (*place.group, *variable.group)
            groups.add(group[:-1])
            each = self._built(place, variable)
            if each is not None:
                self._claimed.add(group)
                yield from self._array(place, each, lengths)
        yield from self._surplus(place, groups, unbuilt=bool(every))

    def _built(self, place: Place, variable: Variable) -> Variable | None:
        """A variable that a layer has once Keras opened the file, with its shape."""
        entry, build = place.entry, self._builds[place.address]
        inputs, built = build.inputs, build.built
        if _SLOT in variable.group:
            # Keras builds what is in a slot at its first call, unless it is built
            # before.
            entry = capped.rectifier(place.config[_SLOT])
            inputs, built = stated_inputs(entry), bool(entry.get("build_config"))
        if not built or variable.in_config:
            return None
        if entry.get("class_name") == _SLOPES:
            return dataclasses.replace(variable, shape=slopes_shape(entry, inputs))
        return variable

    def _array(
        self, place: Place, variable: Variable, lengths: dict[str, int]
    ) -> Iterator[Fault]:
        """The array of one variable."""
        shape = self._arrays.get((*place.group, *variable.group))
        if shape is None and self._is_elsewhere(place, variable):
            return
        if shape is None:
            yield Fault(place.path, f"has no array for its {variable.name}")
            return
        expected = variable.shape
        if variable.twin:
            expected = self._arrays.get((*place.group, *variable.twin), expected)
        if not fits(expected, shape, lengths):
            what = (
                f"has an array of shape {shape_text(shape)} for its {variable.name}, "
                f"whose shape is {shape_text(expected, lengths)}"
            )
            yield Fault(place.path, what)

    def _is_elsewhere(self, place: Place, variable: Variable) -> bool:
        """Whether another place of the same layer has the array."""
        entry, below = place.entry, variable.group
        if _SLOT in below:
            entry, below = place.config[_SLOT], below[below.index(_SLOT) + 1 :]
        groups = self._shared.get(entry.get(MARK), ())
        return any((*group, *below) in self._arrays for group in groups)

    def _surplus(
        self, place: Place, groups: set[Group], *, unbuilt: bool
    ) -> Iterator[Fault]:
        """Arrays in the groups that a layer reads that are not among its variables."""
        lenient = place.entry.get("class_name") in _LENIENT
        lenient = lenient or bool(place.config.get("lora_rank"))
        left = [
            (*group, name)
            for group in groups
            for name in self._names.get(group, ())
            if (*group, name) not in self._claimed
        ]
        self._claimed.update(left)
        if not left or lenient:
            return
        if unbuilt and not self._builds[place.address].built:
            what = (
                "has weights, but Keras would not build it, because the model does "
                "not state the shape of its input"
            )
        else:
            what = f"has the array {'/'.join(min(left))!r}, and no variable for it"
        yield Fault(place.path, what)

    def _is_apart(self, group: Group) -> bool:
        if group[0] in OUTSIDE or set(group) & set(RANDOM):
            return True
        return self._is_open(group)

    def _is_open(self, group: Group) -> bool:
        return any(group[:depth] in self._open for depth in range(len(group) + 1))
