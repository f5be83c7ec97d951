"""Values that JSON can represent."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any


def plain(value: Any) -> Any:
    """A value that JSON can represent: numbers that are not finite become None.

    Args:
        value: Mappings, lists and tuples of numbers and texts; numpy's scalars and
            arrays too.
    """
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if hasattr(value, "tolist") and hasattr(value, "ndim"):
        return plain(value.tolist())
    return value
