"""What was repaired in an old model, for people to read."""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True)
class Repair:
    """One difference between an old file and the modern one.

    Attributes:
        rule: Name of the rule, such as `"batch_input_shape"`.
        layer: Path of the layer, or `""` for the model itself.
        text: What was found and what stands there now, in a few words.
        caution: Whether the user should look at it: something was carried over
            that cannot be checked, or left behind.
    """

    rule: str
    layer: str
    text: str
    caution: bool = False
