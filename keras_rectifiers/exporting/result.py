"""What an export gave: plain data that prints as a table."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any
from typing import ClassVar

from keras_rectifiers.exporting import shown
from keras_rectifiers.json_values import plain
from keras_rectifiers.results import Result
from keras_rectifiers.tables import Part

#: Largest output below which a difference is judged as if it were this.
_SMALLEST = 0.1


@dataclasses.dataclass(frozen=True)
class ExportedRectifier:
    """What one rectifier with slopes became."""

    #: Its path in the model.
    path: str
    #: `"prelu"` or `"leaky_relu"`.
    kind: str
    #: The operations that compute it in the file; empty where they were not found.
    operations: tuple[str, ...]
    #: Shape of its slopes in the file; empty for a number.
    slope_shape: tuple[int, ...] = ()
    #: Whether it is the format's own operation (with a minimum for a cap).
    native: bool = False


@dataclasses.dataclass(frozen=True)
class Differences:
    """How far the outputs of a file are from those of the Keras model."""

    #: Samples that went through both.
    samples: int
    #: Largest and mean absolute difference, in the unit of the outputs.
    maximum: float
    mean: float
    #: Largest absolute output of the Keras model.
    scale: float
    #: Share (0..1) of samples with the same class on top; None for one output.
    agreement: float | None = None
    #: Name of the metric; None without labels.
    metric: str | None = None
    #: The metric of the Keras model and of the file.
    metric_before: float | None = None
    metric_after: float | None = None

    def share(self, *, mean: bool) -> float:
        """The difference as a share of the scale.

        Args:
            mean: The mean difference; else the largest one, where a scale below 0.1
                counts as 0.1, since sums that nearly cancel out are not exact.
        """
        if mean:
            return self.mean / (self.scale or 1.0)
        return self.maximum / max(self.scale, _SMALLEST)


@dataclasses.dataclass(frozen=True)
class Twin:
    """The same model with plain ReLUs, exported in the same way."""

    #: Size in bytes.
    size: int
    differences: Differences
    #: CPU time of one run on one thread, in milliseconds: of the model, of the twin.
    milliseconds: tuple[float, float]

    @property
    def ratio(self) -> float:
        """Time of the model for each time of the twin."""
        return self.milliseconds[0] / self.milliseconds[1]


@dataclasses.dataclass(frozen=True, repr=False)
class ExportResult(Result):
    """An exported model, and how it compares with the Keras model."""

    COLUMNS: ClassVar[tuple[str, ...]] = (
        *("path", "kind", "operations", "slope_shape", "native"),
    )

    model: str
    format: str
    #: The file or folder that was written; None where nothing was.
    target: str | None
    precision: str
    #: Size in bytes.
    size: int
    #: Keras backend that wrote it.
    backend: str
    #: Samples in each run; None for any number.
    batch: int | None
    rectifiers: tuple[ExportedRectifier, ...]
    #: Operation -> how many there are.
    operations: Mapping[str, int]
    #: What was done differently from the default, and why.
    fallbacks: tuple[str, ...]
    differences: Differences
    #: Greatest difference allowed, as a share of the scale, and which one that is of.
    tolerance: float
    judged: str
    #: Where the inputs came from.
    inputs: str
    twin: Twin | None
    #: What could be done about a cost.
    advice: tuple[str, ...]
    #: Package -> version.
    versions: Mapping[str, str]
    #: Name of the device whose conditions were checked; see `targets`.
    device: str | None = None
    #: Why that device does not run the file, and the way out; empty where it does.
    refusal: str = ""

    @property
    def holds(self) -> bool:
        """Whether outputs are within the tolerance; NaN is not."""
        return self.differences.share(mean=self.judged == "mean") <= self.tolerance

    @property
    def headline(self) -> str:
        """What was written and how far its outputs are, in one sentence."""
        found = self.differences
        share = found.share(mean=self.judged == "mean")
        said = (
            f"outputs on {found.samples} samples differ by at most "
            f"{found.maximum:.3g} (mean {found.mean:.3g}; outputs reach "
            f"{found.scale:.3g})"
        )
        verdict = "" if self.holds else "Verification failed: "
        limit = "within" if self.holds else "over"
        return (
            f"{verdict}{self.model} as {self.format} ({self.precision}): {said}; "
            f"{share:.2g} is {limit} the tolerance of {self.tolerance:.2g}."
        )

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain data."""
        made = dataclasses.asdict(self)
        made["holds"] = self.holds
        if self.twin is not None:
            made["twin"]["ratio"] = self.twin.ratio
        return plain(made)

    @property
    def rows(self) -> list[dict[str, Any]]:
        """One dict for each rectifier with slopes."""
        return [
            self._row(
                *(each.path, each.kind, list(each.operations)),
                *(list(each.slope_shape), each.native),
            )
            for each in self.rectifiers
        ]

    def parts(self) -> list[Part]:
        """The lines and tables of its display."""
        return shown.parts(self)

    @classmethod
    def from_dict(cls, given: Mapping[str, Any]) -> ExportResult:
        """What the child process reports.

        Args:
            given: The fields, as `dataclasses.asdict` gives them.
        """
        twin = given["twin"]
        if twin is not None:
            twin = Twin(
                twin["size"],
                Differences(**twin["differences"]),
                tuple(twin["milliseconds"]),
            )
        rectifiers = tuple(
            ExportedRectifier(
                each["path"],
                each["kind"],
                tuple(each["operations"]),
                tuple(each["slope_shape"]),
                each["native"],
            )
            for each in given["rectifiers"]
        )
        return cls(
            **{
                **given,
                "twin": twin,
                "rectifiers": rectifiers,
                "differences": Differences(**given["differences"]),
                "fallbacks": tuple(given["fallbacks"]),
                "advice": tuple(given["advice"]),
            }
        )
