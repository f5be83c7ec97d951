"""A saved model whose layers Python code makes: opened with Keras, converted live.

Only what the user handed over or registered is run; a file names classes, and nothing
is imported for it. The new file is saved by Keras, whole or not at all.
"""

from __future__ import annotations

import contextlib
import re
import tempfile
import traceback
import warnings
import zipfile
from collections.abc import Iterator
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from keras_rectifiers.conversion.modern import StrPath
from keras_rectifiers.conversion.modern import is_modern
from keras_rectifiers.conversion.opened import Opened
from keras_rectifiers.conversion.opened import modern_file
from keras_rectifiers.conversion.untouched import COMPILED
from keras_rectifiers.errors import RectifierError
from keras_rectifiers.errors import UnsupportedModelError
from keras_rectifiers.files import members
from keras_rectifiers.files.writing import check_model_target
from keras_rectifiers.files.writing import replacing
from keras_rectifiers.graph import wellformed
from keras_rectifiers.graph.document import Entry
from keras_rectifiers.graph.roles import CUSTOM
from keras_rectifiers.graph.unseen import Unseen
from keras_rectifiers.legacy.containers.saved import MODERN
from keras_rectifiers.repairs import Repair
from keras_rectifiers.surgery.archive import Archive
from keras_rectifiers.surgery.plan import Plan
from keras_rectifiers.surgery.training_state import dropped

#: What Keras says of an optimizer: its name, its variables, and those in the file.
_SKIPPED = re.compile(
    r"Skipping variable loading for optimizer '([^']*)', because it has (\d+) "
    r"variables whereas the saved optimizer has (\d+)"
)


class WithCode:
    """A saved model that Keras has opened, as plans are made for it.

    Args:
        path: Where it was saved.
        model: What Keras made of it.
        document: Its config in the file.
        repairs: What differs from what was saved.
        as_functional: As for `plan`.

    Attributes:
        path: Where it was saved.
        model: The live model.

    Raises:
        UnsupportedModelError: The code of one of its classes fails, or something in
            it has no config.
    """

    def __init__(
        self,
        path: Path,
        model: Any,
        document: Entry,
        repairs: tuple[Repair, ...],
        *,
        as_functional: bool,
    ) -> None:
        from keras_rectifiers.surgery.live import LiveModel  # noqa: PLC0415 (Keras)

        self.path = path
        self.model = model
        if document.get(COMPILED) and not model.compiled:
            why = (
                "the model's class has its own compile(), which Keras does not restore"
            )
            repairs = (*repairs, dropped("the optimizer", why))
        with _running(path):
            self._live = LiveModel(model, as_functional=as_functional)
            self._found = tuple(self._live.found)
        self._repairs = (*repairs, *self._live.given_up)

    @property
    def name(self) -> str:
        """The model's name."""
        return self._live.name

    @property
    def found(self) -> tuple[Any, ...]:
        """Every rectifier, those in layers that code makes among them."""
        return self._found

    @property
    def unseen(self) -> tuple[Unseen, ...]:
        """The parts that cannot be inspected."""
        return self._live.unseen

    def read_alpha(self, found: Any) -> Any:
        """The slopes of a PReLU, as they act.

        Args:
            found: One of `found`.
        """
        return self._live.read_alpha(found)

    def repairs_for(self, plan: Plan) -> tuple[Repair, ...]:
        """What differs from what was saved.

        Args:
            plan: A plan for this model.
        """
        del plan
        return self._repairs

    def sees_more(self, opened: Archive | Opened) -> bool:
        """Whether there are rectifiers that the config in the file does not list.

        Args:
            opened: The same file, opened without Keras.
        """
        listed = {e.site.path for e in opened.found if e.site.role != CUSTOM}
        return any(each.site.path not in listed for each in self._found)

    def with_back(self, plan: Plan) -> Plan:
        """A plan that says how its work is undone.

        Args:
            plan: A plan for this model.
        """
        from keras_rectifiers.surgery import live_way_back  # noqa: PLC0415 (Keras)

        with _running(self.path):
            return live_way_back.with_back(self._live, plan)

    def write(
        self,
        target: StrPath,
        plan: Plan,
        *,
        overwrite: bool,
        beside: Mapping[str, bytes],
    ) -> None:
        """Save what a plan makes of it.

        Args:
            target: The `.keras` file: whole, or not at all.
            plan: The plan.
            overwrite: Whether an existing target may be replaced.
            beside: Additional members, by their names.

        Raises:
            ArchiveError: The target exists, or cannot be written.
            PlanMismatchError: The plan is for another model.
            UnsupportedModelError: The code of one of its classes fails.
        """
        check_model_target(self.path, target, overwrite=overwrite)
        with (
            _running(self.path),
            replacing(target, overwrite=overwrite, suffix=MODERN) as temporary,
        ):
            self._live.apply(plan).save(temporary)
            with zipfile.ZipFile(temporary, "a") as saved:
                members.write_packed(saved, beside)


def opened_with_keras(
    path: StrPath,
    source: Archive | Opened | None,
    custom_objects: Mapping[str, Any] | None,
    *,
    as_functional: bool = False,
) -> WithCode:
    """Open a saved model with Keras, in its safe mode.

    Args:
        path: The file.
        source: The same file, opened without Keras; None where its config does not
            list its layers.
        custom_objects: As Keras takes them.
        as_functional: As for `plan`.

    Raises:
        ArchiveError: Keras does not open it.
        UnknownClassError: It names a class or a function that is not known.
        UnsupportedModelError: The code of one of its classes fails.
    """
    from keras_rectifiers.surgery import loading  # noqa: PLC0415 (Keras)

    path = Path(path)
    repairs: tuple[Repair, ...] = ()
    if isinstance(source, Opened):
        document, repairs = source.document, source.repairs
    else:
        document = _config(path) if source is None else source.document
    with _as_keras_opens_it(path, source) as modern, _skipped() as skipped:
        model = loading.load(modern, path, custom_objects, compiled=True)
    repairs += tuple(skipped)
    return WithCode(path, model, document, repairs, as_functional=as_functional)


@contextlib.contextmanager
def _skipped() -> Iterator[list[Repair]]:
    """Note an optimizer's state that Keras leaves in the file, which it only warns of.

    It does where the class makes other variables than were trained: layers were given
    LoRA, quantized or frozen after they were made.
    """
    found: list[Repair] = []
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")  # once is not enough: each file has its own
        yield found
    for each in said:
        counts = _SKIPPED.search(str(each.message))
        if counts is None:
            warnings.warn_explicit(
                each.message, each.category, each.filename, each.lineno
            )
            continue
        name, made, stored = counts.groups()
        why = f"the file has {stored} of its variables, but the model has {made}"
        found.append(dropped(name, why))


def _config(path: Path) -> Entry:
    """The config of a `.keras` file of today, whose layers are made in Python code."""
    with members.open_file(path) as file, members.open_zip(file, path) as zipped:
        document = members.texts_of(zipped, path)[1]
    if not is_modern(path):
        raise wellformed.without_layers(document, path, modern=False)
    return document


@contextlib.contextmanager
def _as_keras_opens_it(path: Path, source: Archive | Opened | None) -> Iterator[Path]:
    """The file itself, or a temporary one in the form and under a name of today."""
    if not isinstance(source, Opened):
        with modern_file(path) as modern:
            yield modern
        return
    with tempfile.TemporaryDirectory(prefix="keras-rectifiers-") as folder:
        temporary = Path(folder) / f"model{MODERN}"
        source.write(temporary)
        yield temporary


@contextlib.contextmanager
def _running(path: Path) -> Iterator[None]:
    """Turn what the user's own classes raise into one sentence."""
    try:
        yield
    except (RectifierError, OSError):
        raise
    except Exception as error:
        last = traceback.extract_tb(error.__traceback__)[-1]
        where = f"{last.name}, {Path(last.filename).name} line {last.lineno}"
        raise UnsupportedModelError(
            "The code of a model's classes must run to convert it. Received: "
            f"{str(path)!r}, where {where} raises {type(error).__name__}: {error}. "
            "Fix that code, and try again."
        ) from error
