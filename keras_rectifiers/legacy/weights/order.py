"""Weights that a file lists by layer of the top model: one flat list for each.

Keras lists a layer's trainable weights first and the others after them, over all layers
inside it. The names of the arrays are checked against that order.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from keras_rectifiers.errors import ArchiveError
from keras_rectifiers.graph.document import Address
from keras_rectifiers.graph.document import Place
from keras_rectifiers.graph.document import is_model
from keras_rectifiers.graph.variables.shapes import fits
from keras_rectifiers.graph.variables.variable import Variable
from keras_rectifiers.legacy.weights import names
from keras_rectifiers.legacy.weights.owners import Owner
from keras_rectifiers.legacy.weights.owners import Spot
from keras_rectifiers.legacy.weights.shapes import described
from keras_rectifiers.legacy.weights.shapes import listed

if TYPE_CHECKING:
    from keras_rectifiers.legacy.containers.saved import Array


@dataclasses.dataclass(frozen=True)
class _Member:
    """A layer with weights, at one of its spots inside a layer of the top model."""

    owner: Owner
    #: Its number among the owners.
    number: int
    spot: Spot
    #: How many names of its path lead to the layer whose list it is in.
    depth: int

    @property
    def leaf(self) -> str:
        """Its own old name."""
        return self.spot.was[-1]

    @functools.cached_property
    def chain(self) -> list[Place]:
        """The places from the layer whose list it is in down to its own."""
        chain = []
        place: Place | None = self.spot.place
        while place is not None and place.parent is not None:
            chain.append(place)
            place = place.parent
        chain.reverse()
        same = len(chain) == len(self.spot.was)
        return chain[self.depth :] if same else chain


@dataclasses.dataclass(frozen=True)
class _Want:
    """One array that is expected: of which layer, and which of its variables."""

    member: _Member
    index: int

    @property
    def variable(self) -> Variable:
        return self.member.owner.stored[self.index]


_Shares = dict[int, list["Array"]]


def by_order(
    stored: Mapping[str, Sequence[Array]], owners: Sequence[Owner]
) -> list[list[Array]]:
    """Give each layer its arrays out of the lists of a legacy weights file.

    Args:
        stored: Old name of a layer of the top model -> its arrays, in order.
        owners: The layers that have weights.

    Returns:
        The arrays of each owner, in the order of its `stored` variables; none for
        one that the file has no list for.

    Raises:
        ArchiveError: A list belongs to no layer, or is not the list of its layers.
    """
    found: _Shares = {}
    members = _members(stored, owners)
    for name, every in stored.items():
        arrays = list(every)
        inside = members.get(name, [])
        if not any(member.owner.custom for member in inside):
            arrays = [each for each in arrays if not names.is_generator_state(each)]
        if not arrays:
            continue
        if not inside:
            raise ArchiveError(
                "Every stored array must belong to a layer of the model. Received: "
                f"{listed(arrays)} for {name!r}, where the model has no layer with "
                "weights. The weights belong to another model, or the file is damaged."
            )
        for number, share in _shared_out(name, arrays, inside).items():
            _keep(found, number, share, owners[number])
    return [found.get(number, []) for number in range(len(owners))]


def _members(
    stored: Mapping[str, Sequence[Array]], owners: Sequence[Owner]
) -> dict[str, list[_Member]]:
    """Name of each list -> the layers whose arrays are in it."""
    spots = [
        (number, owner, spot)
        for number, owner in enumerate(owners)
        for spot in (Spot(owner.place, owner.was), *owner.also)
    ]
    outer = {spot.was[0] for _, _, spot in spots if spot.was}
    found: dict[str, list[_Member]] = {}
    for number, owner, spot in spots:
        for depth, name in enumerate(spot.was):
            # Keras 1 lists the layers of a nested Sequential by their own names.
            if stored.get(name) and (depth == 0 or name not in outer):
                member = _Member(owner, number, spot, depth)
                found.setdefault(name, []).append(member)
                break
    return found


def _shared_out(name: str, arrays: list[Array], members: list[_Member]) -> _Shares:
    custom = [member for member in members if member.owner.custom]
    shares: _Shares = {}
    for member in custom:
        alone = len(members) == 1
        mine = [
            each for each in arrays if alone or member.leaf in each.name.split("/")[:-1]
        ]
        shares[member.number] = mine
        arrays = [each for each in arrays if not any(each is one for one in mine)]
    usual = [member for member in members if not member.owner.custom]
    if usual or arrays:
        shares.update(_matched(name, arrays, usual))
    return shares


def _matched(name: str, arrays: list[Array], members: list[_Member]) -> _Shares:
    orders = list(_orders(members))
    for order in orders:
        if _agree(order, arrays) and _shaped(order, arrays):
            return _shares(order, arrays)
    for order in orders:
        by_name = _by_name(order, arrays)
        if by_name is not None:
            return _shares(order, by_name)
    for order in orders:
        # The shapes are wrong: whoever checks them says which.
        if _agree(order, arrays):
            return _shares(order, arrays)
    variables = described(want.variable for want in orders[0])
    raise ArchiveError(
        "A layer must have the weights that its class has. Received: "
        f"{listed(arrays)} for {name!r}, where {variables} are expected. The weights "
        "belong to another model, or the file is damaged."
    )


def _agree(order: list[_Want], arrays: list[Array]) -> bool:
    return len(order) == len(arrays) and all(
        names.may_be(array.name, want.variable.name)
        for want, array in zip(order, arrays, strict=True)
    )


def _shaped(order: list[_Want], arrays: list[Array]) -> bool:
    return all(
        fits(want.variable.shape, array.shape)
        for want, array in zip(order, arrays, strict=True)
    )


def _by_name(order: list[_Want], arrays: list[Array]) -> list[Array] | None:
    """The arrays in the order expected, where each one's name says whose it is."""
    if len(order) != len(arrays):
        return None
    found: list[Array] = []
    for want in order:
        variable = want.variable
        those = [
            each
            for each in arrays
            if names.says(each.name, want.member.leaf, variable.name)
            and fits(variable.shape, each.shape)
        ]
        if len(those) != 1 or any(those[0] is each for each in found):
            return None
        found += those
    return found


def _shares(order: list[_Want], arrays: list[Array]) -> _Shares:
    shares: dict[int, dict[int, Array]] = {}
    for want, array in zip(order, arrays, strict=True):
        mine = shares.setdefault(want.member.number, {})
        if want.index in mine:
            _check_same(mine[want.index], array, want.member.owner)
        mine[want.index] = array
    return {
        number: [mine[index] for index in sorted(mine)]
        for number, mine in shares.items()
    }


def _keep(found: _Shares, number: int, share: list[Array], owner: Owner) -> None:
    """Keep a layer's arrays; those of a shared layer may be stored repeatedly."""
    before = found.setdefault(number, share)
    if before is share:
        return
    if len(before) != len(share):
        raise ArchiveError(_unequal(owner))
    for first, second in zip(before, share, strict=True):
        _check_same(first, second, owner)


def _check_same(first: Array, second: Array, owner: Owner) -> None:
    if first.shape != second.shape or not np.array_equal(
        first.read(), second.read(), equal_nan=first.dtype.kind in "fV"
    ):
        raise ArchiveError(_unequal(owner))


def _unequal(owner: Owner) -> str:
    return (
        "A shared layer must have one set of weights. Received: different sets for "
        f"{owner.place.path!r}. The file is damaged."
    )


def _orders(members: list[_Member]) -> Iterator[list[_Want]]:
    """The orders in which Keras may have listed some layers' weights.

    As it does by the layers' `trainable` flags; as if none were frozen, since not
    every file states a model's flag; layer by layer, as under a frozen wrapper.
    """
    once = list({member.number: member for member in reversed(members)}.values())[::-1]
    variants = [once] if len(once) == len(members) else [once, members]
    for variant in variants:
        for flags in (True, False):
            trainable, fixed = _both(_splits(variant, 0, flags=flags))
            yield trainable + fixed
        yield [want for member in variant for want in _wants(member)]


_Split = tuple[list[_Want], list[_Want]]


def _splits(members: list[_Member], depth: int, *, flags: bool) -> list[_Split]:
    """Trainable weights and others, of each layer at a depth and all inside it."""
    layers: dict[Address, list[_Member]] = {}
    for member in members:
        if len(member.chain) > depth:
            layers.setdefault(member.chain[depth].address, []).append(member)
    return [_split(each, depth, flags=flags) for each in layers.values()]


def _split(members: list[_Member], depth: int, *, flags: bool) -> _Split:
    """Trainable weights and others, of one layer and all inside it."""
    place = members[0].chain[depth]
    own = [member for member in members if len(member.chain) == depth + 1]
    wants = [want for member in own for want in _wants(member)]
    mine: _Split = (
        [want for want in wants if want.variable.trainable],
        [want for want in wants if not want.variable.trainable],
    )
    inside = _splits(members, depth + 1, flags=flags)
    frozen = flags and place.config.get("trainable") is False
    if frozen and not is_model(place.entry):
        # Keras takes the layers inside one by one.
        return [], [want for each in (mine, *inside) for half in each for want in half]
    trainable, fixed = _both([mine, *inside])
    return ([], trainable + fixed) if frozen else (trainable, fixed)


def _both(splits: list[_Split]) -> _Split:
    return (
        [want for trainable, _ in splits for want in trainable],
        [want for _, fixed in splits for want in fixed],
    )


def _wants(member: _Member) -> list[_Want]:
    return [_Want(member, index) for index in range(len(member.owner.stored))]
