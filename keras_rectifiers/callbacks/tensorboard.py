"""The activity of units, as TensorBoard events.

The events are written with the package `tensorboard` alone. Its own writer of event
files imports TensorFlow wherever that is installed, so only the parts below it are
used: records, messages and summaries. Keras is never imported here.
"""

from __future__ import annotations

import importlib
import os
import socket
import time
import uuid
from pathlib import Path
from typing import Any
from typing import Self

import numpy as np
import numpy.typing as npt

from keras_rectifiers import installing
from keras_rectifiers.diagnosis.result import Diagnosis

#: Buckets of a histogram; TensorBoard's own default.
BUCKETS = 30

_VERSION = "brain.Event:2"


class UnitEvents:
    """Write diagnoses to a folder that TensorBoard reads.

    Each call of `write` adds, at its step:

    - scalars `units/dead_fraction`, `units/silent_fraction` (shares of all units,
      0..1), and `dead_fraction/<layer>`, `silent_fraction/<layer>`;
    - histograms over the units of a layer: `firing_rate/<layer>` (share of the
      samples in which each fired, 0..1) and, for layers that have slopes,
      `slope/<layer>`.

    TensorBoard groups tags by the text before the first slash. Each object writes its
    own file, so a run that is resumed in the same folder loses nothing. Use a folder
    next to those of `keras.callbacks.TensorBoard`, such as `logs/units`.

    Args:
        log_dir: Local folder; created if it does not exist.

    Raises:
        ImportError: If `tensorboard` is not installed.

    Example:
        ```python
        with UnitEvents("logs/units") as events:
            events.write(keras_rectifiers.diagnose(model, x), step=0)
        ```
    """

    def __init__(self, log_dir: str | os.PathLike[str]) -> None:
        self._event = _tensorboard("compat.proto.event_pb2").Event
        self._scalar = _tensorboard("plugins.scalar.summary_v2").scalar_pb
        self._histogram = _tensorboard("plugins.histogram.summary_v2").histogram_pb
        records = _tensorboard("summary.writer.record_writer").RecordWriter
        folder = Path(log_dir)
        folder.mkdir(parents=True, exist_ok=True)
        name = f"{time.time():.0f}.{socket.gethostname()}.{uuid.uuid4().hex}"
        self.path = folder / f"events.out.tfevents.{name}"
        self._records = records(self.path.open("wb"))
        self._add(file_version=_VERSION)

    def write(self, diagnosis: Diagnosis, step: int) -> None:
        """Add the events of one diagnosis; they are on the disk on return.

        Args:
            diagnosis: What was measured.
            step: Its position on TensorBoard's axis, such as the optimizer's steps.
        """
        self._number("units/dead_fraction", diagnosis.dead_fraction, step)
        self._number("units/silent_fraction", diagnosis.silent_fraction, step)
        for layer in diagnosis.layers:
            name = layer.layer
            self._number(f"dead_fraction/{name}", layer.dead_fraction, step)
            self._number(f"silent_fraction/{name}", layer.silent_fraction, step)
            rates = layer.statistics.fired_fraction
            self._distribution(f"firing_rate/{name}", rates, step)
            if layer.keeps_gradient.any():
                self._distribution(f"slope/{name}", layer.slopes, step)
        self._records.flush()

    def close(self) -> None:
        """Close the file; nothing can be written afterwards. May be called twice."""
        if not self._records.closed:
            self._records.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _number(self, tag: str, value: float, step: int) -> None:
        self._add(summary=self._scalar(tag, value), step=step)

    def _distribution(self, tag: str, values: npt.NDArray[Any], step: int) -> None:
        finite = values[np.isfinite(values)]
        self._add(summary=self._histogram(tag, finite, BUCKETS), step=step)

    def _add(self, **fields: Any) -> None:
        event = self._event(wall_time=time.time(), **fields)
        self._records.write(event.SerializeToString())


def _tensorboard(module: str) -> Any:
    try:
        return importlib.import_module(f"tensorboard.{module}")
    except ImportError as error:
        raise ImportError(
            "TensorBoard events need the package tensorboard. Install it with "
            f"`{installing.command('tensorboard')}`."
        ) from error
