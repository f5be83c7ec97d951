"""What a monitor measures with: a probe set, or the counts of the training steps."""

from __future__ import annotations

import abc
from typing import Any

from keras_rectifiers.callbacks import sampling
from keras_rectifiers.callbacks.exact import ExactCounter
from keras_rectifiers.diagnosis.diagnose import Diagnostician
from keras_rectifiers.diagnosis.result import Diagnosis
from keras_rectifiers.diagnosis.statistics import Measured
from keras_rectifiers.diagnosis.statistics import merged
from keras_rectifiers.diagnosis.statistics_arrays import of_all_processes
from keras_rectifiers.live import processes
from keras_rectifiers.live.rectifiers import LiveRectifier


class Source(abc.ABC):
    """One way to measure a model that trains; one that counts nothing meanwhile."""

    #: Whether there is something to measure before the first step.
    at_start = True

    def __init__(self) -> None:
        #: Exact counts up to the end of the last window.
        self.total: Measured = {}

    def start(self) -> None:  # noqa: B027 - nothing is to be done
        """Training begins."""

    def stop(self) -> None:  # noqa: B027 - nothing is to be done
        """Training has ended."""

    @abc.abstractmethod
    def measure(self) -> Diagnosis:
        """The diagnosis of now."""

    def window(self) -> Measured:
        """Exact counts since the last window ended."""
        return {}

    def end_window(self) -> None:  # noqa: B027 - each measurement is by itself
        """Begin a window: what was counted goes into `total`."""

    def resume(self, window: Measured, total: Measured) -> None:  # noqa: B027 - as above
        """Resume from counts that an earlier run left."""


class ProbeSource(Source):
    """Runs a probe set through the model, in inference mode.

    Args:
        observer: Of the model.
        probe: Data as `diagnose` takes it.
    """

    def __init__(self, observer: Diagnostician, probe: Any) -> None:
        super().__init__()
        self.observer = observer
        self.probe = probe

    def measure(self) -> Diagnosis:
        return self.observer.diagnose(self.probe)


def source_of(
    observer: Diagnostician,
    rectifiers: tuple[LiveRectifier, ...],
    data: Any,
    samples: int | None,
) -> Source:
    """What measures with some data, or with the training samples.

    Args:
        observer: Of the model.
        rectifiers: What is watched.
        data: Data as `diagnose` takes it; None for the training samples.
        samples: Most samples of the data that are used, None for all.
    """
    if data is None:
        return ExactSource(observer, rectifiers)
    if samples is not None:
        data = sampling.sampled(
            data, samples, batch_size=observer.batch_size, steps=observer.steps
        )
    shared = sampling.of_first(
        data, batch_size=observer.batch_size, steps=observer.steps
    )
    return ProbeSource(observer, shared)


class ExactSource(Source):
    """Counts what every training sample does.

    Args:
        observer: Of the model.
        rectifiers: What is counted.
    """

    at_start = False

    def __init__(
        self, observer: Diagnostician, rectifiers: tuple[LiveRectifier, ...]
    ) -> None:
        super().__init__()
        self._observer = observer
        self._rectifiers = rectifiers
        self._counter = ExactCounter(observer.model, rectifiers)
        #: Counts of this window that an earlier run left.
        self._before: Measured = {}

    def start(self) -> None:
        self._counter.start()

    def stop(self) -> None:
        self._counter.stop()
        if processes.count() > 1:  # later, who asks may be alone
            self.end_window()

    def measure(self) -> Diagnosis:
        return self._observer.judge(self._rectifiers, self.window())

    def window(self) -> Measured:
        return merged([self._before, *of_all_processes(self._counter.read())])

    def end_window(self) -> None:
        self.total = merged([self.total, self.window()])
        self._before = {}
        self._counter.reset()

    def resume(self, window: Measured, total: Measured) -> None:
        self._before, self.total = window, total

    def everything(self) -> Diagnosis:
        """The diagnosis of all that was counted in the run."""
        parts = [self.total, self._before, self._counter.read()]
        return self._observer.judge(self._rectifiers, merged(parts))
