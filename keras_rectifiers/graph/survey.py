"""A document with everything that several steps of a verb ask of it."""

from __future__ import annotations

import functools

from keras_rectifiers.graph import sites
from keras_rectifiers.graph.axes import Axes
from keras_rectifiers.graph.calls import Calls
from keras_rectifiers.graph.document import Entry
from keras_rectifiers.graph.inference.shapes import GuessedShapes
from keras_rectifiers.graph.inference.shapes import Shapes
from keras_rectifiers.graph.roles import Roles
from keras_rectifiers.graph.sites import Found
from keras_rectifiers.graph.view import View


class Survey:
    """What is known of a document: each part is worked out once, when it is asked for.

    A verb makes one survey of a model and hands it on.

    Args:
        document: The config of a whole model; it must not change while the survey is
            in use.
    """

    def __init__(self, document: Entry) -> None:
        self.document = document

    @functools.cached_property
    def view(self) -> View:
        """The places of the document, and the graphs of its models."""
        return View(self.document)

    @functools.cached_property
    def calls(self) -> Calls:
        """Every call of every layer, in the order of running."""
        return Calls(self.view)

    @functools.cached_property
    def axes(self) -> Axes:
        """The axis of the channels at each place."""
        return Axes(self.calls)

    @functools.cached_property
    def roles(self) -> Roles:
        """What the output of each call is there for."""
        return Roles(self.calls)

    @functools.cached_property
    def shapes(self) -> Shapes:
        """Shape and dtype of each tensor."""
        return Shapes(self.calls)

    @functools.cached_property
    def guessed_shapes(self) -> GuessedShapes:
        """The same, and channels where the model was never built."""
        return GuessedShapes(self.calls)

    @functools.cached_property
    def found(self) -> tuple[Found, ...]:
        """Every rectifier, in the order of the layers."""
        return sites.find(self.calls, self.axes, self.roles, self.guessed_shapes)
