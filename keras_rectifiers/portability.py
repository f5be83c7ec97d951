"""Which saved models open in Keras alone, in words. Plain data; imports no Keras."""

from __future__ import annotations

from collections.abc import Sequence

#: Stands for objects of the user's classes in which rectifiers were replaced.
CONVERTED = "Converted"


def opens(classes: Sequence[str], *, option: bool = True) -> str:
    """Where a file opens that was written, in one or two sentences.

    Args:
        classes: Names of the classes of this package that it holds.
        option: Whether `--portable` is an option of what wrote it.
    """
    found = requirement(classes, option=option)
    return found or "Keras opens it without keras_rectifiers."


def requirement(classes: Sequence[str], *, option: bool = True) -> str:
    """What has to be imported before a model with classes of this package opens.

    Args:
        classes: Names of the classes that it holds, `CONVERTED` among them.
        option: Whether what made it has the option of stock layers, which is named.

    Returns:
        One or two sentences; empty where there are none.
    """
    if not classes:
        return ""
    if CONVERTED in classes:
        return (
            "It holds converted objects of your own classes: Keras opens it only where "
            "their module and keras_rectifiers are imported."
        )
    names = " and ".join(dict.fromkeys(classes))
    stock = " For stock layers use --portable (portable=True)." if option else ""
    return (
        f"It holds {names} of keras_rectifiers: Keras opens it only where that is "
        f"imported.{stock}"
    )
