"""The state of a monitor in a file, so that a run that was killed can go on.

Two snapshots are kept: the latest, and the latest of an earlier step. Whichever
was taken at the step of a restored model is the one to resume from.
"""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from keras_rectifiers.diagnosis.statistics import Measured
from keras_rectifiers.diagnosis.statistics_arrays import from_arrays
from keras_rectifiers.diagnosis.statistics_arrays import to_arrays
from keras_rectifiers.diagnosis.timeline import Timeline
from keras_rectifiers.errors import DataError
from keras_rectifiers.files import arrays
from keras_rectifiers.files.writing import replacing

_KIND = "keras_rectifiers monitor 1"


@dataclasses.dataclass
class MonitorState:
    """All that a monitor must know to go on."""

    #: Steps of the optimizer, by which a snapshot is found.
    step: int
    #: Epochs finished and measured.
    epoch: int
    #: See `DeadUnitMonitor.history`.
    history: list[dict[str, Any]]
    #: See `DeadUnitMonitor.timeline`.
    timeline: Timeline
    #: What the logs were given last.
    figures: dict[str, float]
    #: Of `Streaks`.
    streaks: list[int]
    #: Training steps since the last measurement between steps.
    steps_before: int
    #: Exact counts since the last epoch that was measured.
    window: Measured
    #: Exact counts of the run up to that.
    total: Measured
    #: Rectifiers of the model.
    paths: list[str]


def write(path: Path, snapshot: MonitorState, *, keep: bool) -> None:
    """Write a snapshot, whole or not at all.

    Args:
        path: The file.
        snapshot: What to write.
        keep: Whether the file that is there becomes the earlier snapshot; if not,
            it is replaced.

    Raises:
        ArchiveError: If the file cannot be written.
    """
    named = _timeline_arrays(snapshot.timeline)
    header = {
        "kind": _KIND,
        **{
            field.name: getattr(snapshot, field.name)
            for field in dataclasses.fields(snapshot)
            if field.name not in ("timeline", "window", "total")
        },
        "timeline": named.pop("header"),
        "window": list(snapshot.window),
        "total": list(snapshot.total),
    }
    for part in ("window", "total"):
        named |= to_arrays(part, getattr(snapshot, part))
    text = json.dumps(header, allow_nan=False).encode()
    named["header"] = np.frombuffer(text, np.uint8)
    with replacing(path, overwrite=True) as temporary:
        with temporary.open("wb") as file:
            np.savez(file, **named)
        if keep and path.exists():
            path.replace(earlier(path))


def read(path: Path) -> MonitorState:
    """A snapshot.

    Args:
        path: The file; not trusted.

    Raises:
        DataError: If it is damaged or something else.
    """
    names = arrays.names(path)
    if "header" not in names:
        raise _foreign(path, "it has no header")
    named = arrays.read_npz(path, names)
    try:
        header = json.loads(named["header"].tobytes())
        if header.pop("kind") != _KIND:
            raise _foreign(path, "it is of another kind")
        _check(header)
        header["timeline"] = _timeline(header["timeline"], named)
        for part in ("window", "total"):
            header[part] = from_arrays(part, header[part], named)
        return MonitorState(**header)
    except (ValueError, TypeError, KeyError, AttributeError, IndexError) as error:
        raise _foreign(path, str(error)) from error


def earlier(path: Path) -> Path:
    """Where the snapshot of an earlier step is.

    Args:
        path: The file of the latest.
    """
    return path.with_name(f"{path.stem}.earlier{path.suffix}")


def find(path: Path, step: int, paths: list[str]) -> tuple[MonitorState | None, bool]:
    """The snapshot that was taken at a step of the same model, if there is one.

    Args:
        path: The file of the latest.
        step: Steps of the optimizer.
        paths: Rectifiers of the model.

    Returns:
        The snapshot or None, and whether it is the latest.

    Raises:
        DataError: If a file is damaged or something else.
    """
    for file in (path, earlier(path)):
        if file.exists():
            snapshot = read(file)
            if (snapshot.step, snapshot.paths) == (step, paths):
                return snapshot, file == path
    return None, False


def forget(path: Path) -> None:
    """Remove the snapshot of an earlier step.

    Args:
        path: The file of the latest.
    """
    earlier(path).unlink(missing_ok=True)


def checked_path(path: str | os.PathLike[str]) -> Path:
    """A path that snapshots can be written to.

    Raises:
        ValueError: If it does not end in `.npz`.
        FileNotFoundError: If its folder is not there.
    """
    found = Path(path)
    if found.suffix != ".npz":
        raise ValueError(
            f"state_path must end in .npz. Received: state_path={str(path)!r}."
        )
    if not found.parent.is_dir():
        raise FileNotFoundError(
            "The folder of state_path must exist. Received: "
            f"state_path={str(path)!r}. Create the folder first."
        )
    return found


#: Types of what the header holds.
_TYPES: dict[str, type] = {
    "step": int,
    "epoch": int,
    "history": list,
    "figures": dict,
    "streaks": list,
    "steps_before": int,
    "paths": list,
}


def _check(header: dict[str, Any]) -> None:
    for name, kind in _TYPES.items():
        if not isinstance(header[name], kind):
            raise TypeError(f"{name} is not of type {kind.__name__}")


def _timeline_arrays(timeline: Timeline) -> dict[str, Any]:
    """Numbers as arrays; words in a header, as files of arrays hold numbers only."""
    plain = timeline.to_arrays()
    words = {"model": str(plain.pop("model")), "layers": plain.pop("layers").tolist()}
    return {"header": words, **{f"timeline/{key}": plain[key] for key in plain}}


def _timeline(words: dict[str, Any], named: Mapping[str, Any]) -> Timeline:
    prefix = "timeline/"
    numbers = {
        name.removeprefix(prefix): array
        for name, array in named.items()
        if name.startswith(prefix)
    }
    return Timeline.from_arrays(
        {
            "model": np.array(words["model"]),
            "layers": np.array(words["layers"], np.str_),
            **numbers,
        }
    )


def _foreign(path: Path, problem: str) -> DataError:
    return DataError(
        "state_path must be a new file or the state of a DeadUnitMonitor. Received: "
        f"{str(path)!r}, which is neither ({problem}). Choose another file; this one "
        "is left unchanged."
    )
