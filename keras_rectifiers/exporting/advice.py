"""What an export says of costs, and of what could be done about them."""

from __future__ import annotations

from collections.abc import Sequence

from keras_rectifiers.exporting.result import ExportedRectifier
from keras_rectifiers.exporting.result import ExportResult
from keras_rectifiers.shares import percent

#: Times the twin's from which a cost is worth a word.
_SLOW = 1.25
#: Loss of agreement (0..1) relative to the twin that is worth reporting.
_LOSS = 0.02


def not_native(rectifiers: Sequence[ExportedRectifier]) -> list[str]:
    """A sentence about rectifiers that are several operations, or were not found.

    Args:
        rectifiers: What each rectifier became.
    """
    said = []
    several = [each.path for each in rectifiers if each.operations and not each.native]
    if several:
        said.append(
            "The format has no single operation for "
            f"{', '.join(several[:5])}{' ...' if len(several) > 5 else ''}."  # noqa: PLR2004
        )
    lost = [each.path for each in rectifiers if not each.operations]
    if lost:
        said.append(
            "The operations could not be distinguished from others of "
            f"{', '.join(lost[:5])}{' ...' if len(lost) > 5 else ''}; the outputs are "  # noqa: PLR2004
            "compared all the same."
        )
    return said


def of(result: ExportResult, spread: float) -> tuple[str, ...]:
    """What to try where slopes cost much.

    Args:
        result: The result, with its twin.
        spread: How far slopes would move if each PReLU had one for all its channels.
    """
    twin = result.twin
    if twin is None:
        return ()
    said = []
    if twin.ratio > _SLOW:
        said.append(
            f"A run takes {twin.ratio:.2f} times as long as with plain ReLUs. "
            f"keras-rectifiers fold --tolerance {max(spread, 0.01):.2g} turns each "
            "PReLU into a Leaky ReLU or a ReLU, and reports what that changes."
        )
        if "PRelu" in result.operations and result.format == "onnx":
            said.append(
                "On CPUs, ONNX Runtime computes a sum of plain operations faster than "
                "its PRelu: arithmetic=True (--arithmetic)."
            )
    own, other = result.differences.agreement, twin.differences.agreement
    # One sample more or less says nothing.
    least = max(_LOSS, 2 / result.differences.samples)
    if own is not None and other is not None and other - own >= least:
        said.append(
            f"The file agrees with Keras on {percent(own)} of the samples; the plain "
            f"ReLU twin does on {percent(other)}. Calibrate on more data (--data)."
        )
    return tuple(said)
