"""What every layer of a document meets, once a shape that is not stated is guessed."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from collections.abc import Sequence

from keras_rectifiers.graph.document import Entry
from keras_rectifiers.graph.document import is_model
from keras_rectifiers.graph.document import name_of
from keras_rectifiers.graph.inference.sizes import TensorSpec
from keras_rectifiers.legacy.dialects.tensorflow.rewriter import Watch
from keras_rectifiers.legacy.dialects.tensorflow.rewriter import follow
from keras_rectifiers.legacy.inputs.asks import Asks
from keras_rectifiers.legacy.inputs.asks import asks_of
from keras_rectifiers.legacy.inputs.asks import lengths_of
from keras_rectifiers.legacy.weights.arrange import Placed
from keras_rectifiers.specs import Shape

#: Most layers that are met in all trials of a file; a Sequential of a thousand layers
#: is tried on within a fifth of it.
_MOST = 300_000


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


class Trials:
    """Goes through a document, again and again, but not forever.

    Args:
        document: A modern document.
        placed: Every stored array.
    """

    def __init__(self, document: Entry, placed: Iterable[Placed]) -> None:
        self._document = document
        self._lengths = lengths_of(placed)
        self._asks: dict[int, Asks] = {}
        self._left = _MOST

    def __call__(
        self, given: Sequence[TensorSpec], instead: Watch | None = None
    ) -> list[Met]:
        """What every layer meets, in the same order each time.

        Args:
            given: What the model takes, where it does not state it.
            instead: May say what comes out of a call, whatever its class.

        Raises:
            TooManyTrialsError: It was gone through too often.
        """
        if self._left < 0:
            raise TooManyTrialsError
        met: list[Met] = []

        def watch(entry: Entry, tensors: list[TensorSpec]) -> list[TensorSpec] | None:
            told = None if instead is None else instead(entry, tensors)
            if told is None and not is_model(entry):
                shape = tensors[0].shape if tensors else None
                class_name = str(entry["class_name"])
                asks = self._asked(entry)
                met.append(Met(name_of(entry), class_name, asks, shape))
            return told

        follow(self._document, list(given), watch)
        self._left -= len(met)
        return met

    def _asked(self, entry: Entry) -> Asks:
        if id(entry) not in self._asks:
            self._asks[id(entry)] = asks_of(entry, self._lengths)
        return self._asks[id(entry)]
