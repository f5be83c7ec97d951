"""Revive units of a live model: the operation of ReDo, made exact.

Incoming weights are redrawn, outgoing ones are set to 0, and the optimizer's state of
these entries is cleared. A unit whose output was 0 therefore does not contribute to the
function, before or after.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any
from typing import ClassVar

import keras
import numpy as np
import numpy.typing as npt

from keras_rectifiers.live.state import copy_of
from keras_rectifiers.live.state import synchronize
from keras_rectifiers.results import Result
from keras_rectifiers.revival import slots
from keras_rectifiers.revival.constants import bias_shift
from keras_rectifiers.revival.constants import constants
from keras_rectifiers.revival.fresh import fresh
from keras_rectifiers.revival.live_units import LiveUnits
from keras_rectifiers.revival.live_units import LiveWiring
from keras_rectifiers.revival.live_units import Outgoing
from keras_rectifiers.revival.live_units import Values
from keras_rectifiers.specs import CannotError
from keras_rectifiers.tables import Part
from keras_rectifiers.tables import Table

#: What a normalization after a new unit starts with.
_AFTER = {"gamma": 1.0, "beta": 0.0, "moving_mean": 0.0, "moving_variance": 1.0}


@dataclasses.dataclass(frozen=True, repr=False)
class Revived(Result):
    """What a revival did."""

    COLUMNS: ClassVar[tuple[str, ...]] = ("path", "units", "folded", "left")

    #: Units that were revived, by path of the rectifier.
    units: dict[str, tuple[int, ...]]
    #: Why units that should have been were left, by path.
    left: dict[str, str]
    #: Paths at which a bias took over the constant of a normalization.
    folded: tuple[str, ...]

    @property
    def count(self) -> int:
        """Number of units that were revived."""
        return sum(map(len, self.units.values()))

    @property
    def rows(self) -> list[dict[str, Any]]:
        """One dict for each rectifier: the numbers of its units that were revived.

        `folded` says whether a bias absorbed the constant of a normalization, and
        `left` says why its units were skipped; it is empty if they were revived.
        """
        return [
            self._row(
                *(path, [int(each) for each in self.units.get(path, ())]),
                *(path in self.folded, self.left.get(path, "")),
            )
            for path in {**self.units, **self.left}
        ]

    def parts(self) -> list[Part]:
        """The lines and tables of its display."""
        said = f"Revived units: {self.count:,}."
        rows = ((row["path"], len(row["units"]), row["left"]) for row in self.rows)
        head = ("path", "revived", "left, since")
        table = [Table.of(head, rows, numbers=("revived",))] if self.rows else []
        return [said, *table]


def revive(
    model: keras.Model,
    units: Mapping[str, npt.ArrayLike],
    *,
    seed: int = 0,
    fold: bool = True,
    initializer: Any = None,
    wiring: LiveWiring | None = None,
) -> Revived:
    """Reinitialize units of a model.

    The incoming weights of each unit are redrawn from the layer's initializer, its bias
    becomes 0, the entries of a BatchNormalization between become 1, 0, 0 and 1 (gamma,
    beta, moving mean, moving variance), its outgoing weights become 0, and the
    optimizer's slots of exactly these entries are reset. The outputs of the model do
    not change, bit for bit, on all data on which the output of the units is
    0. Where a BatchNormalization *follows* the rectifier, a silent unit adds a
    constant; the consumer's bias absorbs it, equal up to rounding.

    A weight between two units that are both revived is redrawn: it has no effect yet,
    and the later unit needs an input.

    Args:
        model: A built Functional or Sequential model; changed in place, together with
            its optimizer, if that is built.
        units: For each rectifier, by its path, the numbers of the units (channels).
        seed: Of the new weights. Default 0.
        fold: Whether a bias may absorb the constant that a normalization makes of a
            silent unit; otherwise such units are skipped. Default True.
        initializer: Of the kernels. Default None: each layer's own.
        wiring: `LiveWiring(model)`, if it is available.

    Returns:
        What was revived, and what was skipped and why.

    Raises:
        KeyError: If the model has no rectifier of a path.
        IndexError: If a rectifier has no such unit.
        UnsupportedModelError: If the model's config does not list its layers.

    Reference:
        Sokar et al. 2023, "The Dormant Neuron Phenomenon in Deep Reinforcement
        Learning" (arXiv:2302.12902), algorithm 1. The fold is ours.
    """
    synchronize(model)
    wiring = wiring or LiveWiring(model)
    edits = _Edits()
    work: list[tuple[LiveUnits, Values]] = []
    left: dict[str, str] = {}
    folds: dict[str, list[tuple[Outgoing, Values]]] = {}
    for path, numbers_of in units.items():
        chosen = _chosen(path, numbers_of, wiring)
        if not len(chosen):
            continue
        try:
            site = wiring.site(path)
            folds[path] = _shifts(site, chosen, fold=fold)
            work.append((site, chosen))
        except CannotError as error:
            left[path] = str(error)
    for shifts in folds.values():
        for outgoing, shift in shifts:
            edits.add(outgoing.layer.bias, shift)
    for site, chosen in work:
        _take_out(site, chosen, edits)
    rng = np.random.default_rng(seed)
    for site, chosen in work:
        _put_in(site, chosen, edits, rng, initializer)
    edits.write(getattr(model, "optimizer", None))
    return Revived(
        {site.path: tuple(map(int, chosen)) for site, chosen in work},
        left,
        tuple(path for path, shifts in folds.items() if shifts),
    )


class _Edits:
    """New values of variables, written at the end, all at once."""

    def __init__(self) -> None:
        self._variables: dict[int, Any] = {}
        self._values: dict[int, Values] = {}
        self._masks: dict[int, npt.NDArray[np.bool_]] = {}

    def set(self, variable: Any, mask: npt.NDArray[np.bool_], values: Any) -> None:
        """Give some entries new values; their slots will be cleared."""
        key = self._known(variable)
        self._values[key] = np.where(mask, values, self._values[key])
        self._masks[key] |= mask

    def add(self, variable: Any, shift: Values) -> None:
        """Add to a variable; its slots stay."""
        key = self._known(variable)
        self._values[key] = self._values[key] + shift

    def write(self, optimizer: Any) -> None:
        """Write all of them, and clear the slots."""
        for key, variable in self._variables.items():
            value = self._values[key].astype(copy_of(variable).dtype)
            variable.assign(value)
            mask = self._masks[key]
            if optimizer is not None and optimizer.built and mask.any():
                slots.clear(optimizer, variable, mask, value)

    def _known(self, variable: Any) -> int:
        key = id(variable)
        if key not in self._variables:
            self._variables[key] = variable
            self._values[key] = copy_of(variable)
            self._masks[key] = np.zeros(self._values[key].shape, bool)
        return key


def _chosen(path: str, units: npt.ArrayLike, wiring: LiveWiring) -> Values:
    if path not in wiring.sites and path not in wiring.left:
        raise KeyError(
            f"units must name rectifiers of the model. Received: {path!r}. The model "
            f"has: {sorted([*wiring.sites, *wiring.left])}."
        )
    chosen = np.unique(np.asarray(units, np.int64))
    site = wiring.sites.get(path)
    if site and len(chosen) and not 0 <= chosen[0] <= chosen[-1] < site.units:
        raise IndexError(
            f"{path!r} has the units 0 to {site.units - 1}. Received: "
            f"{[int(each) for each in chosen if not 0 <= each < site.units]}."
        )
    return chosen


def _shifts(
    site: LiveUnits, chosen: Values, *, fold: bool
) -> list[tuple[Outgoing, Values]]:
    """What biases must absorb, so that the units can be taken out."""
    shifts = []
    for outgoing in site.outgoing:
        constant = constants(outgoing)
        if (constant[chosen] == 0).all():
            continue
        if not fold:
            raise CannotError(
                "a normalization before its consumer turns zeros into a constant, and "
                "fold=False"
            )
        shifts.append((outgoing, bias_shift(outgoing, constant, chosen)))
    return shifts


def _take_out(site: LiveUnits, chosen: Values, edits: _Edits) -> None:
    """Set outgoing weights to 0, and reset the normalization after a unit."""
    for outgoing in site.outgoing:
        shape = tuple(outgoing.variable.shape)
        edits.set(outgoing.variable, outgoing.part.mask(chosen, shape), 0.0)
        for step, layer in zip(outgoing.part.through, outgoing.through, strict=True):
            if step.class_name != "BatchNormalization" or not step.once:
                continue
            for name, start in _AFTER.items():
                variable = getattr(layer, name, None)
                if variable is not None:
                    mask = np.zeros(tuple(variable.shape), bool)
                    mask[step.indices[chosen]] = True
                    edits.set(variable, mask, start)


def _put_in(
    site: LiveUnits,
    chosen: Values,
    edits: _Edits,
    rng: np.random.Generator,
    initializer: Any,
) -> None:
    """Redraw incoming weights."""
    for incoming in site.incoming:
        seed = int(rng.integers(2**31))
        shape = tuple(incoming.variable.shape)
        mask = incoming.part.mask(chosen, shape)
        edits.set(incoming.variable, mask, fresh(incoming, seed, initializer))
