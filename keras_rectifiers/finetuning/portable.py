"""Stock layers of Keras for those of this package, in a model that was trained."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Collection
from typing import Any

from keras_rectifiers import portability
from keras_rectifiers.conversion.verbs import plan
from keras_rectifiers.graph import roles
from keras_rectifiers.graph.sites import Site
from keras_rectifiers.live import rectifiers
from keras_rectifiers.live.layers import flat
from keras_rectifiers.specs import LEAKY_RELU
from keras_rectifiers.specs import PRELU
from keras_rectifiers.surgery import converted


def own_classes(model: Any) -> tuple[str, ...]:
    """Names of the classes of this package that a model needs, each one once.

    Args:
        model: The model.

    Returns:
        Those of its rectifiers, and `"Converted"` where it has objects of users'
        classes in which rectifiers were replaced.
    """
    found = [each.layer for each in rectifiers.find(model) if each.is_ours]
    names = dict.fromkeys(type(each).__name__ for each in found)
    if any(map(converted.rounds, (model, *flat(model)))):
        names[portability.CONVERTED] = None
    return tuple(names)


def stock(model: Any) -> tuple[Any, tuple[str, ...]]:
    """A copy whose layers of this package are stock ones with the same slopes.

    Args:
        model: The model; not changed.

    Returns:
        The copy, or the model itself where there is nothing to do, and one sentence
        for each layer that Keras has no form for.
    """
    left: list[str] = []
    for kind in (PRELU, LEAKY_RELU):
        paths = {
            each.path
            for each in rectifiers.find(model)
            if each.is_ours and each.function.kind == kind
        }
        if not paths:
            continue
        made = plan(
            model,
            kind,
            of=kind,
            where=_at(paths),
            roles=roles.ROLES,
            portable=True,
        )
        left += [
            f"{skip.site.path} is not portable: {skip.detail}."
            for skip in made.skips
            if skip.site.path in paths
        ]
        model = made.apply(model) if made.steps else model
    return model, tuple(left)


def _at(paths: Collection[str]) -> Callable[[Site], bool]:
    """Whether a site has one of some paths."""
    return lambda site: site.path in paths
