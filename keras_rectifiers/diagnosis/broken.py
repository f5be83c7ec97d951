"""What of a model and its data is NaN or infinite, and where it began.

Plain data; Keras is never imported here.
"""

from __future__ import annotations

import dataclasses
from typing import Any


@dataclasses.dataclass(frozen=True)
class BrokenWeight:
    """One weight that holds NaN or infinite values."""

    #: Path of the layer that has it; empty for the model itself.
    layer: str
    #: Its name, such as `"kernel"`.
    weight: str
    #: Number of values that are NaN or infinite.
    count: int
    #: Number of all its values.
    size: int

    def __str__(self) -> str:
        return f"{self.weight}: {self.count:,} of {self.size:,} values"


@dataclasses.dataclass(frozen=True)
class Broken:
    """Weights and data that are NaN or infinite."""

    #: Weights that are, in the order in which their layers compute.
    weights: tuple[BrokenWeight, ...] = ()
    #: Samples of the data that are; None where nobody looked.
    samples: int | None = None

    def __bool__(self) -> bool:
        return bool(self.weights or self.samples)

    def __add__(self, other: Broken) -> Broken:
        """That of both data sets, with the later weights."""
        known = [each for each in (self.samples, other.samples) if each is not None]
        return Broken(other.weights, sum(known) if known else None)

    def summary(self) -> dict[str, Any]:
        """The same as plain data."""
        return {
            "weights": [dataclasses.asdict(each) for each in self.weights],
            "samples": self.samples,
        }


def named(weights: tuple[BrokenWeight, ...]) -> str:
    """The first layer whose weights are not finite, in a sentence.

    Args:
        weights: At least one, in the order in which their layers compute.
    """
    where = weights[0]
    layer = repr(where.layer) if where.layer else "the model itself"
    return f"The first layer whose weights are not finite is {layer} ({where})."


def told(broken: Broken, units: int, total: int, samples: int, first: str) -> str:
    """What is not finite and where it began, in sentences; empty where all is.

    Weights come first: data cannot mend them. Then data, which reach every layer.

    Args:
        broken: Weights and data that are not finite.
        units: Number of units whose output was not.
        total: Number of all units.
        samples: Samples of the data.
        first: The first rectifier whose output was not.
    """
    text = f"{units:,} of {total:,} units gave NaN or infinity." if units else ""
    if broken.weights:
        text += f" {named(broken.weights)}"
    if broken.samples:
        text += f" {broken.samples:,} of {samples:,} samples of the data are not finite"
        text += "." if broken.weights else ", which is the cause."
    if units and not broken:
        finite = "Weights are finite" if broken.samples is None else "Weights and data"
        finite += "" if broken.samples is None else " are finite"
        text += f" {finite}; the first layer whose output is not is {first!r}."
    return text.strip()
