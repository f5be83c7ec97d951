"""What the units of a model did at each measurement of a training run.

Compact, plain data: a float32 per unit and measurement for each of three
quantities. Keras is never imported here.
"""

from __future__ import annotations

import dataclasses
from typing import Any
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from keras_rectifiers.diagnosis import verdicts
from keras_rectifiers.diagnosis.result import Diagnosis
from keras_rectifiers.results import Result
from keras_rectifiers.tables import Part
from keras_rectifiers.tables import Table

Floats = npt.NDArray[np.float32]
Codes = npt.NDArray[np.uint8]


@dataclasses.dataclass(frozen=True, eq=False)
class LayerTimeline:
    """The units of one rectifier over time; arrays are `(measurements, units)`."""

    #: Path of the rectifier.
    layer: str
    #: Share of the samples in which each unit fired, 0..1.
    fired_fraction: Floats
    #: Index of each unit's verdict in `verdicts.VERDICTS`.
    codes: Codes
    #: Slope of each unit below its threshold.
    slopes: Floats

    @property
    def units(self) -> int:
        """Number of units."""
        return self.codes.shape[1]

    def counts(self, measurement: int) -> list[int]:
        """Number of units with each verdict, in the order of `verdicts.VERDICTS`.

        Args:
            measurement: Its number, from 0.
        """
        codes = self.codes[measurement]
        return np.bincount(codes, minlength=len(verdicts.VERDICTS)).tolist()


@dataclasses.dataclass(repr=False)
class Timeline(Result):
    """The measurements of one run, in the order in which they were taken.

    It prints as a table with one line for each measurement.
    """

    COLUMNS: ClassVar[tuple[str, ...]] = (
        *("epoch", "step", "layer", "units", *verdicts.VERDICTS),
        *("mean_fired_fraction", "mean_slope"),
    )

    #: Name of the model.
    model: str
    #: Epochs finished at each measurement.
    epochs: list[int] = dataclasses.field(default_factory=list)
    #: Steps of the optimizer at each measurement.
    steps: list[int] = dataclasses.field(default_factory=list)
    #: For each rectifier, one row for each measurement.
    _rows: dict[str, list[tuple[Floats, Codes, Floats]]] = dataclasses.field(
        default_factory=dict
    )

    def __len__(self) -> int:
        return len(self.epochs)

    @property
    def layers(self) -> tuple[LayerTimeline, ...]:
        """One entry for each rectifier that every measurement saw."""
        return tuple(
            LayerTimeline(path, *map(np.stack, zip(*rows, strict=True)))
            for path, rows in self._rows.items()
            if len(rows) == len(self)
        )

    @property
    def rows(self) -> list[dict[str, Any]]:
        """One dict for each measurement of each rectifier.

        It has the number of units with each verdict, the mean share of the samples in
        which they fired, 0..1, and the mean of their slopes.
        """
        layers = self.layers
        return [
            self._row(
                *(epoch, step, layer.layer, layer.units, *layer.counts(index)),
                float(layer.fired_fraction[index].mean()),
                float(layer.slopes[index].mean()),
            )
            for index, (epoch, step) in enumerate(
                zip(self.epochs, self.steps, strict=True)
            )
            for layer in layers
        ]

    def parts(self) -> list[Part]:
        """The lines and tables that it is shown as."""
        layers = self.layers
        units = sum(layer.units for layer in layers)
        times = "1 measurement" if len(self) == 1 else f"{len(self)} measurements"
        said = f"{self.model}: {times} of {units:,} units in {len(layers)} rectifiers."
        if not len(self) or not layers:
            return [said]
        counts = [
            np.sum([layer.counts(index) for layer in layers], axis=0)
            for index in range(len(self))
        ]
        held = [i for i, _ in enumerate(verdicts.VERDICTS) if any(c[i] for c in counts)]
        head = ("epoch", "step", *(verdicts.VERDICTS[i] for i in held))
        rows = [
            (epoch, f"{step:,}", *(f"{count[i]:,}" for i in held))
            for epoch, step, count in zip(self.epochs, self.steps, counts, strict=True)
        ]
        return [said, Table.of(head, rows, numbers=head)]

    def to_dict(self) -> dict[str, Any]:
        """The rows and the name of the model; see `to_arrays()` for each unit."""
        return {"model": self.model, "rows": self.rows}

    def plot(self) -> Any:
        """The share of the units with each verdict over the run.

        Returns:
            A `matplotlib.figure.Figure`. A notebook shows it; `savefig` keeps it.

        Raises:
            ImportError: If matplotlib is not installed.
            ValueError: If it was not measured twice.
        """
        from keras_rectifiers import plots  # noqa: PLC0415 - needs matplotlib

        if len(self) < 2 or not self.layers:  # noqa: PLR2004 - a line has two ends
            raise ValueError(
                "A plot over time needs at least two measurements of a rectifier. "
                f"Received: {len(self)}. Train on with the monitor."
            )
        times, label = self.time_axis()
        return plots.verdicts_over_time(times, self.shares(), label)

    def time_axis(self) -> tuple[list[int], str]:
        """When it was measured, as numbers that grow, and what they count."""
        if (np.diff(self.epochs) > 0).all():
            return self.epochs, "epochs"
        return self.steps, "training steps"

    def shares(self) -> dict[str, npt.NDArray[np.float64]]:
        """For each verdict its share of all units at each measurement, 0..1."""
        codes = np.concatenate([layer.codes for layer in self.layers], axis=1)
        order = (*verdicts.VERDICTS[1:], verdicts.NOT_FINITE)
        return {
            word: (codes == verdicts.VERDICTS.index(word)).mean(axis=1)
            for word in order
        }

    def append(self, diagnosis: Diagnosis, *, epoch: int, step: int) -> None:
        """Add a measurement.

        Args:
            diagnosis: What was measured.
            epoch: Epochs finished.
            step: Steps of the optimizer.
        """
        self.epochs.append(epoch)
        self.steps.append(step)
        for layer in diagnosis.layers:
            row = (
                layer.statistics.fired_fraction.astype(np.float32),
                _codes(layer.verdicts),
                np.asarray(layer.slopes, np.float32),
            )
            self._rows.setdefault(layer.layer, []).append(row)

    def to_arrays(self) -> dict[str, npt.NDArray[Any]]:
        """The timeline as named arrays, which `numpy.savez` stores."""
        arrays: dict[str, npt.NDArray[Any]] = {
            "model": np.array(self.model),
            "epochs": np.array(self.epochs, np.int64),
            "steps": np.array(self.steps, np.int64),
            "layers": np.array([layer.layer for layer in self.layers], np.str_),
        }
        for index, layer in enumerate(self.layers):
            arrays[f"fired_fraction/{index}"] = layer.fired_fraction
            arrays[f"codes/{index}"] = layer.codes
            arrays[f"slopes/{index}"] = layer.slopes
        return arrays

    @classmethod
    def from_arrays(cls, arrays: dict[str, npt.NDArray[Any]]) -> Timeline:
        """The timeline of `to_arrays`.

        Args:
            arrays: Named arrays.

        Raises:
            KeyError: If one is missing.
        """
        rows = {
            str(path): list(
                zip(
                    arrays[f"fired_fraction/{index}"],
                    arrays[f"codes/{index}"],
                    arrays[f"slopes/{index}"],
                    strict=True,
                )
            )
            for index, path in enumerate(arrays["layers"])
        }
        return cls(
            str(arrays["model"]),
            arrays["epochs"].tolist(),
            arrays["steps"].tolist(),
            rows,
        )


def _codes(words: npt.NDArray[np.str_]) -> Codes:
    codes = np.zeros(len(words), np.uint8)
    for code, word in enumerate(verdicts.VERDICTS):
        codes[words == word] = code
    return codes
