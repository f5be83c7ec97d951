"""Moving statistics that lag, put right before anything is called dead."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from keras_rectifiers.finetuning.look import Look
from keras_rectifiers.finetuning.prepare import copied
from keras_rectifiers.finetuning.split import Parts
from keras_rectifiers.revival.statistics import refresh_statistics
from keras_rectifiers.shares import percent

#: The cause that this treats.
LAGGING = "lagging_statistics"
#: Samples of which statistics are estimated.
_SAMPLES = 2048


def refreshed(
    model: Any,
    look: Look,
    parts: Parts,
    look_at: Callable[[Any], Look],
    *,
    lagging: bool,
) -> tuple[Any, Look, tuple[str, ...]]:
    """A copy whose moving statistics are those of the data, where that helps.

    Args:
        model: The original; not changed.
        look: What it is.
        parts: The data.
        look_at: Looks at a model.
        lagging: Whether its statistics lag, and may be estimated again.

    Returns:
        The copy, what it is, and what was done in one sentence; or the original with
        its look and no sentence, where its statistics do not lag, or the copy
        has no fewer dead units.
    """
    if not lagging:
        return model, look, ()
    copy = copied(model)
    layers = refresh_statistics(copy, parts.sample(_SAMPLES).x)
    again = look_at(copy)
    if again.found.dead_fraction >= look.found.dead_fraction:
        return model, look, ()
    said = (
        f"The moving statistics of {len(layers)} batch normalizations lagged behind, "
        f"and were estimated again: {percent(again.found.dead_fraction)} of the units "
        f"are dead with them, {percent(look.found.dead_fraction)} before."
    )
    return copy, again, (said,)
