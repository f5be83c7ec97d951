"""The verb: write a saved model of any Keras version as Keras 3 does."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any
from typing import ClassVar

from keras_rectifiers.conversion.given_functions import handed_over
from keras_rectifiers.conversion.modern import StrPath
from keras_rectifiers.conversion.opened import Opened
from keras_rectifiers.conversion.opened import open_model
from keras_rectifiers.conversion.registered import with_registered
from keras_rectifiers.conversion.targets import check_form
from keras_rectifiers.conversion.targets import check_target_for
from keras_rectifiers.errors import HiddenLayersError
from keras_rectifiers.errors import UnsupportedModelError
from keras_rectifiers.files import remote
from keras_rectifiers.files.writing import replacing
from keras_rectifiers.graph.document import name_of
from keras_rectifiers.legacy.weights.write import architecture_text
from keras_rectifiers.repairs import Repair
from keras_rectifiers.results import Result
from keras_rectifiers.surgery.plan_text import repairs
from keras_rectifiers.surgery.training_state import check_kept
from keras_rectifiers.tables import Part

_FORMAT = 1


@dataclasses.dataclass(frozen=True, repr=False)
class Upgrade(Result):
    """The result of upgrading an old model: print it, or save it as JSON.

    Attributes:
        model: Name of the model.
        container: What it was saved as.
        version: Of the Keras that saved it, or `""`.
        repairs: Everything that was changed, in order.
        arrays: Number of weight arrays that were kept.
        parameters: Number of values in them.
    """

    COLUMNS: ClassVar[tuple[str, ...]] = ("rule", "layer", "text", "caution")

    model: str
    container: str
    version: str
    repairs: tuple[Repair, ...]
    arrays: int
    parameters: int

    @property
    def cautions(self) -> tuple[Repair, ...]:
        """Repairs that the user should check."""
        return tuple(each for each in self.repairs if each.caution)

    @property
    def summary(self) -> str:
        """One line: what it was, and how much was repaired and kept."""
        wrote = f" of Keras {self.version}" if self.version else ""
        weights = (
            f"{self.arrays:,} arrays ({self.parameters:,} parameters) kept"
            if self.arrays
            else "no weights"
        )
        count = len(self.repairs) - len(self.cautions)
        repairs = "1 repair" if count == 1 else f"{count} repairs"
        cautions = f", {len(self.cautions)} to check" if self.cautions else ""
        return f"{self.container}{wrote}: {weights}, {repairs}{cautions}."

    @property
    def rows(self) -> list[dict[str, Any]]:
        """One dict for each repair."""
        return [
            self._row(each.rule, each.layer, each.text, each.caution)
            for each in self.repairs
        ]

    def to_dict(self) -> dict[str, Any]:
        """The record as plain data."""
        return {"format": _FORMAT, **super().to_dict()}

    def parts(self) -> list[Part]:
        """The lines and tables of its display."""
        return [f"{self.model}: {self.summary}", *repairs(self.repairs)]


@remote.urls("source", "weights", targets=("target",))
@with_registered
def upgrade_file(
    source: StrPath,
    target: StrPath,
    *,
    weights: StrPath | None = None,
    input_shape: Sequence[int | None] | None = None,
    custom_objects: Mapping[str, Any] | None = None,
    overwrite: bool = False,
    keep_training_state: bool = False,
) -> Upgrade:
    """Write a saved model of any version as Keras 3 does, without importing Keras.

    Args:
        source: A `.keras` or `.h5` file of Keras 1, 2 or 3, a SavedModel folder
            of Keras 2, or the JSON of an architecture. It is not changed, and
            nothing in it runs.
        target: The `.keras` file to write; `.json` for an architecture without weights.
        weights: File of the weights, for an architecture.
        input_shape: The shape that a Sequential takes, with the batch axis
            (`(None, 16, 1)`), where it cannot be inferred from its file or its weights.
        custom_objects: Functions to use in place of those that a file cannot contain,
            by their names, or by `"layer"` or `"layer.argument"` for a lambda. The new
            file refers to registered functions by name, and opens once their modules
            are imported. Also classes of custom layers that contain layers and are not
            registered.
        overwrite: Whether an existing target may be replaced.
        keep_training_state: Whether it is an error if the optimizer's state cannot be
            kept exactly.

    Returns:
        What was repaired and kept.

    Raises:
        ArchiveError: The source is missing, damaged or not a model; an array is
            missing, belongs to no layer or has another shape; or the target cannot be
            written.
        UnsupportedModelError: Something in it has no form in Keras 3, or a required
            state cannot be kept.
    """
    check_target_for(source, target, overwrite=overwrite)
    functions = handed_over(custom_objects)
    try:
        with open_model(
            source, weights, input_shape=input_shape, functions=functions
        ) as opened:
            check_form(target, weights=opened.has_weights)
            if keep_training_state:
                check_kept(opened.repairs, source)
            with replacing(target, overwrite=overwrite, named=False) as temporary:
                if opened.has_weights:
                    opened.write(temporary)
                else:
                    text = architecture_text(opened.document)
                    temporary.write_text(text, encoding="utf-8")
            return record(opened)
    except HiddenLayersError as error:
        raise UnsupportedModelError(_nothing_to_upgrade(source)) from error


def _nothing_to_upgrade(source: StrPath) -> str:
    return (
        "A file whose layers are created in Python code can only be upgraded by that "
        f"code. Received: {str(source)!r}, which Keras 3 wrote. Use it as it is: "
        "convert accepts it with --import MODULE."
    )


def record(opened: Opened) -> Upgrade:
    """What was repaired and kept."""
    placed = opened.placed if opened.has_weights else ()
    return Upgrade(
        name_of(opened.document),
        opened.saved.container,
        opened.saved.version,
        opened.repairs,
        len(placed),
        sum(each.size for each in placed),
    )
