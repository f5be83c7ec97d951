"""The state of a run in a file, so that one that was killed can go on."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
import os
from collections.abc import Mapping
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from keras_rectifiers.errors import ArchiveError
from keras_rectifiers.errors import DataError
from keras_rectifiers.files import arrays
from keras_rectifiers.files.writing import replacing
from keras_rectifiers.live import processes

_KIND = "keras_rectifiers finetune 1"
_NAME = "run-{}.npz"
#: Numbers that JSON does not know.
_ODD = {"inf": math.inf, "-inf": -math.inf, "nan": math.nan}


@dataclasses.dataclass
class RunState:
    """All that a run must know to go on, in addition to what a new call finds again."""

    #: Plain numbers and words.
    facts: dict[str, Any]
    #: Lists of arrays by name.
    values: dict[str, list[np.ndarray]]


@dataclasses.dataclass(frozen=True)
class RunFile:
    """Where the state of one run is kept.

    Args:
        path: The file; not trusted.
        mark: What tells runs apart: a state with another one is refused.
    """

    path: Path
    mark: str

    def write(self, state: RunState) -> None:
        """Write a state, whole or not at all.

        Raises:
            ArchiveError: It cannot be written.
        """
        named: dict[str, Any] = {
            f"{name}/{place}": _plain(array)
            for name, values in state.values.items()
            for place, array in enumerate(values)
        }
        counts = {name: len(values) for name, values in state.values.items()}
        header = {"kind": _KIND, "mark": self.mark, "counts": counts}
        text = json.dumps({**header, "facts": _written(state.facts)}, allow_nan=False)
        named["header"] = np.frombuffer(text.encode(), np.uint8)
        with replacing(self.path, overwrite=True, suffix=".npz") as temporary:
            np.savez(temporary, **named)

    def read(self) -> RunState | None:
        """The state that was written, if there is one.

        Raises:
            DataError: It is damaged, something else, or of another run.
        """
        if not self.path.exists():
            return None
        named = arrays.read_npz(self.path, arrays.names(self.path))
        try:
            header = json.loads(named["header"].tobytes())
            known, same = header["kind"] == _KIND, header["mark"] == self.mark
            values = {
                str(name): [named[f"{name}/{place}"] for place in range(count)]
                for name, count in header["counts"].items()
            }
            facts = _read(header["facts"])
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise self._refused(f"it lacks {error}") from error
        if not known:
            raise self._refused("it is of another kind")
        if not same:
            raise self._refused("it is of another model, other data or options")
        return RunState(facts, values)

    def _refused(self, why: str) -> DataError:
        return DataError(
            f"Cannot resume: {str(self.path)!r} was saved by a different run ({why}). "
            "Choose another folder, or delete this one to start over."
        )


def slots(
    folder: str | os.PathLike[str] | None, marks: Sequence[str]
) -> list[RunFile | None]:
    """A file for each run of a call; the folder is made where it is not there.

    Args:
        folder: The folder; None where nothing is kept.
        marks: The mark of each run.

    Raises:
        ArchiveError: The folder cannot be made.
    """
    if folder is None:
        return [None for _ in marks]
    path = Path(folder)
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ArchiveError(
            f"The state of a run needs a folder. Received: {str(path)!r}, which "
            f"cannot be made: {error.strerror}."
        ) from error
    files = [RunFile(path / _NAME.format(i), mark) for i, mark in enumerate(marks)]
    _check_seen_by_all(path, [each.path.exists() for each in files])
    return list(files)


def _check_seen_by_all(folder: Path, there: Sequence[bool]) -> None:
    """Refuse a folder that processes which train together do not share."""
    found = processes.gathered({"there": np.asarray(there)})
    if any(not np.array_equal(each["there"], there) for each in found):
        raise DataError(
            "Processes that train together resume from one folder. Received: "
            f"{str(folder)!r}, in which they do not see the same files. Give a folder "
            "that all of them share, or an empty one."
        )


def remove(folder: str | os.PathLike[str]) -> None:
    """Remove the states in a folder, and the folder where nothing else is in it."""
    path = Path(folder)
    for file in path.glob(_NAME.format("[0-9]")):
        file.unlink()
    if path.is_dir() and not any(path.iterdir()):
        path.rmdir()


def mark(model: Any, arrays_of: Any, options: Mapping[str, Any]) -> str:
    """What tells a run from others: weights, data, and what was asked for.

    Args:
        model: The original.
        arrays_of: Arrays of the data, in any structure.
        options: Plain data, or what has a stable `repr`.
    """
    found = hashlib.sha256(json.dumps(options, default=repr, sort_keys=True).encode())
    for array in [*model.get_weights(), *keras.tree.flatten(arrays_of)]:
        found.update(np.ascontiguousarray(array).tobytes())
    return found.hexdigest()


def _plain(array: Any) -> np.ndarray:
    """An array of a type that numpy's files know; bfloat16 is kept as float32."""
    made = np.asarray(array)
    return made.astype(np.float32) if made.dtype.kind == "V" else made


def _written(value: Any) -> Any:
    """Plain data with the odd numbers in words."""
    if isinstance(value, dict):
        return {key: _written(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_written(each) for each in value]
    if isinstance(value, float) and not math.isfinite(value):
        return {"number": str(value)}
    return value


def _read(value: Any) -> Any:
    if isinstance(value, dict):
        if set(value) == {"number"}:
            return _ODD[value["number"]]
        return {key: _read(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_read(each) for each in value]
    return value
