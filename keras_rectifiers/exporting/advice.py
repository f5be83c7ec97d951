"""What an export says of costs, and of what could be done about them."""

from __future__ import annotations

from collections.abc import Sequence

from keras_rectifiers.exporting import formats
from keras_rectifiers.exporting.result import ExportedRectifier
from keras_rectifiers.exporting.result import ExportResult

#: Times the twin's from which a cost is worth a word.
_SLOW = 1.25
#: Loss of agreement (0..1) beside the twin's that is worth a word.
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
            "No operation of the format itself, but several, compute "
            f"{', '.join(several[:5])}{' ...' if len(several) > 5 else ''}."  # noqa: PLR2004
        )
    lost = [each.path for each in rectifiers if not each.operations]
    if lost:
        said.append(
            "The operations could not be told from others of "
            f"{', '.join(lost[:5])}{' ...' if len(lost) > 5 else ''}; the outputs are "  # noqa: PLR2004
            "compared all the same."
        )
    return said


def of(result: ExportResult) -> tuple[str, ...]:
    """What to try where slopes cost much.

    Args:
        result: The result, with its twin.
    """
    twin = result.twin
    if twin is None:
        return ()
    said = []
    if twin.ratio > _SLOW:
        said.append(
            f"A run takes {twin.ratio:.2f} times as long as with plain ReLUs. "
            "Slopes that matter little can be folded: keras-rectifiers fold "
            "--tolerance 0.01; or convert to leaky_relu."
        )
    own, other = result.differences.agreement, twin.differences.agreement
    lost = own is not None and other is not None and other - own > _LOSS
    if result.precision == formats.INT8 and lost:
        said.append(
            f"int8 agrees with Keras on {own:.1%} of the samples; the plain ReLU twin "
            f"does on {other:.1%}. Calibrate on more data (--data), or fold slopes."
        )
    return tuple(said)
