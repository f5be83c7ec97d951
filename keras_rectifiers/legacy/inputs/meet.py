"""What every layer of a document meets, once a shape that is not stated is guessed."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Sequence

from keras_rectifiers.graph.calls import Call
from keras_rectifiers.graph.calls import Calls
from keras_rectifiers.graph.calls import Stated
from keras_rectifiers.graph.document import Entry
from keras_rectifiers.graph.document import Place
from keras_rectifiers.graph.document import name_of
from keras_rectifiers.graph.inference.shapes import Shapes
from keras_rectifiers.graph.inference.sizes import TensorSpec
from keras_rectifiers.graph.survey import Survey
from keras_rectifiers.legacy.inputs.asks import Asks
from keras_rectifiers.legacy.inputs.asks import asks_of
from keras_rectifiers.legacy.inputs.asks import lengths_of
from keras_rectifiers.legacy.weights.arrange import Placed
from keras_rectifiers.specs import Shape

#: Most layers that are met in all trials of a file; a Sequential of a thousand layers
#: is tried on within a fifth of it.
_MOST = 300_000


#: Is called with a layer and its input tensors; may return its outputs.
Instead = Callable[[Entry, list[TensorSpec]], list[TensorSpec] | None]


class TooManyTrialsError(Exception):
    """A document is too long for shapes to be tried on."""


@dataclasses.dataclass(frozen=True)
class Met:
    """What a layer meets in a trial.

    Attributes:
        name: The layer's name.
        class_name: Its class.
        asks: What it asks of its input.
        shape: What it gets, as far as that is known.
    """

    name: str
    class_name: str
    asks: Asks
    shape: Shape | None


class _Trial(Shapes):
    """The shapes in a trial, which follow from what the model takes alone.

    Args:
        calls: The calls of a model.
        given: What the model takes, where it does not state it.
        instead: May say what comes out of a layer, whatever its class.
    """

    def __init__(
        self, calls: Calls, given: Sequence[TensorSpec], instead: Instead | None
    ) -> None:
        self._instead = instead
        #: Numbers of the calls of which `instead` says what comes out.
        self.replaced: set[int] = set()
        super().__init__(calls, given)

    def chosen(self, call: Call, stated: Sequence[Stated]) -> Sequence[TensorSpec]:
        """What is inferred of the outputs of a call, and what is stated of others."""
        found = self.inferred(call)
        found += [TensorSpec()] * (len(stated) - len(found))
        for index, each in enumerate(stated):
            if found[index].shape is None:
                found[index] = TensorSpec(each.shape, found[index].dtype)
        return found

    def inferred(self, call: Call) -> list[TensorSpec]:
        """What a call puts out, or is said to."""
        if self._instead is not None:
            found = self._instead(call.place.entry, self.takes(call))
            if found is not None:
                self.replaced.add(call.number)
                return found
        return super().inferred(call)


class Trials:
    """Goes through a document, again and again, but not forever.

    Args:
        document: A modern document.
        placed: Every stored array.

    Attributes:
        calls: The calls of the document.
    """

    def __init__(self, document: Entry, placed: Iterable[Placed]) -> None:
        self.calls = Survey(document).calls
        self._lengths = lengths_of(placed)
        self._asks: dict[int, Asks] = {}
        self._left = _MOST

    def __call__(
        self, given: Sequence[TensorSpec], instead: Instead | None = None
    ) -> list[Met]:
        """What every layer meets, in the same order each time.

        Args:
            given: What the model takes, where it does not state it.
            instead: May say what comes out of a layer, whatever its class.

        Raises:
            TooManyTrialsError: It was gone through too often.
        """
        if self._left < 0:
            raise TooManyTrialsError
        shapes = _Trial(self.calls, given, instead)
        met = [
            self._met(place.entry, shapes.first(call, steps))
            for call in self.calls
            if call.number not in shapes.replaced
            for place, steps in self._opened(call)
        ]
        self._left -= len(met)
        return met

    def _opened(self, call: Call) -> Iterator[tuple[Place, int]]:
        """The wrappers that are opened for a call, and what runs; how deep each is."""
        place: Place | None = call.member
        steps = call.around[-1].steps if call.around else 0
        while place is not None and steps <= call.steps:
            yield place, steps
            place, steps = self.calls.view.below(place), steps + 1

    def _met(self, entry: Entry, taken: TensorSpec | None) -> Met:
        shape = None if taken is None else taken.shape
        name, class_name = name_of(entry), str(entry["class_name"])
        return Met(name, class_name, self._asked(entry), shape)

    def _asked(self, entry: Entry) -> Asks:
        if id(entry) not in self._asks:
            self._asks[id(entry)] = asks_of(entry, self._lengths)
        return self._asks[id(entry)]
