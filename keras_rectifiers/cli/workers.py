"""Do the same work on many items in processes; a crash costs one item only."""

from __future__ import annotations

import contextlib
import dataclasses
import multiprocessing
import os
import signal
from collections import deque
from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Sequence
from multiprocessing.connection import Connection
from multiprocessing.connection import wait
from typing import Any

#: Seconds that a process without work has to end by itself.
_PATIENCE = 5


@dataclasses.dataclass(frozen=True)
class Crash:
    """What takes the place of a result where a process ended."""

    #: A phrase that follows a subject, such as "crashed (SIGSEGV)".
    how: str


def results(
    function: Callable[[Any], Any], items: Sequence[Any], jobs: int
) -> Iterator[tuple[int, Any]]:
    """The number and the result of each item, as they become ready.

    Args:
        function: What is called with each item in another process. It can be
            pickled, and so can items and results.
        items: The items.
        jobs: Processes at the same time.

    Yields:
        The number of an item, and its result or a `Crash`.
    """
    waiting = deque(enumerate(items))
    workers = [_Worker(function) for _ in range(min(jobs, len(items)))]
    try:
        for each in workers:
            each.give(*waiting.popleft())
        while busy := [each for each in workers if each.number is not None]:
            ready = wait([each.connection for each in busy])
            for each in [each for each in busy if each.connection in ready]:
                yield each.result()
                if waiting:
                    each.give(*waiting.popleft())
    finally:
        for each in workers:
            each.end(at_once=each.number is not None)


class _Worker:
    """One process, and another one where it crashed.

    Args:
        function: What it calls with each item.
    """

    def __init__(self, function: Callable[[Any], Any]) -> None:
        self._function = function
        self.number: int | None = None
        self._start()

    def _start(self) -> None:
        # A process that is forked has the threads' locks of its parent.
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, self._function))
        self._process.start()
        theirs.close()

    def give(self, number: int, item: Any) -> None:
        """Begin with an item."""
        if not self._process.is_alive():
            self.end(at_once=True)
            self._start()
        self.number = number
        with contextlib.suppress(OSError):  # it ended: `result` says how
            self.connection.send(item)

    def result(self) -> tuple[int, Any]:
        """The result of the item that it has, once there is one."""
        number, self.number = self.number, None
        assert number is not None  # noqa: S101 (for mypy)
        try:
            return number, self.connection.recv()
        except (EOFError, OSError):
            self._process.join()
            return number, Crash(_how(self._process.exitcode))

    def end(self, *, at_once: bool) -> None:
        """End the process."""
        self.connection.close()
        if not at_once:
            self._process.join(_PATIENCE)
        if self._process.is_alive():
            self._process.kill()
        self._process.join()


def _how(code: int | None) -> str:
    if code is not None and code < 0:
        with contextlib.suppress(ValueError):
            return f"crashed ({signal.Signals(-code).name})"
    return f"ended with code {code}"


def _serve(connection: Connection, function: Callable[[Any], Any]) -> None:
    """What a process does: call the function until there are no more items."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends it
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):  # what libraries print would be between the lines of results
        os.dup2(nowhere, stream)
    with contextlib.suppress(EOFError, OSError):
        while True:
            connection.send(function(connection.recv()))
