"""Which saved models open in Keras alone, in words. Plain data; imports no Keras."""

from __future__ import annotations

from collections.abc import Sequence

#: Stands for objects of the user's classes in which rectifiers were replaced.
CONVERTED = "Converted"


def requirement(classes: Sequence[str]) -> str:
    """What has to be imported before a model with classes of this package opens.

    Args:
        classes: Names of the classes that it holds, `CONVERTED` among them.

    Returns:
        One sentence; empty where there are none.
    """
    if not classes:
        return ""
    if CONVERTED in classes:
        return (
            "It holds converted objects of your own classes: Keras opens it only where "
            "their module and keras_rectifiers are imported."
        )
    names = " and ".join(dict.fromkeys(classes))
    return (
        f"It holds {names} of keras_rectifiers: Keras opens it only where that is "
        "imported. For stock layers use --portable (portable=True)."
    )
