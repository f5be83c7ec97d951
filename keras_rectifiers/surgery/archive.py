"""The binding to `.keras` files: read, rewrite, write, and never import Keras.

A `.keras` file is untrusted. Members are read by exact name, no code in them
runs, and declared sizes are checked before anything is allocated.
"""

from __future__ import annotations

import contextlib
import errno
import functools
import json
import os
import zipfile
from collections import Counter
from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any
from typing import BinaryIO

import numpy as np

from keras_rectifiers.errors import ArchiveError
from keras_rectifiers.files import members
from keras_rectifiers.files import zipcopy
from keras_rectifiers.files.members import CONFIG
from keras_rectifiers.files.members import WEIGHTS
from keras_rectifiers.files.writing import check_model_target
from keras_rectifiers.files.writing import replacing
from keras_rectifiers.graph import wellformed
from keras_rectifiers.graph.document import MAX_DEPTH
from keras_rectifiers.graph.document import Entry
from keras_rectifiers.graph.document import Place
from keras_rectifiers.graph.document import give_names
from keras_rectifiers.graph.document import is_model
from keras_rectifiers.graph.sites import Found
from keras_rectifiers.graph.survey import Survey
from keras_rectifiers.graph.unseen import Inside
from keras_rectifiers.repairs import Repair
from keras_rectifiers.surgery import marks
from keras_rectifiers.surgery.plan import Plan
from keras_rectifiers.surgery.saved_source import SavedSource
from keras_rectifiers.surgery.trained import may_touch_state

_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class Archive(SavedSource):
    """An open `.keras` file, read only.

    Args:
        survey: Its document.
        path: Where it is.
        file: Its bytes.
        infos: Its members.
        closing: Closes what is opened to read from the archive.
    """

    def __init__(
        self,
        survey: Survey,
        path: Path,
        file: BinaryIO,
        infos: members.Members,
        closing: contextlib.ExitStack,
    ) -> None:
        super().__init__(survey, path)
        self.file = file
        self.members = infos
        self._closing = closing

    def member(self, name: str) -> zipfile.ZipInfo:
        """A member by its exact name.

        Raises:
            ArchiveError: The archive has no such member.
        """
        for info in self.members:
            if info.filename == name:
                return info
        raise ArchiveError(
            f"A .keras file must contain {name!r}. Received: {str(self.path)!r}, "
            "which does not. It may have sharded or NumPy weights: load it with Keras "
            "and convert the model with keras_rectifiers.convert."
        )

    @functools.cached_property
    def _weights(self) -> Any:
        """The weights file, open as long as the archive is."""
        return self._closing.enter_context(self._opened())

    def read_alpha(self, found: Found) -> Any:
        """The slopes of a PReLU, as they act.

        Raises:
            ArchiveError: There are none, or the weights cannot be read.
        """
        from keras_rectifiers.surgery import weights_file  # noqa: PLC0415 (h5py)

        size = self.member(WEIGHTS).file_size
        with wellformed.reading(self.path, WEIGHTS), _readable(self.path):
            stored = weights_file.read_alpha(self._weights, found.group, size)
        return np.asarray(stored) * found.slope_scale

    def repairs_for(self, plan: Plan) -> tuple[Repair, ...]:
        """Which optimizer state a plan drops, since it cannot be kept exactly.

        The weights file is opened only where the plan changes what is trained.

        Args:
            plan: A plan for this model.
        """
        names = {info.filename for info in self.members}
        if not self.document.get("compile_config") or WEIGHTS not in names:
            return ()
        rewritten = self.rewritten(plan)
        if not may_touch_state(self.document, rewritten):
            return ()
        from keras_rectifiers.surgery import weights_file  # noqa: PLC0415 (h5py)

        with wellformed.reading(self.path, WEIGHTS), _readable(self.path):
            arrays = weights_file.arrays_of(self._weights)
            return weights_file.state_left(arrays, self.document, rewritten)

    @contextlib.contextmanager
    def _opened(self) -> Iterator[Any]:
        with (
            wellformed.unpacking(self.path, WEIGHTS),
            zipcopy.unpacked(self.file, self.member(WEIGHTS)) as member,
            open_weights(member, self.path, "r") as weights,
        ):
            yield weights

    def look(self, place: Place) -> Inside:
        """What the weights show about the layers inside a place."""
        stored = self._stored.get(place.group)
        return Inside(None if stored is None else stored - 1)

    @functools.cached_property
    def _stored(self) -> Mapping[tuple[str, ...], int]:
        """How many layers each group of the weights holds, its own one included."""
        from keras_rectifiers.surgery import weights_file  # noqa: PLC0415 (h5py)

        found: Counter[tuple[str, ...]] = Counter()
        # A plan needs no weights.
        with contextlib.suppress(ArchiveError), _readable(self.path):
            for group in weights_file.layer_groups(self._weights):
                around = range(min(len(group), 3 * MAX_DEPTH))
                found.update(group[: length + 1] for length in around)
        return found


@contextlib.contextmanager
def read(path: str | os.PathLike[str]) -> Iterator[Archive]:
    """Open a `.keras` file and read its document.

    Args:
        path: The file.

    Raises:
        ArchiveError: It is missing, a folder, damaged, or not a `.keras` file.
    """
    path = Path(path)
    with members.open_file(path) as file, members.open_zip(file, path) as zipped:
        infos, document, metadata = members.texts_of(zipped, path)
        survey = _checked(document, metadata, path)
        if marks.complete(document):
            survey = Survey(document)
        closing = contextlib.ExitStack()
        try:
            yield Archive(survey, path, file, infos, closing)
        finally:  # what the caller raises is not about the weights
            closing.close()


def apply(
    archive: Archive,
    target: str | os.PathLike[str],
    plan: Plan,
    *,
    overwrite: bool = False,
    check: Callable[[Path, Archive, Entry], None] | None = None,
    beside: Mapping[str, bytes] = MappingProxyType({}),
) -> None:
    """Convert a `.keras` file by a plan into another file.

    An optimizer's state that cannot be kept exactly is dropped; `Archive.repairs_for`
    says which.

    Args:
        archive: The file that the plan was made for; it is not changed.
        target: The file to write, completely or not at all.
        plan: The plan.
        overwrite: Whether an existing target may be replaced.
        check: Looks at the new file before it is put in place: it gets the file, the
            source and the new document, and raises if the file must not stay.
        beside: Additional members of the new file, by their names; an empty one is
            removed.

    Raises:
        ArchiveError: A file is damaged, foreign, or cannot be written.
        PlanMismatchError: The plan is for another model.
    """
    check_model_target(archive.path, target, overwrite=overwrite)
    with replacing(target, overwrite=overwrite, named=False) as temporary:
        weights = archive.member(WEIGHTS)
        rewritten = archive.rewritten(plan)
        with wellformed.reading(archive.path, CONFIG):
            config = json.dumps(rewritten.document).encode()
        with zipfile.ZipFile(temporary, "w", zipfile.ZIP_STORED) as new:
            for info in archive.members:
                if info.filename == CONFIG:
                    new.writestr(_like(info), config)
                elif info is not weights and info.filename not in beside:
                    zipcopy.copy_member(archive.file, new, info)
            _write_weights(archive, weights, new, rewritten)
            members.write_packed(new, beside)
        if check is not None:
            check(temporary, archive, rewritten.document)


def _write_weights(
    archive: Archive, info: zipfile.ZipInfo, new: zipfile.ZipFile, rewritten: Any
) -> None:
    from keras_rectifiers.surgery import weights_file  # noqa: PLC0415 (h5py)

    if not weights_file.needs_edit(archive.document, rewritten):
        zipcopy.copy_member(archive.file, new, info)
        return
    with (
        wellformed.unpacking(archive.path, WEIGHTS),
        zipcopy.patched_member(archive.file, new, info) as window,
        open_weights(window, archive.path, "r+") as file,
    ):
        weights_file.edit(file, archive.document, rewritten)


def weights_shapes(path: Path) -> dict[str, tuple[int, ...]]:
    """Name and shape of every array in the weights of a `.keras` file.

    Args:
        path: The file.

    Raises:
        ArchiveError: It is damaged, or has no weights.
    """
    from keras_rectifiers.files import hdf5  # noqa: PLC0415 (h5py)

    with members.open_file(path) as file, members.open_zip(file, path) as zipped:
        info = next(each for each in zipped.infolist() if each.filename == WEIGHTS)
        with (
            zipcopy.unpacked(file, info) as weights,
            open_weights(weights, path, "r", checked=True) as opened,
        ):
            return hdf5.array_shapes(opened)


@contextlib.contextmanager
def open_weights(
    file: Any, path: Path, mode: str, *, checked: bool = False
) -> Iterator[Any]:
    """Open an untrusted weights file.

    Args:
        file: Its bytes, at their beginning.
        path: Where they come from, for messages.
        mode: As `h5py.File` takes it.
        checked: Whether the block itself looks at all links.

    Raises:
        ArchiveError: It is damaged, is not HDF5, or has links that leave the file.
    """
    import h5py  # noqa: PLC0415 (not needed to plan)

    from keras_rectifiers.files import hdf5  # noqa: PLC0415

    with _readable(path):
        _check_signature(file)
        with h5py.File(file, mode) as weights:
            if not checked:
                hdf5.check_links(weights)
            yield weights


@contextlib.contextmanager
def _readable(path: Path) -> Iterator[None]:
    """Turn what a damaged weights file raises into one sentence."""
    try:
        yield
    except OSError as error:
        if error.errno in _NO_ROOM:
            raise  # the target's trouble, not the source's
        raise ArchiveError(_unreadable(path, error)) from error
    except (RuntimeError, *wellformed.MALFORMED) as error:
        if not _comes_from_hdf5(error):
            raise  # a mistake of this package: no other copy of the file would help
        raise ArchiveError(_unreadable(path, error)) from error


def _check_signature(file: Any) -> None:
    """Refuse files that are not HDF5, which h5py would replace by a new file."""
    if file.read(len(members.HDF5)) != members.HDF5:
        raise OSError("it has no HDF5 signature")
    file.seek(0)


def _comes_from_hdf5(error: Exception) -> bool:
    """Whether the library that reads the file raised an error, or this package."""
    trace = error.__traceback__
    while trace is not None:
        if "h5py" in Path(trace.tb_frame.f_code.co_filename).parts:
            return True
        trace = trace.tb_next
    return False


def _unreadable(path: Path, error: Exception) -> str:
    reason = f"{type(error).__name__}: {error}".splitlines()[0]
    return (
        f"The weights must be a whole HDF5 file. Received: {str(path)!r}, whose "
        f"{WEIGHTS} cannot be read ({reason}). The file is damaged; use another copy "
        "of it."
    )


def _checked(document: Entry, metadata: dict[str, Any], path: Path) -> Survey:
    version = str(metadata.get("keras_version", ""))
    if version and version.split(".", maxsplit=1)[0] in ("1", "2"):
        raise ArchiveError(
            f"A .keras file must be written by Keras 3. Received: {str(path)!r}, "
            f"written by Keras {version}. Upgrade it first "
            "(keras_rectifiers.upgrade_file)."
        )
    if not is_model(document):
        raise wellformed.without_layers(document, path)
    give_names(document)
    survey = Survey(document)
    wellformed.check(survey, path)
    return survey


def _like(info: zipfile.ZipInfo) -> zipfile.ZipInfo:
    new = zipfile.ZipInfo(info.filename, info.date_time)
    new.compress_type = info.compress_type
    new.external_attr = info.external_attr
    return new
