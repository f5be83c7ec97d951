"""Conversion of dead units alone: a diagnosis as the `where=` of a plan."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from keras_rectifiers import specs
from keras_rectifiers.diagnosis import widths
from keras_rectifiers.diagnosis.layer_diagnosis import LayerDiagnosis
from keras_rectifiers.diagnosis.result import Diagnosis
from keras_rectifiers.diagnosis.verdicts import DEAD
from keras_rectifiers.errors import SelectionError
from keras_rectifiers.graph.sites import Site
from keras_rectifiers.specs import Cannot


@dataclasses.dataclass(frozen=True)
class OnlyDead:
    """Takes the sites with dead units, and of each the channels of these.

    Args:
        diagnosis: A diagnosis of the model, with its channels as units.

    Raises:
        TypeError: It is not a diagnosis.
        SelectionError: No unit in it is dead.
    """

    diagnosis: Diagnosis

    def __post_init__(self) -> None:
        if not isinstance(self.diagnosis, Diagnosis):
            raise TypeError(
                "where must be a callable site -> bool, or a Diagnosis. Received: "
                f"{self.diagnosis!r} of type {type(self.diagnosis).__name__}. Create "
                "one with keras_rectifiers.diagnose(model, data)."
            )
        if not self.diagnosis.count(DEAD):
            raise SelectionError(
                "A diagnosis passed as where= must have dead units. Received: the "
                f"diagnosis of {self.diagnosis.model!r}, in which none of "
                f"{self.diagnosis.units} units are dead. There is nothing to convert."
            )

    def _seen(self, site: Site) -> list[LayerDiagnosis]:
        """What a site did: one entry, or one for each of its widths."""
        return [
            layer
            for layer in self.diagnosis.layers
            if widths.is_of(layer.layer, site.path, layer.units)
        ]

    def __call__(self, site: Site) -> bool:
        """Whether a site has dead units.

        Raises:
            SelectionError: The diagnosis counted other units than its channels.
        """
        seen = self._seen(site)
        if not any(layer.dead for layer in seen):
            return False
        layer = seen[0]
        known = {width for width in site.widths if width is not None}
        shape = layer.unit_shape or (layer.units,)
        if len(known) == 1 and (len(shape) > 1 or layer.units not in known):
            raise SelectionError(
                "The units of a diagnosis passed as where= must be the channels of "
                f"each rectifier. Received: {layer.units} units for {site.path!r}, "
                f"which has {known.pop()} channels. Run diagnose on this model with "
                "the default axes."
            )
        return True

    def why(self, site: Site) -> str:
        """Why a site is left as it is."""
        seen = self._seen(site)
        if not seen:
            return "the diagnosis has not seen it"
        return f"none of its {sum(layer.units for layer in seen)} units are dead"

    def channels(self, site: Site) -> tuple[int, ...] | Cannot:
        """The channels of a site's dead units.

        Args:
            site: A site that this predicate takes, at one of its widths.
        """
        seen = [each for each in self._seen(site) if each.units == site.channels]
        if not seen:
            return Cannot("units", "its calls have different numbers of channels")
        return tuple(int(unit) for unit in np.flatnonzero(seen[0].verdicts == DEAD))

    def check_target(self, to: Any) -> None:
        """Refuse a target that has one slope for all units.

        Raises:
            ValueError: It is the Leaky ReLU.
        """
        if to == specs.LEAKY_RELU:
            raise ValueError(
                "where=<a diagnosis> needs a target with a slope for each unit. "
                f"Received: to={to!r}. Pass to='prelu', with trainable=False for "
                "fixed slopes; or where=lambda site: ... for whole layers."
            )

    def check(self, sites: Sequence[Site]) -> None:
        """Refuse a diagnosis of another model.

        Args:
            sites: All rectifiers of the model.

        Raises:
            SelectionError: None of its dead units is in one of them.
        """
        paths = [site.path for site in sites]
        dead = [layer.layer for layer in self.diagnosis.layers if layer.dead]
        if not any(layer.dead for site in sites for layer in self._seen(site)):
            raise SelectionError(
                "A diagnosis passed as where= must belong to this model. Received: "
                f"the diagnosis of {self.diagnosis.model!r}, with dead units in "
                f"{', '.join(dead[:3])}; the model's rectifiers are "
                f"{', '.join(paths[:3]) or 'none'}. Run diagnose on this model."
            )
