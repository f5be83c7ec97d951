"""Classes of custom layers that the calling program already has.

A program that has imported Keras, and registered its classes or hands them over, need
not name their module: what Keras itself would open with them is kept.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
from typing import TYPE_CHECKING
from typing import Any
from typing import ParamSpec
from typing import TypeVar

from keras_rectifiers.graph.document import Entry
from keras_rectifiers.surgery import handed

if TYPE_CHECKING:
    from keras_rectifiers.legacy.weights import nested

_Arguments = ParamSpec("_Arguments")
_Result = TypeVar("_Result")


def with_registered(
    verb: Callable[_Arguments, _Result],
) -> Callable[_Arguments, _Result]:
    """A verb that builds custom layers with Keras where their classes are known.

    Nothing is imported for it; inside `handed.building` that builder is asked alone.

    Args:
        verb: Opens a file; it may take `custom_objects`.
    """

    @functools.wraps(verb)
    def wrapped(*args: _Arguments.args, **kwargs: _Arguments.kwargs) -> _Result:
        if handed.builder() is not None:
            return verb(*args, **kwargs)
        given: Any = kwargs.get("custom_objects")
        with handed.building(functools.partial(_built, given or {})):
            return verb(*args, **kwargs)

    return wrapped


def _built(
    given: Mapping[str, Any], document: Entry, shares: Sequence[nested.Share]
) -> list[list[nested.Built]] | None:
    """What Keras stores of custom layers; None where it does not know one of them."""
    keras = sys.modules.get("keras")
    if keras is None:
        return None
    from keras_rectifiers.legacy.weights import nested  # noqa: PLC0415 (tables)

    known = {**keras.saving.get_custom_objects(), **given}
    if not all(nested.class_of(owner) in known for owner, _ in shares):
        return None
    from keras_rectifiers.conversion import custom_layers  # noqa: PLC0415 (h5py)

    with keras.saving.custom_object_scope(dict(given)):
        return custom_layers.built(document, shares)
