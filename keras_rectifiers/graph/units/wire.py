"""Producers and consumers of each unit, found by walking a document's graphs.

Forward through what keeps units apart, to the kernels that take them up; backward
to the kernels that make them. A weight belongs to a unit only if nothing else in
the model depends on the entries in question; where that cannot be said, the answer
is a `Cannot`. Keras is never imported.
"""

from __future__ import annotations

from keras_rectifiers.graph.inference.shapes import Shapes
from keras_rectifiers.graph.sites import Found
from keras_rectifiers.graph.survey import Survey
from keras_rectifiers.graph.units.consumers import Consumers
from keras_rectifiers.graph.units.parts import Consumer
from keras_rectifiers.graph.units.parts import Part
from keras_rectifiers.graph.units.parts import Passed
from keras_rectifiers.graph.units.parts import Producer
from keras_rectifiers.graph.units.parts import UnitWiring
from keras_rectifiers.graph.units.producers import Producers
from keras_rectifiers.specs import Cannot
from keras_rectifiers.specs import CannotError

__all__ = [
    "Consumer",
    "Part",
    "Passed",
    "Producer",
    "UnitWiring",
    "consumers",
    "producers",
    "wire",
]


def wire(survey: Survey) -> dict[str, UnitWiring]:
    """The wiring of every rectifier of a model.

    Args:
        survey: The document, as `surgery.live.survey` gives it.

    Returns:
        One entry for each rectifier, by its path.
    """
    return {
        found.site.path: UnitWiring(
            found.site.path,
            found.site.channels,
            producers(survey.guessed_shapes, found),
            consumers(survey.guessed_shapes, found),
        )
        for found in survey.found
    }


def producers(shapes: Shapes, found: Found) -> tuple[Producer, ...] | Cannot:
    """The incoming weights of a rectifier's units.

    Args:
        shapes: The calls of the model, and the shapes of their tensors.
        found: The rectifier, as `Survey.found` has it for the same document.

    Returns:
        Kernel and bias of the layer that makes the units, and the affine of the
        normalization between, as far as nothing else depends on them.
    """
    try:
        return Producers(shapes, found).parts()
    except CannotError as error:
        return error.cannot


def consumers(shapes: Shapes, found: Found) -> tuple[Consumer, ...] | Cannot:
    """The outgoing weights of a rectifier's units.

    Args:
        shapes: The calls of the model, and the shapes of their tensors.
        found: The rectifier, as `Survey.found` has it for the same document.

    Returns:
        Every weight that the units' outputs are multiplied with.
    """
    try:
        return Consumers(shapes, found).parts()
    except CannotError as error:
        return error.cannot
