"""What is said, or refused, where an optimizer's state cannot be kept exactly."""

from __future__ import annotations

from collections.abc import Iterable

from keras_rectifiers.errors import UnsupportedModelError
from keras_rectifiers.repairs import OPTIMIZER_STATE
from keras_rectifiers.repairs import Repair


def dropped(optimizer: str, why: str) -> Repair:
    """An optimizer's state that cannot be kept exactly.

    Args:
        optimizer: Its class.
        why: Why, as half a sentence.
    """
    text = (
        f"state of {optimizer} dropped: {why}; training continues with a fresh "
        "optimizer"
    )
    return Repair(OPTIMIZER_STATE, "", text, caution=True)


def check_kept(repairs: Iterable[Repair], path: object) -> None:
    """Refuse to go on where an optimizer's state is dropped.

    Args:
        repairs: What was repaired and left out.
        path: The file, for the message.

    Raises:
        UnsupportedModelError: A state is dropped; says which and why.
    """
    for each in repairs:
        if each.rule == OPTIMIZER_STATE and not each.layer:
            raise UnsupportedModelError(
                "The training state must be kept (keep_training_state). Received: "
                f"{str(path)!r}: {each.text}. Remove the option to keep only the "
                "weights, or convert the loaded model with keras_rectifiers.convert."
            )
