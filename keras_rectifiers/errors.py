"""Every error that this package raises on purpose.

Each message is whole sentences in the order: the rule, what was received, where,
what to do next. The command line prints such a message on one line and exits
with 2. Wrong Python arguments stay `ValueError` or `TypeError`; one that is wrong
for a model only is an `ArgumentError`, which is a `ValueError`, too.
"""

from collections.abc import Mapping
from typing import Any

__all__ = [
    "ArchiveError",
    "ArgumentError",
    "DataError",
    "ExportError",
    "ExportTargetError",
    "ExportVerificationError",
    "HiddenLayersError",
    "PlanMismatchError",
    "RectifierError",
    "SelectionError",
    "UnknownClassError",
    "UnsupportedModelError",
    "VerificationError",
]


class RectifierError(Exception):
    """Base of all errors of this package: catch it to catch them all."""


class ArchiveError(RectifierError):
    """A file is missing, damaged, foreign, or cannot be written."""


class UnsupportedModelError(RectifierError):
    """A model, or one layer of it, cannot be converted without losing something."""


class UnknownClassError(UnsupportedModelError):
    """A model names a class or a function that is not registered.

    Args:
        fact: The rule, what was received, and what to do before the class is handed
            over, in whole sentences.
        name: The name of the class or the function, as the file has it.

    Attributes:
        fact: The same.
        name: The same.
    """

    def __init__(self, fact: str, name: str) -> None:
        super().__init__(f"{fact} {_handed_over(name)}")
        self.fact = fact
        self.name = name


class HiddenLayersError(ArchiveError):
    """The class whose Python code creates a model's layers is not registered.

    Args:
        fact: The rule and what was received, in whole sentences.
        name: The name of the class.
        document: The config of the model.

    Attributes:
        fact: The same.
        name: The same.
        document: The same.
    """

    def __init__(self, fact: str, name: str, document: Mapping[str, Any]) -> None:
        super().__init__(f"{fact} {_handed_over(name)}")
        self.fact = fact
        self.name = name
        self.document = document


def _handed_over(name: str) -> str:
    """How to register a class or a function."""
    short = name.rpartition(">")[2]
    return (
        f"Pass custom_objects={{{name!r}: {short}}}, or import the module that "
        "registers it; on the command line, use --import MODULE."
    )


class SelectionError(RectifierError):
    """A selection of sites matches nothing, or is contradictory."""


class PlanMismatchError(RectifierError):
    """A plan does not match the model that it is applied to."""


class VerificationError(RectifierError):
    """A converted model does not compute what it should."""


class ArgumentError(RectifierError, ValueError):
    """An argument does not match the model that it is given for."""


class DataError(RectifierError):
    """A dataset cannot be read, or does not match the model."""


class ExportError(RectifierError):
    """An exporter is missing, fails, crashes, hangs, or cannot write an operation."""


class ExportVerificationError(VerificationError):
    """The outputs of an exported file are not those of the model.

    Args:
        result: The `ExportResult`; its `target` is None, since nothing was written.

    Attributes:
        result: The same.
    """

    def __init__(self, result: Any) -> None:
        super().__init__(
            f"{result.headline} Nothing was written. Pass a larger tolerance, or "
            "force=True (--force) to keep the file."
        )
        self.result = result


class ExportTargetError(ExportVerificationError):
    """The device that a file was written for cannot run it.

    Args:
        result: The `ExportResult`; its `target` is None, since nothing was written.

    Attributes:
        result: The same.
    """

    def __init__(self, result: Any) -> None:
        VerificationError.__init__(
            self,
            f"{result.refusal} Nothing was written. Pass force=True (--force) to keep "
            "the file.",
        )
        self.result = result
