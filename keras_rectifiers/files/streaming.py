"""Copy many bytes in one pass: read, checked and written, each on the way to the next.

Of a large file, one thread takes the check sums of what was just read, and another
brings to the disk what was just written, so that the end need not wait for either.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable
from collections.abc import Iterator
from queue import SimpleQueue
from typing import BinaryIO

#: Bytes that are read at once; they fit into a processor's own memory.
_CHUNK = 1 << 18
#: How many of them are on their way, so that a thread that gets no processor for a
#: while holds up none.
_BUFFERS = 32
#: Bytes after which the disk begins with what is there; few files are larger.
_STEP = 8 << 20

#: Takes each piece, in turn, in whichever thread.
Note = Callable[[memoryview], None]


def copy(source: BinaryIO, target: BinaryIO, length: int, note: Note) -> int:
    """Copy bytes from where one file is to where another is.

    Whoever needs all of them on the disk syncs once more at the end.

    Args:
        source: The file to read.
        target: The file to write.
        length: How many bytes.
        note: Is given all bytes that were read, in pieces.

    Returns:
        How many are missing, because the source ended.

    Raises:
        OSError: They cannot be read, or did not reach the disk.
    """
    if length < _STEP:
        view = memoryview(bytearray(min(_CHUNK, length)))
        while length and (count := _read(source, view, length)):
            note(view[:count])
            target.write(view[:count])
            length -= count
        return length
    with _disk(target.fileno()) as wrote, _checker(note) as (free, full):
        while length:
            view = free.get()
            if not (count := _read(source, view, length)):
                break
            full.put((view, count))
            target.write(view[:count])
            length -= count
            wrote(count)
    return length


def _read(source: BinaryIO, view: memoryview, length: int) -> int:
    return source.readinto(view[: min(len(view), length)])  # type: ignore[attr-defined]


@contextlib.contextmanager
def _checker(
    note: Note,
) -> Iterator[tuple[SimpleQueue[memoryview], SimpleQueue[tuple[memoryview, int]]]]:
    """A thread that notes what is put into a queue, and frees its place in memory."""
    free: SimpleQueue[memoryview] = SimpleQueue()
    full: SimpleQueue[tuple[memoryview, int]] = SimpleQueue()
    for _ in range(_BUFFERS):
        free.put(memoryview(bytearray(_CHUNK)))
    errors: list[Exception] = []

    def check() -> None:
        while True:
            view, count = full.get()
            if not count:
                return
            try:
                if not errors:
                    note(view[:count])
            except Exception as error:  # noqa: BLE001 (raised by who waits)
                errors.append(error)
            free.put(view)

    thread = threading.Thread(target=check, daemon=True)
    thread.start()
    try:
        yield free, full
    finally:
        full.put((memoryview(b""), 0))
        thread.join()
    if errors:
        raise errors[0]


@contextlib.contextmanager
def _disk(handle: int) -> Iterator[Callable[[int], None]]:
    """A thread that syncs a file whenever enough was written to it."""
    sync = getattr(os, "fdatasync", os.fsync)
    asked, over, waiting = threading.Event(), False, 0
    errors: list[OSError] = []

    def work() -> None:
        while asked.wait() and not over:
            asked.clear()
            try:
                sync(handle)
            except OSError as error:
                errors.append(error)
                return

    def wrote(count: int) -> None:
        nonlocal waiting
        waiting += count
        if waiting >= _STEP:
            waiting = 0
            check()
            asked.set()

    def check() -> None:
        if errors:  # the kernel tells each of them only once
            raise errors[0]

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        yield wrote
    finally:
        over = True
        asked.set()
        thread.join()
    check()
