"""A model whose slopes are variables, and what changes when they are set.

The trial is a conversion to PReLU: with slopes 0 it is the original, bit for bit,
and no value of a slope makes anything compile again.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np

from keras_rectifiers.errors import SelectionError
from keras_rectifiers.graph.sites import Site
from keras_rectifiers.layers import PReLU
from keras_rectifiers.live.layers import flat
from keras_rectifiers.surgery import prelus
from keras_rectifiers.surgery.live import LiveModel
from keras_rectifiers.surgery.plan import Plan
from keras_rectifiers.surgery.plan import make_plan
from keras_rectifiers.surgery.replacements import Target
from keras_rectifiers.surgery.selection import Selection

#: A trial's PReLU starts at its site's number above this, by which it is found.
_MARK = 1_000_000


class Trial:
    """A copy of a model in which slopes can be tried.

    Args:
        model: A Functional or Sequential model; not changed.
        selection: The sites to give slopes.

    Raises:
        SelectionError: There is no site that can have a slope.
    """

    def __init__(self, model: Any, selection: Selection) -> None:
        #: The original.
        self.opened = LiveModel(model)
        self._selection = selection
        numbers: dict[str, int] = {}
        #: The plan of the trial: its steps are the sites that can have slopes.
        self.plan = self.planned(Target(lambda site: _marked(site, numbers)))
        if not self.plan.steps:
            raise SelectionError(
                "Calibration needs at least one ReLU whose channels are known. "
                f"Received: {model.name!r}: {self.plan.summary} See plan(model)."
            )
        self.model = self.opened.apply(self.plan)
        names = {number: path for path, number in numbers.items()}
        self._layers: dict[str, list[Any]] = {path: [] for path in self.sites}
        for layer in flat(self.model):
            number = _number(layer)
            if number in names:
                self._layers[names[number]].append(layer)
        self.set_slopes(dict.fromkeys(self.sites, 0.0))

    def planned(self, target: Target) -> Plan:
        """The plan that gives the sites, and no others, a target."""
        return make_plan(self.opened, target, self._selection)

    @property
    def sites(self) -> tuple[str, ...]:
        """Paths of the sites that have slopes, in the order of the model."""
        return tuple(step.site.path for step in self.plan.steps)

    def site_of(self, layer: Any) -> str | None:
        """Path of the site of a layer of the trial, None for others."""
        for site, layers in self._layers.items():
            if any(layer is each for each in layers):
                return site
        return None

    def set_slopes(self, slopes: Mapping[str, float]) -> None:
        """Give sites slopes.

        Args:
            slopes: Slope by path; a site that is absent keeps its own.
        """
        for site, slope in slopes.items():
            for layer in self._layers[site]:
                layer.alpha.assign(np.full(layer.alpha.shape, slope, "float32"))


def _marked(site: Site, numbers: dict[str, int]) -> Any:
    """A PReLU that starts at the value of its site; None where it is not possible."""
    if not site.shapes or any(width is None for width in site.widths):
        return None
    rank = max(len(shape) for shape in site.shapes if shape is not None)
    number = numbers.setdefault(site.path, _MARK + len(numbers))
    return PReLU(
        alpha_initializer=keras.initializers.Constant(number),
        max_value=site.max_value,
        **prelus.axes(site, rank),
    )


def _number(layer: Any) -> int | None:
    if not isinstance(layer, PReLU) or not layer.built:
        return None
    alpha = keras.ops.convert_to_numpy(layer.alpha)
    return int(alpha.flat[0]) if alpha.size else None
