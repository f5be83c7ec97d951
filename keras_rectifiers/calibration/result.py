"""What a calibration chose and what it cost, for people and as plain data."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any
from typing import ClassVar

from keras_rectifiers.calibration.objective import OUTPUTS
from keras_rectifiers.json_values import plain
from keras_rectifiers.results import Result
from keras_rectifiers.tables import Part
from keras_rectifiers.tables import Table


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Calibration(Result):
    """Slopes chosen from data, and the model that has them."""

    COLUMNS: ClassVar[tuple[str, ...]] = (
        *("path", "slope", "units", "silent", "mean_shift"),
    )

    #: The converted model; the original is unchanged.
    model: Any
    #: The plan that made it.
    plan: Any
    #: Chosen slope by the path of the site, in the order of the model.
    slopes: Mapping[str, float]
    #: Units of each site that never fired on the samples.
    silent: Mapping[str, int]
    #: Number of units of each site.
    units: Mapping[str, int]
    #: What the change is measured by: `"loss"` or `"outputs"`.
    measure: str
    #: The budget.
    max_change: float
    #: The change of the converted model (with its biases compensated, where asked).
    change: float
    #: The change with the same slopes and the biases as they were.
    change_uncompensated: float
    #: Mean squared change of the outputs, as a share of their variance.
    change_of_outputs: float
    #: Loss and metrics of the original on the samples; empty without labels.
    before: Mapping[str, float]
    #: The same of the converted model.
    after: Mapping[str, float]
    #: Sites whose mean shift is absorbed, and by what: path -> layers and weights.
    compensated: Mapping[str, str]
    #: Sites whose mean shift stays, and why.
    uncompensated: Mapping[str, str]
    #: Number of samples.
    samples: int
    #: Number of times the change was measured while searching.
    passes: int

    @property
    def fits(self) -> bool:
        """Whether the change is within the budget."""
        return self.change <= self.max_change

    def to_dict(self) -> dict[str, Any]:
        """The result without the model and the plan, as plain data."""
        names = [field.name for field in dataclasses.fields(self)]
        found = {name: getattr(self, name) for name in names}
        del found["model"], found["plan"]
        return {**plain(found), "fits": self.fits}

    @property
    def rows(self) -> list[dict[str, Any]]:
        """One dict for each rectifier; `mean_shift` says what becomes of the shift."""
        return [
            self._row(
                *(path, slope, self.units.get(path, 0), self.silent.get(path, 0)),
                self._shift(path),
            )
            for path, slope in self.slopes.items()
        ]

    def parts(self) -> list[Part]:
        """The lines and tables of its display."""
        given = sum(slope != 0 for slope in self.slopes.values())
        verdict = "within" if self.fits else "above"
        of = "the outputs (of their variance)"
        if self.measure != OUTPUTS:
            of = "the loss"
        head = (
            f"Calibration of {self.model.name!r} on {self.samples:,} samples: "
            f"{given} of {len(self.slopes)} rectifiers get a slope."
        )
        change = (
            f"Change of {of}: {self.change:.4g} ({verdict} the allowed "
            f"{self.max_change:g}; {self.change_uncompensated:.4g} without "
            "compensation)"
        )
        metrics = [
            f"{name}: {value:.4f} before, {self.after[name]:.4f} after"
            for name, value in self.before.items()
        ]
        rows = (
            (
                row["path"],
                f"{row['slope']:g}",
                f"{row['silent']} of {row['units']}",
                row["mean_shift"],
            )
            for row in self.rows
        )
        columns = ("path", "slope", "silent", "mean shift")
        table = Table.of(columns, rows, numbers=("slope", "silent"))
        return [head, change, *metrics, table]

    def _shift(self, path: str) -> str:
        if path in self.compensated:
            return f"absorbed by {self.compensated[path]}"
        reason = self.uncompensated.get(path)
        return "" if reason is None else f"stays: {reason}"
