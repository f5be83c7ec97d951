"""Find the shapes with which every layer gets what its weights ask for.

One shape is unknown: what a model takes, or what one layer puts out. A trial says
what each layer meets, for any guess. Lengths only grow with those before them, so
that each is found by halving.
"""

from __future__ import annotations

import bisect
import dataclasses
from collections.abc import Callable
from collections.abc import Sequence

from keras_rectifiers.legacy.inputs.meet import Met
from keras_rectifiers.legacy.inputs.meet import TooManyTrialsError
from keras_rectifiers.specs import Shape

#: Ranks that are tried, the batch axis among them.
RANKS = range(2, 7)
#: Most lengths that are looked into before a shape counts as open.
_MOST_OPEN = 8
#: Longest axis that is looked for.
_LONGEST = 1 << 31


#: A guess -> what every layer meets, in the same order each time.
Trial = Callable[[Shape], list[Met]]


@dataclasses.dataclass(frozen=True)
class Solution:
    """A shape that contradicts no layer.

    Attributes:
        shape: It, with None for a length that nothing asks for.
        doubt: What it leaves open, as a clause; `""` where that is nothing.
    """

    shape: Shape
    doubt: str = ""


@dataclasses.dataclass(frozen=True)
class _Open:
    """A required length that a guess does not determine yet."""

    index: int
    axis: int
    length: int
    name: str


def solve(trial: Trial) -> list[Solution]:
    """The shapes that contradict no layer, one for each rank.

    Args:
        trial: Says what each layer meets.
    """
    try:
        found = [_settled(trial, rank) for rank in RANKS]
    except TooManyTrialsError:
        return [Solution((None, None), "the model has too many layers to try shapes")]
    return [each for each in found if each is not None]


def wrong(met: Sequence[Met]) -> Met | None:
    """The first layer that gets what it cannot take; None where all is well.

    Args:
        met: What each layer meets.
    """
    for each in met:
        if each.shape is None:
            continue
        rank, asks = len(each.shape), each.asks
        if (asks.rank is not None and rank != asks.rank) or rank < asks.least:
            return each
        for axis, length in asks.lengths:
            if each.shape[axis] not in (None, length):
                return each
    return None


def doubt(met: Sequence[Met], shape: Shape) -> str:
    """What a shape leaves open, as a clause; `""` where that is nothing.

    Args:
        met: What each layer meets.
        shape: The shape of the trial.
    """
    open_ = _open(met)
    if open_:
        first = open_[0]
        return (
            f"the {first.length} values of {first.name!r} can be arranged in several "
            "ways"
        )
    vague = next((each for each in met if each.shape and _is_vague(each)), None)
    if vague is not None:
        return f"{vague.name!r} needs lengths that cannot be inferred from the weights"
    blind = next((each for each in met if each.asks.weighted and not each.shape), None)
    if blind is not None and None in shape[1:]:
        return f"the input of {blind.name!r} is unknown"
    return ""


def _is_vague(met: Met) -> bool:
    shape = met.shape or ()
    return any(shape[axis] is None for axis in met.asks.static)


def _open(met: Sequence[Met]) -> list[_Open]:
    return [
        _Open(index, axis, length, each.name)
        for index, each in enumerate(met)
        if each.shape is not None
        for axis, length in each.asks.lengths
        if each.shape[axis] is None
    ]


def _settled(trial: Trial, rank: int) -> Solution | None:
    """The shape of one rank; None where a layer cannot take it."""
    shape: Shape = (None,) * rank
    while True:
        met = trial(shape)
        if wrong(met):
            return None
        for each in _open(met)[:_MOST_OPEN]:
            step = _step(trial, shape, each)
            if not isinstance(step, _Nothing):
                break
        else:
            return Solution(shape, doubt(met, shape))
        if step is None or isinstance(step, Solution):
            return step
        shape = step


class _Nothing:
    """No axis alone decides a length."""


def _step(
    trial: Trial, shape: Shape, wanted: _Open
) -> Shape | Solution | _Nothing | None:
    """Fill the one axis that a wanted length depends on.

    Returns:
        The fuller shape; a `Solution` in doubt, where several lengths will do; None,
        where none will.
    """
    for axis, known in enumerate(shape):
        if axis == 0 or known is not None:
            continue
        front, back = shape[:axis], shape[axis + 1 :]

        def got(length: int, front: Shape = front, back: Shape = back) -> int | None:
            met = trial((*front, length, *back))[wanted.index].shape
            return None if met is None else met[wanted.axis]

        length = wanted.length
        if got(length) is None:
            continue
        if (got(length), got(length + 1)) == (length, length + 1):
            return (*front, length, *back)  # which most layers leave as it is
        first, last = _between(lambda guess: got(guess) or 0, length)
        if first > last:
            return None
        if first < last:
            span = f"{first} {'and' if last == first + 1 else 'to'} {last}"
            return Solution(shape, f"lengths {span} suit {wanted.name!r}")
        return (*front, first, *back)
    return _Nothing()


def _between(got: Callable[[int], int], length: int) -> tuple[int, int]:
    """The first and the last length that give one; none if they cross."""
    end = 1
    while got(end) <= length and end < _LONGEST:
        end *= 2
    steps = range(1, end + 1)
    first = bisect.bisect_left(steps, length, key=got)
    last = bisect.bisect_right(steps, length, key=got) - 1
    return first + 1, last + 1
