"""A saved model of any age, opened: its modern document, and its weights."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import shutil
import tempfile
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from keras_rectifiers.conversion.modern import StrPath
from keras_rectifiers.conversion.modern import is_modern
from keras_rectifiers.conversion.modern import version_numbers
from keras_rectifiers.conversion.untouched import COMPILED
from keras_rectifiers.errors import ArchiveError
from keras_rectifiers.errors import HiddenLayersError
from keras_rectifiers.errors import UnsupportedModelError
from keras_rectifiers.graph import wellformed
from keras_rectifiers.graph.document import Entry
from keras_rectifiers.graph.document import give_names
from keras_rectifiers.graph.document import is_model
from keras_rectifiers.graph.document import name_of
from keras_rectifiers.graph.document import walk
from keras_rectifiers.graph.sites import Found
from keras_rectifiers.graph.survey import Survey
from keras_rectifiers.legacy.compile import moved
from keras_rectifiers.legacy.compile.config import modern_compile_config
from keras_rectifiers.legacy.compile.slots import NumberedSlots
from keras_rectifiers.legacy.compile.slots import carry
from keras_rectifiers.legacy.containers import vocabularies
from keras_rectifiers.legacy.containers.open import open_saved
from keras_rectifiers.legacy.containers.saved import MODERN
from keras_rectifiers.legacy.containers.saved import Saved
from keras_rectifiers.legacy.dialects.modernize import modernize
from keras_rectifiers.legacy.dialects.registry import Origin
from keras_rectifiers.legacy.dialects.structure import lacks_input
from keras_rectifiers.legacy.weights.arrange import Placed
from keras_rectifiers.legacy.weights.arrange import arrange
from keras_rectifiers.legacy.weights.owners import Owner
from keras_rectifiers.legacy.weights.owners import owners
from keras_rectifiers.legacy.weights.write import named_slots
from keras_rectifiers.legacy.weights.write import write_archive
from keras_rectifiers.repairs import Repair
from keras_rectifiers.surgery import marks
from keras_rectifiers.surgery.handed import NO_FUNCTIONS
from keras_rectifiers.surgery.handed import Functions
from keras_rectifiers.surgery.plan import Plan
from keras_rectifiers.surgery.saved_source import SavedSource
from keras_rectifiers.surgery.trained import ArrayHeader
from keras_rectifiers.surgery.trained import may_touch_state
from keras_rectifiers.surgery.training_state import dropped
from keras_rectifiers.surgery.weights_file import state_left
from keras_rectifiers.surgery.written import check_written

_NOT_IN_KERAS = "Keras 3 does not have it"
_SPLIT = "a layer in several models became a layer for each"


class Opened(SavedSource):
    """A saved model, understood.

    Args:
        saved: What was read.
        input_shape: The shape that a Sequential takes which does not state it, with the
            batch axis; default: inferred from its weights.
        functions: Functions that the user hands over, by their names or layers.

    Attributes:
        saved: What was read.
        survey: The model as Keras 3 writes it, with its compile config.

    Raises:
        ArchiveError: It is not a model.
        UnsupportedModelError: Something in it has no form in Keras 3, or the shape
            it takes is not known.
    """

    def __init__(
        self,
        saved: Saved,
        input_shape: Sequence[int | None] | None = None,
        functions: Functions = NO_FUNCTIONS,
    ) -> None:
        self.saved = saved
        origin = Origin(version_numbers(saved.version), saved.backend)
        with wellformed.reading(saved.path, "config.json"):
            give_names(saved.document)
            marked = tuple(_marked(saved.document)) if origin.version >= (3,) else ()
            self._modern = modernize(saved.document, origin, functions)
            document = self._modern.document
            if saved.training is not None:
                compiled, repairs = modern_compile_config(
                    saved.training, origin, document
                )
                if compiled is not None and getattr(saved.slots, "scaled", False):
                    compiled, repairs = _scaled(compiled, repairs)
                document[COMPILED] = compiled
            else:
                repairs = ()
        if not is_model(document):
            modern = saved.container == MODERN and origin.version >= (3,)
            raise wellformed.without_layers(document, saved.path, modern=modern)
        super().__init__(Survey(document), saved.path)
        wellformed.check(self.survey, saved.path)
        self._repairs = (*saved.repairs, *marked, *self._modern.repairs, *repairs)
        lacks = input_shape is not None or lacks_input(document)
        lambdas = any(each.rule == "lambda" for each in self._modern.repairs)
        if lacks:
            self._repairs += self._input(input_shape)
        if lambdas:
            self._repairs += self._lambdas()
        if lacks or lambdas:
            self.survey = Survey(document)
        if saved.weights is not None:
            self._repairs += tuple(_without_vocabulary(self.document))

    def _input(self, shape: Sequence[int | None] | None) -> tuple[Repair, ...]:
        """State the shape that the model takes."""
        # Most models state it, and need none of this.
        from keras_rectifiers.legacy.inputs.state import state_input  # noqa: PLC0415

        weights, path = self.saved.weights, self.path
        placed = None if weights is None else lambda: arrange(self._modern, weights)
        with wellformed.reading(path, "config.json"):
            return tuple(state_input(self.document, placed, shape, path))

    def _lambdas(self) -> tuple[Repair, ...]:
        """State the output shapes of Lambdas, as far as later weights imply them."""
        from keras_rectifiers.legacy.inputs.lambdas import state_outputs  # noqa: PLC0415

        if self.saved.weights is None:
            return ()
        placed = arrange(self._modern, self.saved.weights)
        with wellformed.reading(self.path, "config.json"):
            return tuple(state_outputs(self.document, placed))

    @property
    def has_weights(self) -> bool:
        """Whether there is more than an architecture."""
        return self.saved.weights is not None

    @functools.cached_property
    def placed(self) -> Sequence[Placed]:
        """Every array, and its place in a Keras 3 weights file.

        Raises:
            ArchiveError: An array is missing, belongs to no layer, or has another
                shape.
        """
        if self.saved.weights is None:
            raise ArchiveError(
                f"A model must have weights. Received: {str(self.path)!r}, which is "
                "only an architecture. Pass its weights file (--weights FILE), or "
                "choose a target that ends in .json."
            )
        placed = arrange(self._modern, self.saved.weights)
        self._last = None  # what follows only from the weights is in the document now
        return placed

    def check_weights(self) -> None:
        """Check every stored array, and fill in what follows only from them.

        Raises:
            ArchiveError: As `placed` does.
        """
        _ = self.placed

    @functools.cached_property
    def owners(self) -> list[Owner]:
        """The layers that have weights, in the document and in the file."""
        return owners(self._modern)

    def owners_of(self, document: Entry) -> list[Owner]:
        """The layers that have weights in a document that was made from this one."""
        return owners(dataclasses.replace(self._modern, document=document, was={}))

    @functools.cached_property
    def _moved_slots(self) -> tuple[NumberedSlots | None, tuple[Repair, ...]]:
        compiled = self.document.get(COMPILED)
        slots = self.saved.slots
        if compiled is None:
            left = slots is not None and self.saved.training is not None
            return None, (dropped("the optimizer", _NOT_IN_KERAS),) if left else ()
        if self.saved.container == MODERN:
            return self._numbered(compiled)
        return carry(slots, compiled, self.placed)

    def _numbered(
        self, compiled: Entry
    ) -> tuple[NumberedSlots | None, tuple[Repair, ...]]:
        """The optimizer's variables out of a file of Keras 3."""
        slots = self.saved.slots
        if slots is None:
            return None, ()
        if any(each.twins for each in self.owners):
            fresh, _ = carry(None, compiled, self.placed)
            optimizer = str(compiled["optimizer"].get("class_name"))
            return fresh, (dropped(optimizer, _SPLIT),)
        if not moved.is_moved(compiled, version_numbers(self.saved.version)):
            return list(enumerate(slots.arrays)), ()
        text = "Nadam's product before the slots → after them"
        made: NumberedSlots = list(enumerate(moved.in_order(compiled, slots.arrays)))
        return made, (Repair("optimizer state", "", text),)

    @property
    def repairs(self) -> tuple[Repair, ...]:
        """Everything that differs from what was saved."""
        if not self.has_weights:
            return self._repairs
        return (*self._repairs, *self._moved_slots[1])

    @functools.cached_property
    def _by_group(self) -> dict[tuple[str, ...], Placed]:
        return {each.group: each for each in self.placed}

    def read_alpha(self, found: Found) -> Any:
        """The slopes of a PReLU, as they act.

        Raises:
            ArchiveError: There are none.
        """
        stored = self._by_group.get((*found.group, "vars", "0"))
        if stored is None:
            raise ArchiveError(
                "A PReLU must have its slopes in the weights. Received: "
                f"{str(self.path)!r}, which has no slopes for {found.site.path!r}."
            )
        return np.asarray(stored.read()) * found.slope_scale

    def repairs_for(self, plan: Plan) -> tuple[Repair, ...]:
        """What differs from what was saved, and which optimizer state a plan drops.

        Args:
            plan: A plan for this model.
        """
        return (*self.repairs, *self._state_left(plan))

    def _state_left(self, plan: Plan) -> tuple[Repair, ...]:
        slots = self._moved_slots[0] if self.has_weights else None
        if not slots:
            return ()
        rewritten = self.rewritten(plan)
        if not may_touch_state(self.document, rewritten):
            return ()
        arrays = {
            "/".join(each.group): ArrayHeader(each.shape, each.dtype.kind)
            for each in self.placed
        }
        arrays |= {
            name: ArrayHeader(each.shape, "f")
            for name, each in named_slots(self.document, slots)
        }
        return state_left(arrays, self.document, rewritten)

    def write(
        self,
        target: Path,
        plan: Plan | None = None,
        beside: Mapping[str, bytes] = MappingProxyType({}),
    ) -> None:
        """Write it as a `.keras` file.

        Args:
            target: The file; it is overwritten.
            plan: A plan to apply as well.
            beside: Additional members of the file, by their names; default none.

        Raises:
            ArchiveError: The weights do not fit.
            PlanMismatchError: The plan is for another model.
            UnsupportedModelError: The file holds more than config and weights.
        """
        if self.saved.assets:
            raise UnsupportedModelError(
                "A model that needs repair must consist of config and weights only. "
                f"Received: {str(self.path)!r}, in which a custom layer also needs "
                f"{self.saved.assets[0]!r}. Remove that layer from the model, and put "
                "it before the converted model."
            )
        placed, slots = self.placed, self._moved_slots[0]
        made = None if plan is None else self.rewritten(plan)
        write_archive(target, self.document, placed, slots, made, beside)
        document = self.document if made is None else made.document
        check_written(target, document, self.path)


def _scaled(
    compiled: dict[str, Any], repairs: tuple[Repair, ...]
) -> tuple[dict[str, Any], tuple[Repair, ...]]:
    """The optimizer whose state is in the file, and not the one inside it."""
    new = moved.scaling(compiled)
    if new == compiled:
        return compiled, repairs
    text = "the optimizer's state belongs to a scaled loss → LossScaleOptimizer"
    return new, (*repairs, Repair("optimizer", "", text))


def _marked(document: Entry) -> Iterator[Repair]:
    """Give shared layers the marks that Keras lost."""
    for entry, mark in list(marks.lost(document)):
        entry[marks.MARK] = mark
        text = "a shared layer without its mark → with the mark, so that Keras finds it"
        yield Repair("shared", name_of(entry), text)


def _without_vocabulary(document: Entry) -> Iterator[Repair]:
    """Layers that cannot run until they are given a vocabulary."""
    for place in walk(document):
        if vocabularies.lacks(place.entry):
            text = (
                f"{place.entry['class_name']} without its vocabulary, which is not in "
                "the file: call set_vocabulary() after Keras has opened the model; it "
                "cannot run before"
            )
            yield Repair("vocabulary", place.path, text, caution=True)


@contextlib.contextmanager
def open_model(
    path: StrPath,
    weights: StrPath | None = None,
    *,
    input_shape: Sequence[int | None] | None = None,
    functions: Functions = NO_FUNCTIONS,
) -> Iterator[Opened]:
    """Open a saved model of any age and form; nothing in it runs.

    Args:
        path: A `.keras` or `.h5` file, a SavedModel folder, or the JSON of an
            architecture; what it is called does not matter.
        weights: File of the weights, for an architecture.
        input_shape: As for `Opened`.
        functions: As for `Opened`.

    Raises:
        ArchiveError: It is missing, damaged, or no saved model, or its layers are
            not in its config.
        UnsupportedModelError: Something in it has no form in Keras 3, or the shape
            it takes is not known.
    """
    second = None if weights is None else Path(weights)
    with open_saved(Path(path), second) as saved:
        yield Opened(saved, input_shape, functions)


@contextlib.contextmanager
def modern_file(
    path: StrPath,
    weights: StrPath | None = None,
    folder: StrPath | None = None,
    *,
    input_shape: Sequence[int | None] | None = None,
    functions: Functions = NO_FUNCTIONS,
) -> Iterator[Path]:
    """A `.keras` file that Keras 3 opens: the given one, or a temporary one.

    The given one may also hold a model whose layers are made by registered code.

    Args:
        path: As for `open_model`.
        weights: As for `open_model`.
        folder: Where a temporary file may be; default: the system's folder.
        input_shape: As for `Opened`.
        functions: As for `Opened`.

    Raises:
        ArchiveError: As for `open_model`.
        UnsupportedModelError: As for `open_model`.
    """
    with contextlib.ExitStack() as stack:
        asked = weights is not None or input_shape is not None
        if Path(path).suffix == MODERN and not asked and is_modern(path, functions):
            yield Path(path)
            return
        made = stack.enter_context(
            tempfile.TemporaryDirectory(prefix=".upgrade-", dir=folder)
        )
        temporary = Path(made) / f"model{MODERN}"
        try:
            opened = stack.enter_context(
                open_model(path, weights, input_shape=input_shape, functions=functions)
            )
        except HiddenLayersError:
            if not is_modern(path):
                raise
            shutil.copyfile(path, temporary)  # Keras goes by the name
        else:
            opened.write(temporary)
        yield temporary
