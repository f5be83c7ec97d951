"""What a report shows, as plain data: numbers, sentences and names, no markup."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from keras_rectifiers.diagnosis import verdicts
from keras_rectifiers.diagnosis.layer_diagnosis import LayerDiagnosis
from keras_rectifiers.diagnosis.result import Diagnosis

if TYPE_CHECKING:
    from keras_rectifiers.diagnosis.timeline import Timeline

#: What each verdict means, and who defined it.
MEANINGS = {
    verdicts.DEAD: (
        "Never positive on the data, and no slope below 0: no gradient reaches its "
        "incoming weights. Lu et al. 2019, arXiv:1903.06733."
    ),
    verdicts.LEAKING: (
        "Never positive, but a nonzero slope keeps its gradient: it can recover. "
        "Fixed slopes: Maas et al. 2013; learned slopes: He et al. 2015, "
        "arXiv:1502.01852."
    ),
    verdicts.DORMANT: (
        "It fired, but its mean output is close to 0 compared with its layer. Sokar "
        "et al. 2023 (ReDo), arXiv:2302.12902, definition 3.1."
    ),
    verdicts.LINEAR: (
        "Positive at every position and never capped: the rectifier has no effect."
    ),
    verdicts.ALIVE: "None of the others.",
    verdicts.NOT_FINITE: "Its output was NaN or infinite in some sample.",
}
#: In the order in which they are shown.
ORDER = (*verdicts.VERDICTS[1:], verdicts.VERDICTS[0])


@dataclasses.dataclass(frozen=True)
class VerdictShare:
    """The units with one verdict."""

    word: str
    count: int
    #: Of the units of the layer or the network, 0..1.
    share: float

    @property
    def label(self) -> str:
        """The verdict as a word of a sentence."""
        return self.word.replace("_", " ")


@dataclasses.dataclass(frozen=True)
class LayerView:
    """One rectifier."""

    #: Of its section in the page.
    anchor: str
    name: str
    #: The name without its container.
    leaf: str
    units: int
    dead: int
    dead_fraction: float
    silent: int
    #: Verdicts that occur.
    shares: tuple[VerdictShare, ...]
    #: Rate below which a unit that never fired does fire, 0..1.
    bound: float
    #: Whether anything but alive and linear units was found.
    finding: bool
    #: Relative width of its cell.
    weight: float

    def count(self, word: str) -> int:
        """Number of units with a verdict."""
        return sum(share.count for share in self.shares if share.word == word)


@dataclasses.dataclass(frozen=True)
class Group:
    """Rectifiers that follow each other in one container."""

    #: Path of the container, "" for the model itself.
    container: str
    layers: tuple[LayerView, ...]


def shares(diagnosis: Diagnosis | LayerDiagnosis) -> tuple[VerdictShare, ...]:
    """The verdicts that occur, with their counts."""
    counts = {word: diagnosis.count(word) for word in ORDER}
    total = max(diagnosis.units, 1)
    return tuple(
        VerdictShare(word, count, count / total)
        for word, count in counts.items()
        if count
    )


def layer_views(diagnosis: Diagnosis) -> list[LayerView]:
    """One view for each layer, in the model's order."""
    return [
        _layer_view(layer, number) for number, layer in enumerate(diagnosis.layers, 1)
    ]


def groups(layers: list[LayerView]) -> list[Group]:
    """Layers by their container, where neighbors share it."""
    found: list[Group] = []
    for layer in layers:
        container = layer.name.rpartition("/")[0]
        if found and found[-1].container == container:
            found[-1] = Group(container, (*found[-1].layers, layer))
        else:
            found.append(Group(container, (layer,)))
    return found


def silent(codes: npt.NDArray[np.uint8]) -> npt.NDArray[np.bool_]:
    """Whether units never fired, from the codes of a timeline."""
    words = (verdicts.DEAD, verdicts.LEAKING)
    return np.isin(codes, [verdicts.VERDICTS.index(word) for word in words])


def ever_silent(timeline: Timeline) -> bool:
    """Whether some unit did not fire at some measurement."""
    return any(silent(layer.codes).any() for layer in timeline.layers)


def has_slopes(layer: LayerDiagnosis) -> bool:
    """Whether a rectifier has slopes below its threshold."""
    return bool(layer.keeps_gradient.any())


def _layer_view(layer: LayerDiagnosis, number: int) -> LayerView:
    found = shares(layer)
    well = layer.count(verdicts.ALIVE, verdicts.LINEAR)
    return LayerView(
        anchor=f"layer-{number}",
        name=layer.layer,
        leaf=layer.layer.rpartition("/")[2],
        units=layer.units,
        dead=layer.dead,
        dead_fraction=layer.dead_fraction,
        silent=layer.dead + layer.leaking,
        shares=found,
        bound=float(
            verdicts.upper_bound(0, layer.statistics.samples, layer.confidence)
        ),
        finding=well < layer.units,
        weight=float(np.log2(1 + layer.units)),
    )
