"""What a rule looks at: one rectifier with silent units, and the model around it."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from keras_rectifiers.diagnosis.evidence.data import Evidence
from keras_rectifiers.diagnosis.evidence.data import ProducerEvidence
from keras_rectifiers.diagnosis.evidence.data import RectifierEvidence
from keras_rectifiers.diagnosis.evidence.data import Spread
from keras_rectifiers.diagnosis.layer_diagnosis import LayerDiagnosis
from keras_rectifiers.diagnosis.result import Diagnosis
from keras_rectifiers.diagnosis.statistics import Values

Flags = npt.NDArray[np.bool_]

#: Pre-activations that vary less than this over samples, beside their size, are
#: constant: float32 rounds sums of a few thousand terms by less.
_CONSTANT = 1e-5


@dataclasses.dataclass(frozen=True, eq=False)
class Case:
    """One rectifier and what is known of it; arrays have one value for each unit."""

    layer: LayerDiagnosis
    known: RectifierEvidence

    @property
    def path(self) -> str:
        """Path of the rectifier."""
        return self.layer.layer

    @property
    def producer(self) -> ProducerEvidence | None:
        """The layer whose kernel makes the pre-activations."""
        return self.known.producer

    @functools.cached_property
    def silent(self) -> Flags:
        """Units that never fired, dead or leaking."""
        return self.layer.silent

    @functools.cached_property
    def waking(self) -> Flags:
        """Silent units that fire with the statistics of the batch."""
        peak = self.known.batch_maximum
        return self.silent & (False if peak is None else peak > 0)

    @property
    def collapsed(self) -> bool:
        """Whether no unit ever fired, and none fires with the batch's statistics."""
        return bool(self.silent.all()) and not self.waking.any()

    @property
    def constant(self) -> bool:
        """Whether all units take the same values from every sample."""
        size = np.abs(self.known.mean) + self.known.std
        return bool((self.known.std_over_samples <= _CONSTANT * size).all())


@dataclasses.dataclass(frozen=True, eq=False)
class Finding:
    """How strongly the evidence of one rectifier speaks for a cause."""

    #: 0..1 for each unit; only silent ones count.
    scores: Values
    #: A sentence with the numbers that speak for it.
    sentence: str = ""


def none(case: Case) -> Finding:
    """The finding that nothing speaks for a cause.

    Args:
        case: The rectifier.
    """
    return Finding(np.zeros(case.layer.units))


@dataclasses.dataclass(frozen=True, eq=False)
class Setting:
    """The model around a case."""

    evidence: Evidence
    #: All rectifiers that were looked at, in the order in which they are called.
    cases: tuple[Case, ...]
    #: The first collapsed layer before each rectifier that is constant through it.
    origins: dict[str, str]

    @classmethod
    def of(cls, diagnosis: Diagnosis, evidence: Evidence) -> Setting:
        """The setting of a diagnosis."""
        layers = {layer.layer: layer for layer in diagnosis.layers}
        cases = tuple(
            Case(layers[known.path], known)
            for known in evidence.rectifiers
            if known.path in layers
        )
        # From one sample nobody can tell what is constant.
        origins = _origins(cases) if evidence.samples > 1 else {}
        return cls(evidence, cases, origins)

    @property
    def roots(self) -> tuple[Case, ...]:
        """Rectifiers with silent units that have no collapsed layer to blame."""
        return tuple(
            case
            for case in self.cases
            if case.silent.any() and case.path not in self.origins
        )

    @functools.cached_property
    def producers(self) -> tuple[ProducerEvidence, ...]:
        """The layers with kernels before rectifiers, each once."""
        found = {each.path: each for case in self.cases if (each := case.producer)}
        return tuple(found.values())

    @functools.cached_property
    def fed(self) -> tuple[tuple[str, Spread], ...]:
        """What the first layers take, after Rescaling and the like.

        Where the wiring cannot be read it is what the model takes.
        """
        first = [
            (each.path, each.takes)
            for case in self.cases
            if case.known.upstream == ()
            and (each := case.producer) is not None
            and each.takes is not None
        ]
        if first:
            return tuple(first)
        return tuple((each.name, each.spread) for each in self.evidence.inputs)


def _origins(cases: Sequence[Case]) -> dict[str, str]:
    origins: dict[str, str] = {}
    collapsed: list[str] = []
    for case in cases:
        before = case.known.upstream
        blamed = [path for path in collapsed if before is None or path in before]
        if blamed and case.constant and case.silent.any():
            origins[case.path] = origins.get(blamed[0], blamed[0])
        if case.collapsed:
            collapsed.append(case.path)
    return origins


def ramp(value: Values | float, low: float, high: float) -> Values:
    """0 up to `low`, 1 from `high` on, straight between; NaN counts as 0.

    Args:
        value: What is measured.
        low: Where it begins to speak for a cause.
        high: Where it speaks for nothing else.
    """
    raw = (np.asarray(value, np.float64) - low) / (high - low)
    return np.nan_to_num(np.clip(raw, 0.0, 1.0))
