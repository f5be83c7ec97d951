"""The options of a conversion as one object, and the opened model."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from typing import TYPE_CHECKING
from typing import Any

from keras_rectifiers import specs
from keras_rectifiers.conversion import user_classes
from keras_rectifiers.conversion.given_functions import handed_over
from keras_rectifiers.conversion.modern import StrPath
from keras_rectifiers.conversion.modern import is_modern
from keras_rectifiers.errors import HiddenLayersError
from keras_rectifiers.graph.roles import HIDDEN
from keras_rectifiers.graph.sites import Site
from keras_rectifiers.surgery import archive
from keras_rectifiers.surgery.replacements import Channels
from keras_rectifiers.surgery.replacements import Target
from keras_rectifiers.surgery.selection import Names
from keras_rectifiers.surgery.selection import Selection

if TYPE_CHECKING:
    from keras_rectifiers.conversion.opened import Opened
    from keras_rectifiers.conversion.with_code import WithCode
    from keras_rectifiers.diagnosis.result import Diagnosis


#: What says how a saved model is read, and not what is replaced.
_OF_READING = ("weights", "input_shape", "custom_objects")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options:
    """The options of `plan`, which describes them."""

    of: Names = (specs.RELU,)
    include: Names = ()
    exclude: Names = ()
    where: Callable[[Site], bool] | Diagnosis | None = None
    roles: Names = (HIDDEN,)
    negative_slope: float | None = None
    alpha: float | None = None
    trainable: bool = True
    portable: bool = False
    weights: StrPath | None = None
    input_shape: Sequence[int | None] | None = None
    custom_objects: Mapping[str, Any] | None = None
    as_functional: bool = False

    def check_alone(self) -> None:
        """Refuse options that a plan already defines.

        Raises:
            ValueError: Some differ from their defaults; names them.
        """
        decided = [
            field.name
            for field in dataclasses.fields(self)
            if field.name not in _OF_READING
            and getattr(self, field.name) != field.default
        ]
        if decided:
            said = ", ".join(f"{name}={getattr(self, name)!r}" for name in decided)
            raise ValueError(
                f"Options cannot be combined with a plan. Received: {said}. Remove "
                "them, or make the plan with them."
            )

    def wanted(self, to: Any) -> tuple[Target, Selection]:
        """What replaces the rectifiers, and which rectifiers.

        Args:
            to: As for `plan`.
        """
        predicate, channels = self._narrowed(to)
        return (
            Target(
                to,
                self.negative_slope,
                self.alpha,
                self.portable,
                self.trainable,
                channels,
            ),
            Selection(self.of, self.include, self.exclude, predicate, self.roles),
        )

    @contextlib.contextmanager
    def opened(
        self, path: StrPath, *, as_it_is: bool = True
    ) -> Iterator[archive.Archive | Opened | WithCode]:
        """Open a saved model.

        Keras opens it if its layers, or layers inside custom classes, are created in
        Python code.

        Args:
            path: The model.
            as_it_is: Whether a Keras 3 file without repairs may be opened as an
                `Archive`, which copies its weights.

        Raises:
            HiddenLayersError: Its layers are created in Python code that is not
                registered.
        """
        with contextlib.ExitStack() as stack:
            try:
                source = stack.enter_context(self.read(path, as_it_is=as_it_is))
            except HiddenLayersError as error:
                if not self._is_known(error.document):
                    raise
                yield self._with_keras(path, None)
                return
            if self.as_functional or self._may_hide(source):
                made = self._with_keras(path, source)
                if self.as_functional or made.sees_more(source):
                    yield made
                    return
            yield source

    @contextlib.contextmanager
    def read(
        self, path: StrPath, *, as_it_is: bool = True
    ) -> Iterator[archive.Archive | Opened]:
        """Open a saved model without Keras.

        Args:
            path: The model.
            as_it_is: As for `opened`.

        Raises:
            HiddenLayersError: Its layers are created in Python code.
        """
        functions = handed_over(self.custom_objects)
        plain = self.weights is None and self.input_shape is None
        if plain and as_it_is and is_modern(path, functions):
            with archive.read(path) as source:
                yield source
            return
        from keras_rectifiers.conversion.opened import open_model  # noqa: PLC0415 (h5py)

        with open_model(
            path, self.weights, input_shape=self.input_shape, functions=functions
        ) as opened:
            yield opened

    def _with_keras(
        self, path: StrPath, source: archive.Archive | Opened | None
    ) -> WithCode:
        from keras_rectifiers.conversion import with_code  # noqa: PLC0415 (h5py)

        return with_code.opened_with_keras(
            path, source, self.custom_objects, as_functional=self.as_functional
        )

    def _is_known(self, document: Mapping[str, Any]) -> bool:
        given = user_classes.is_given(document, self.custom_objects)
        return given or user_classes.is_registered(document)

    def _may_hide(self, source: archive.Archive | Opened) -> bool:
        """Whether the user passed a class whose layers may contain rectifiers."""
        if not self.custom_objects or not getattr(source, "has_weights", True):
            return False
        return any(
            user_classes.is_given(entry, self.custom_objects)
            for entry in user_classes.holders(source.survey)
        )

    def _narrowed(
        self, to: Any
    ) -> tuple[Callable[[Site], bool] | None, Channels | None]:
        """The predicate on sites from `where`, and its choice of channels."""
        if self.where is None or callable(self.where):
            return self.where, None
        from keras_rectifiers.conversion.only_dead import OnlyDead  # noqa: PLC0415

        only = OnlyDead(self.where)
        only.check_target(to)
        return only, only.channels
