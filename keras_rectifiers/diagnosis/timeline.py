"""What the units of a model did at each measurement of a training run.

Compact, plain data: a float32 per unit and measurement for each of three
quantities. Keras is never imported here.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import numpy.typing as npt

from keras_rectifiers.diagnosis import verdicts
from keras_rectifiers.diagnosis.result import Diagnosis

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


@dataclasses.dataclass
class Timeline:
    """The measurements of one run, in the order in which they were taken."""

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
