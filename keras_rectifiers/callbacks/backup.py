"""When a monitor saves its state, and from which state it resumes."""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping
from typing import Any

from keras_rectifiers.callbacks import state
from keras_rectifiers.callbacks.state import MonitorState
from keras_rectifiers.live.processes import is_first

EPOCH = "epoch"


class Backup:
    """Snapshots at the steps at which `BackupAndRestore` saves the model.

    Those are the ends of epochs, or every `frequency` batches. One more is taken after
    the last batch of an epoch: callbacks earlier in the list may save the model, and
    the run may be killed, before this callback sees the end of the epoch.

    Args:
        path: The file, ending in `.npz`.
        frequency: `"epoch"` or a number of batches.

    Raises:
        ValueError: If one of them is something else.
        FileNotFoundError: If the folder is not there.
    """

    def __init__(self, path: str | os.PathLike[str], frequency: int | str) -> None:
        self._path = state.checked_path(path)
        if frequency != EPOCH and (not isinstance(frequency, int) or frequency < 1):
            raise ValueError(
                "state_freq must be 'epoch' or an integer of at least 1. Received: "
                f"state_freq={frequency!r}."
            )
        self._frequency = frequency
        #: Step of the file, where it is of this run.
        self._saved: int | None = None
        self._batches = 0
        self._last_batch = 0

    def resume(self, step: int, paths: list[str]) -> MonitorState | None:
        """The snapshot from which a run resumes, if there is one.

        Args:
            step: Steps that the model's optimizer has taken.
            paths: Rectifiers of the model.

        Raises:
            DataError: If a file is damaged or something else.
        """
        snapshot, latest = state.find(self._path, step, paths)
        self._saved = step if latest else None
        self._batches = self._last_batch = 0
        if snapshot is None and self._path.exists():
            warnings.warn(
                f"{str(self._path)!r} does not hold the state of this model at step "
                f"{step}: counting starts again, and the file will be replaced.",
                stacklevel=2,
            )
            state.forget(self._path)
        return snapshot

    def is_due(self, batch: int, params: Mapping[str, Any] | None) -> bool:
        """Whether a snapshot must be taken after a batch.

        Args:
            batch: Index of the batch in its epoch.
            params: Of the callback; Keras puts the number of batches there.
        """
        counted = self._count(batch)
        return counted or batch + 1 == (params or {}).get("steps")

    def end_epoch(self) -> None:
        """Batches are counted from 0 again."""
        self._last_batch = 0

    def save(self, snapshot: MonitorState) -> None:
        """Write a snapshot; the one of an earlier step is kept.

        Args:
            snapshot: What to write.

        Raises:
            ArchiveError: If the file cannot be written.
        """
        if is_first():
            keep = self._saved not in (None, snapshot.step)
            state.write(self._path, snapshot, keep=keep)
        self._saved = snapshot.step

    def _count(self, batch: int) -> bool:
        """Counts as `BackupAndRestore` does, which begins with batch 0 as seen."""
        if self._frequency == EPOCH:
            return False
        new = batch + 1 if batch <= self._last_batch else batch - self._last_batch
        self._batches += new
        self._last_batch = batch
        if self._batches < int(self._frequency):
            return False
        self._batches = 0
        return True
