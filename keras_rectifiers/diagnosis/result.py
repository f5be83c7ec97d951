"""A diagnosis: the units of a model, what they did, and what that means.

Plain data; Keras is never imported here.
"""

from __future__ import annotations

import dataclasses
import functools
from typing import Any
from typing import ClassVar

from keras_rectifiers.diagnosis import headlines
from keras_rectifiers.diagnosis import shown
from keras_rectifiers.diagnosis import verdicts
from keras_rectifiers.diagnosis.broken import Broken
from keras_rectifiers.diagnosis.broken import told
from keras_rectifiers.diagnosis.evidence.data import Evidence
from keras_rectifiers.diagnosis.layer_diagnosis import COLUMNS
from keras_rectifiers.diagnosis.layer_diagnosis import LayerDiagnosis
from keras_rectifiers.graph.roles import OUTPUT
from keras_rectifiers.results import Summarized
from keras_rectifiers.tables import Part


@dataclasses.dataclass(frozen=True, repr=False)
class Diagnosis(Summarized):
    """What the units of a model's rectifiers did on some data.

    It prints as a table of layers, and a notebook shows one. `a + b` is the diagnosis
    of both data sets. A model without rectifiers has a diagnosis without layers.
    """

    COLUMNS: ClassVar[tuple[str, ...]] = COLUMNS

    #: Name of the model.
    model: str
    #: One entry for each rectifier that was seen, in the model's order. A layer that is
    #: called at several widths has one for each, named `relu (64 units)`.
    layers: tuple[LayerDiagnosis, ...]
    #: Paths of rectifiers that were found and not seen: never called on this data,
    #: or only inside a loop of the compiled graph.
    unseen: tuple[str, ...] = ()
    #: What speaks for each cause of silent units; None where there are none.
    evidence: Evidence | None = None
    #: Weights and data that are NaN or infinite; often nothing.
    broken: Broken = dataclasses.field(default_factory=Broken)

    @property
    def rows(self) -> list[dict[str, Any]]:
        """One dict for each unit: `layer, unit, samples, fired, fired_fraction,
        upper_bound, positive_fraction, mean_abs, dormancy, slope, verdict`.

        Fractions are 0..1 of the samples; `slope` is that below the threshold.
        """  # noqa: D205 - the keys are what matters
        return [row for layer in self.layers for row in layer.rows()]

    @property
    def units(self) -> int:
        """Number of units of all layers."""
        return sum(layer.units for layer in self.layers)

    @property
    def samples(self) -> int:
        """Number of samples that the units have seen; 0 without layers."""
        return max((each.statistics.samples for each in self.layers), default=0)

    def count(self, *words: str) -> int:
        """Number of units with one of the verdicts, such as `"dead"`."""
        return sum(layer.count(*words) for layer in self.layers)

    @property
    def dead_fraction(self) -> float:
        """Share of all units that are dead, 0..1; 0 without units."""
        return self.count(verdicts.DEAD) / max(self.units, 1)

    @property
    def silent_fraction(self) -> float:
        """Share of all units that never fired (dead or leaking), 0..1."""
        return self.count(verdicts.DEAD, verdicts.LEAKING) / max(self.units, 1)

    @property
    def dead_outputs(self) -> tuple[str, ...]:
        """Paths of the rectifiers that make an output of the model and have dead units.

        A dead unit of an output predicts 0 for every sample.
        """
        return tuple(
            layer.layer for layer in self.layers if layer.role == OUTPUT and layer.dead
        )

    @functools.cached_property
    def waking(self) -> int | None:
        """Number of silent units that fire with the statistics of the batch.

        Moving statistics of BatchNormalization silence them, not their weights: see
        `keras_rectifiers.revival.refresh_statistics`. None where that was not looked
        at: in a model without BatchNormalization or without silent units, with fewer
        than 8 samples, or with `explain=False`.
        """
        return headlines.count_waking(self)

    @property
    def not_finite(self) -> str:
        """What is NaN or infinite, and where it began; empty where nothing is.

        Named is the first layer whose weights are not finite; where all weights are,
        the data; where they are, too, the first layer whose output is not.
        """
        layers = [layer for layer in self.layers if layer.not_finite]
        order = [each.path for each in getattr(self.evidence, "rectifiers", ())]
        layers.sort(
            key=lambda each: (
                order.index(each.layer) if each.layer in order else len(order)
            )
        )
        first = layers[0].layer if layers else ""
        units = self.count(verdicts.NOT_FINITE)
        return told(self.broken, units, self.units, self.samples, first)

    def layer(self, path: str) -> LayerDiagnosis:
        """The layer of a path.

        Raises:
            KeyError: If there is none.
        """
        for layer in self.layers:
            if layer.layer == path:
                return layer
        raise KeyError(
            f"No rectifier {path!r} in this diagnosis. "
            f"There are: {[layer.layer for layer in self.layers]}."
        )

    def summary(self) -> dict[str, Any]:
        """Totals and one summary for each layer, as plain data."""
        return {
            "model": self.model,
            "samples": self.samples,
            "units": self.units,
            "dead_fraction": self.dead_fraction,
            "silent_fraction": self.silent_fraction,
            "waking": self.waking,
            "dead_outputs": list(self.dead_outputs),
            "layers": [layer.summary() for layer in self.layers],
            "unseen": list(self.unseen),
            "not_finite": {"sentence": self.not_finite, **self.broken.summary()},
        }

    def parts(self, *, command_line: bool = False) -> list[Part]:
        """The lines and tables that it is shown as.

        Args:
            command_line: Whether it is read on the command line, where the next step
                is a command. Default False.
        """
        return shown.parts(self, command_line=command_line)

    def plot(self) -> Any:
        """The network as a picture: verdicts of each layer, and its firing rates.

        Returns:
            A `matplotlib.figure.Figure`. A notebook shows it; `savefig` keeps it.

        Raises:
            ImportError: If matplotlib is not installed.
            ValueError: If there are no layers.
        """
        from keras_rectifiers import plots  # noqa: PLC0415 - needs matplotlib

        if not self.layers:
            raise ValueError(f"There is nothing to plot. Received: {self}")
        words = [*verdicts.VERDICTS[1:], verdicts.NOT_FINITE]
        return plots.network(
            [layer.layer for layer in self.layers],
            {word: [each.count(word) for each in self.layers] for word in words},
            [
                each.statistics.fired_positions / max(each.statistics.positions, 1)
                for each in self.layers
            ],
        )

    def __add__(self, other: object) -> Diagnosis:
        """The diagnosis on both data sets.

        Raises:
            ValueError: If the two are not of the same model.
        """
        if not isinstance(other, Diagnosis):
            return NotImplemented
        mine = {layer.layer: layer for layer in self.layers}
        theirs = {layer.layer: layer for layer in other.layers}
        if {*mine, *self.unseen} != {*theirs, *other.unseen}:
            raise ValueError(
                "Diagnoses add up for one model only. Received rectifiers: "
                f"{sorted(mine)} and {sorted(theirs)}. "
                "Merge diagnoses of the same model."
            )
        order = {**mine, **theirs}
        merged = tuple(
            mine[path] + theirs[path]
            if path in mine and path in theirs
            else order[path]
            for path in order
        )
        unseen = tuple(path for path in self.unseen if path not in order)
        evidence = other.evidence or self.evidence
        broken = self.broken + other.broken
        return Diagnosis(self.model, merged, unseen, evidence, broken)
