"""Bytes are copied in one pass, and errors of every part of it are seen."""

import errno
import io
import os
from pathlib import Path

import pytest

from keras_rectifiers.files import streaming

_FULL = Path("/dev/full")
_SMALL, _LARGE = 1000, 3 * (8 << 20) + 5


class _Source(io.BytesIO):
    """A file that counts what is read from it."""

    count = 0

    def readinto(self, buffer):
        done = super().readinto(buffer)
        self.count += done
        return done


@pytest.fixture
def target(tmp_path):
    """A file to write."""
    with (tmp_path / "target").open("w+b") as file:
        yield file


@pytest.mark.parametrize("size", [0, 1, _SMALL, 8 << 20, _LARGE])
def test_each_byte_is_read_noted_and_written_once(target, size):
    """In the order in which they are, whichever thread takes note of them."""
    content = os.urandom(size)
    source, noted = _Source(content + b"behind"), []
    target.write(b"before")

    left = streaming.copy(
        source, target, size, lambda view: noted.append(view.tobytes())
    )

    target.seek(0)
    assert left == 0
    assert b"".join(noted) == content
    assert target.read() == b"before" + content
    assert source.count == size


@pytest.mark.parametrize("size", [_SMALL, _LARGE])
def test_a_source_that_ends_early_is_told(target, size):
    """So many bytes are missing."""
    source = io.BytesIO(bytes(size - 7))

    assert streaming.copy(source, target, size, lambda _: None) == 7


@pytest.mark.parametrize("size", [_SMALL, _LARGE])
def test_an_error_of_who_takes_note_is_raised(target, size):
    """It does not end in the thread that met it."""

    def fail(_):
        raise ValueError("not these bytes")

    with pytest.raises(ValueError, match="not these bytes"):
        streaming.copy(io.BytesIO(bytes(size)), target, size, fail)


@pytest.mark.parametrize("name", ["fdatasync", "fsync"])
def test_what_the_disk_cannot_take_is_raised(target, monkeypatch, name):
    """The kernel tells an error once; it must not be lost in a thread."""

    def fail(_):
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.delattr(os, "fdatasync", raising=False)
    monkeypatch.setattr(os, name, fail, raising=False)

    with pytest.raises(OSError, match=os.strerror(errno.EIO)):
        streaming.copy(io.BytesIO(bytes(_LARGE)), target, _LARGE, lambda _: None)


@pytest.mark.skipif(not _FULL.exists(), reason="there is no full disk")
def test_a_full_disk_ends_the_copy():
    """No thread waits for what never comes."""
    with _FULL.open("wb") as full, pytest.raises(OSError, match="No space"):
        streaming.copy(io.BytesIO(bytes(_LARGE)), full, _LARGE, lambda _: None)
