"""A diagnosis: the units of a model, what they did, and what that means.

Plain data; Keras is never imported here.
"""

from __future__ import annotations

import dataclasses
import functools
import html
import importlib
import json
from typing import Any

from keras_rectifiers.diagnosis import headlines
from keras_rectifiers.diagnosis import notebook
from keras_rectifiers.diagnosis import verdicts
from keras_rectifiers.diagnosis.broken import Broken
from keras_rectifiers.diagnosis.broken import told
from keras_rectifiers.diagnosis.evidence.data import Evidence
from keras_rectifiers.diagnosis.layer_diagnosis import COLUMNS
from keras_rectifiers.diagnosis.layer_diagnosis import LayerDiagnosis
from keras_rectifiers.graph.roles import OUTPUT
from keras_rectifiers.json_values import plain


@dataclasses.dataclass(frozen=True, repr=False)
class Diagnosis:
    """What the units of a model's rectifiers did on some data.

    It prints as a table of layers, and a notebook shows one. `a + b` is the diagnosis
    of both data sets. A model without rectifiers has a diagnosis without layers.
    """

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
        samples = max((each.statistics.samples for each in self.layers), default=0)
        first = layers[0].layer if layers else ""
        units = self.count(verdicts.NOT_FINITE)
        return told(self.broken, units, self.units, samples, first)

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
            "units": self.units,
            "dead_fraction": self.dead_fraction,
            "silent_fraction": self.silent_fraction,
            "waking": self.waking,
            "dead_outputs": list(self.dead_outputs),
            "layers": [layer.summary() for layer in self.layers],
            "unseen": list(self.unseen),
            "not_finite": {"sentence": self.not_finite, **self.broken.summary()},
        }

    def to_json(self, *, rows: bool = True, indent: int | None = 2) -> str:
        """The diagnosis as JSON; numbers that are not finite become null.

        Args:
            rows: Whether to add one object for each unit. Default True.
            indent: As in `json.dumps`.
        """
        data = self.summary()
        if rows:
            data["rows"] = self.rows
        return json.dumps(plain(data), indent=indent, allow_nan=False)

    def to_pandas(self) -> Any:
        """The rows as a `pandas.DataFrame`.

        Raises:
            ImportError: If pandas is not installed.
        """
        try:
            pandas = importlib.import_module("pandas")
        except ImportError as error:
            raise ImportError(
                "to_pandas() needs pandas. Install it with "
                '`pip install "keras_rectifiers[pandas]"`, or use .rows.'
            ) from error
        return pandas.DataFrame(self.rows, columns=list(COLUMNS))

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

    def __str__(self) -> str:
        if not self.layers:
            text = f"Model {self.model!r} has no rectifier that can be watched."
            return "\n".join(filter(None, (text, self.not_finite)))
        return "\n".join([_headline(self), "", *_table(self)])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        if not self.layers:
            return f"<p>{html.escape(str(self))}</p>"
        return notebook.table(self.layers, _headline(self), self.dead_fraction)


def _headline(diagnosis: Diagnosis) -> str:
    samples = {layer.statistics.samples for layer in diagnosis.layers}
    dead = diagnosis.count(verdicts.DEAD)
    text = "".join(f"{each}\n" for each in headlines.outputs(diagnosis))
    text += (
        f"Model {diagnosis.model!r}: {dead} of {diagnosis.units} units are dead "
        f"({diagnosis.dead_fraction:.1%}) on {max(samples)} samples."
    )
    silent = [
        layer for layer in diagnosis.layers if (layer.statistics.fired == 0).any()
    ]
    if silent:
        confidence = silent[0].confidence
        fewest = min(layer.statistics.samples for layer in silent)
        bound = float(verdicts.upper_bound(0, fewest, confidence))
        text += (
            f"\nA unit that never fired fires on less than {bound:.3g} of the "
            f"samples ({confidence:.0%} confidence)."
        )
    if diagnosis.not_finite:
        text += f"\n{diagnosis.not_finite}"
    for each in (headlines.waking(diagnosis), headlines.next_step(diagnosis)):
        text += f"\n{each}" if each else ""
    if diagnosis.unseen:
        text += f"\nNot seen: {', '.join(diagnosis.unseen)}."
    return text


def _table(diagnosis: Diagnosis) -> list[str]:
    words = [
        word
        for word in verdicts.VERDICTS
        if word != verdicts.NOT_FINITE or diagnosis.count(word)
    ]
    lines = [["layer", "units", *words, "dead"]]
    lines[0][-1] = "dead %"
    lines += [
        [
            layer.layer,
            str(layer.units),
            *(str(layer.count(word)) for word in words),
            f"{layer.dead_fraction:.1%}",
        ]
        for layer in diagnosis.layers
    ]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return [
        "  ".join(
            cell.ljust(width) if index == 0 else cell.rjust(width)
            for index, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        for line in lines
    ]
