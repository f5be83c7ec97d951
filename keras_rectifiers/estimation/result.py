"""An estimate of a whole model, as plain data that prints as a table.

Keras is never imported here.
"""

from __future__ import annotations

import dataclasses
from typing import Any
from typing import ClassVar

import numpy as np

from keras_rectifiers.diagnosis.broken import BrokenWeight
from keras_rectifiers.diagnosis.broken import named
from keras_rectifiers.estimation import layer_estimate
from keras_rectifiers.estimation.layer_estimate import LayerEstimate
from keras_rectifiers.estimation.moments import SUM
from keras_rectifiers.results import Summarized
from keras_rectifiers.tables import Part
from keras_rectifiers.tables import Table

_MEANING = (
    "P(active): expected share of positions at which a unit fires, as median "
    "(least..greatest) of the layer; it is based on the BatchNormalization directly "
    "before the rectifier, or (~) on those before a sum."
)


@dataclasses.dataclass(frozen=True, repr=False)
class Estimate(Summarized):
    """What the units of a model's rectifiers can do, from its weights alone.

    It prints as a table of layers. A model without rectifiers has an estimate
    without layers.
    """

    COLUMNS: ClassVar[tuple[str, ...]] = layer_estimate.COLUMNS

    #: Name of the model.
    model: str
    #: One entry for each rectifier, in the model's order.
    layers: tuple[LayerEstimate, ...]
    #: The range of inputs that the proofs hold for, in words; empty for any input.
    inputs: str = ""
    #: Weights that are NaN or infinite, of all layers; often none.
    broken: tuple[BrokenWeight, ...] = ()

    @property
    def rows(self) -> list[dict[str, Any]]:
        """One dict for each unit: `layer, unit, p_active, lower, upper, slope,
        verdict`.
        """  # noqa: D205 - the keys are what matters
        return [row for layer in self.layers for row in layer.rows()]

    @property
    def units(self) -> int:
        """Number of units of all layers."""
        return sum(layer.units for layer in self.layers)

    def count(self, *words: str) -> int:
        """Number of units with one of the verdicts, such as `"dead"`."""
        return sum(layer.count(*words) for layer in self.layers)

    def layer(self, path: str) -> LayerEstimate:
        """The layer of a path.

        Raises:
            KeyError: If there is none.
        """
        for layer in self.layers:
            if layer.layer == path:
                return layer
        raise KeyError(
            f"No rectifier {path!r} in this estimate. Choose one of: "
            f"{[layer.layer for layer in self.layers]}."
        )

    @property
    def headline(self) -> str:
        """The totals in two sentences, and a third where weights are not finite."""
        proven = ", ".join(
            f"{self.count(word)} {word}"
            for word in (layer_estimate.DEAD, layer_estimate.LEAKING)
            if word == layer_estimate.DEAD or self.count(word)
        )
        level = self.layers[0].level if self.layers else 0.0
        return (
            f"Model {self.model!r}: of {self.units} units, {proven} and "
            f"{self.count(layer_estimate.LINEAR)} linear are proven for "
            f"{self.inputs or 'every input'}. {self.count(layer_estimate.UNLIKELY)} "
            f"more are expected to fire at less than {level:g} of all positions, "
            f"according to their batch statistics.{self._broken}"
        )

    @property
    def _broken(self) -> str:
        return f" {named(self.broken)}" if self.broken else ""

    def summary(self) -> dict[str, Any]:
        """Totals and one summary for each layer, as plain data."""
        return {
            "model": self.model,
            "inputs": self.inputs,
            "not_finite": [dataclasses.asdict(each) for each in self.broken],
            "units": self.units,
            **{word: self.count(word) for word in layer_estimate.VERDICTS},
            "layers": [layer.summary() for layer in self.layers],
        }

    def parts(self) -> list[Part]:
        """The totals, a line for each layer, and what the words mean."""
        if not self.layers:
            found = f"{self.model}: no rectifier was found, so nothing is estimated."
            return [found, *([named(self.broken)] if self.broken else [])]
        told = [] if self._asks_for_range is None else [self._asks_for_range]
        return [self.headline, self._table(), *told, _MEANING]

    @property
    def _asks_for_range(self) -> str | None:
        """What to do where nothing is known of the inputs; None where something is."""
        waiting = sum(not each.bounded for each in self.layers)
        if self.inputs or not waiting:
            return None
        what = "1 layer" if waiting == 1 else f"{waiting} layers"
        return (
            f"Nothing can be proven of {what} (-) without the range of the inputs: "
            "give it with --input-range LO HI (input_range=(LO, HI)), such as 0 255 "
            "for images."
        )

    def _table(self) -> Table:
        words = [
            word
            for word in layer_estimate.VERDICTS
            if word != layer_estimate.LEAKING or self.count(word)
        ]
        numbers = ("units", *words, "P(active)", "pre-activation")
        rows = (
            (
                layer.layer,
                f"{layer.units:,}",
                *(_counted(layer, word) for word in words),
                _chances(layer),
                _range(layer),
                layer.blocked,
            )
            for layer in self.layers
        )
        return Table.of(("layer", *numbers, "blocked by"), rows, numbers=numbers)


def _counted(layer: LayerEstimate, word: str) -> str:
    """A count; a dash where the question cannot be asked."""
    unasked = (
        layer.p_active is None
        if word == layer_estimate.UNLIKELY
        else not layer.bounded and word != layer_estimate.OPEN
    )
    return "-" if unasked else f"{layer.count(word):,}"


def _chances(layer: LayerEstimate) -> str:
    if layer.p_active is None:
        return "-"
    least, middle, most = np.quantile(layer.p_active, (0, 0.5, 1))
    mark = "~" if layer.basis == SUM else ""
    return f"{mark}{middle:.2f} ({least:.2f}..{most:.2f})"


def _range(layer: LayerEstimate) -> str:
    if not layer.bounded:
        return "-"
    return f"{layer.lower.min():.3g} .. {layer.upper.max():.3g}"
