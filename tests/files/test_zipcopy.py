"""Members of an archive travel as raw bytes, and one may be changed on the way."""

import io
import os
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keras_rectifiers.errors import ArchiveError
from keras_rectifiers.files.sums import BLOCK
from keras_rectifiers.files.zipcopy import Window
from keras_rectifiers.files.zipcopy import copy_member
from keras_rectifiers.files.zipcopy import patched_member

_CONTENT = {"a": b"first" * 1000, "folder/b": b"", "ü": b"\0\1" * 99}


def _make(path, compression):
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in _CONTENT.items():
            archive.writestr(name, content)
    return path


def _copy(source, target, last=None, change=None):
    """Copy every member; `change` edits the last one in its window."""
    with (
        source.open("rb") as file,
        zipfile.ZipFile(source) as old,
        zipfile.ZipFile(target, "w") as new,
    ):
        for info in old.infolist():
            if info.filename != last:
                copy_member(file, new, info)
        if last is not None:
            with patched_member(file, new, old.getinfo(last)) as window:
                change(window)


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_members_are_copied_as_they_are(tmp_path, compression):
    """Packed or not: the same packed bytes."""
    source = _make(tmp_path / "old", compression)

    _copy(source, tmp_path / "new")

    with zipfile.ZipFile(source) as old, zipfile.ZipFile(tmp_path / "new") as new:
        assert new.testzip() is None
        assert {name: new.read(name) for name in new.namelist()} == _CONTENT
        for before, after in zip(old.infolist(), new.infolist(), strict=True):
            for field in ("CRC", "compress_size", "compress_type", "date_time"):
                assert getattr(before, field) == getattr(after, field)


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
@pytest.mark.parametrize("size", [3, 5000, 9000])
def test_a_patched_member_may_change_and_grow(tmp_path, compression, size):
    """Size and checksum are those of what stands there at the end."""

    def change(window):
        window.seek(2)
        window.write(b"X")
        window.truncate(size)

    source = _make(tmp_path / "old", compression)
    _copy(source, tmp_path / "new", "a", change)

    with zipfile.ZipFile(tmp_path / "new") as new:
        assert new.testzip() is None
        content = new.read("a")
    assert content[:3] == b"fiX"
    assert len(content) == size


def test_a_member_with_another_sum_is_refused(tmp_path):
    """Damage is not carried into a new file under a fresh checksum."""
    source = _make(tmp_path / "old", zipfile.ZIP_STORED)
    content = bytearray(source.read_bytes())
    content[content.index(b"first")] ^= 1
    source.write_bytes(content)

    with pytest.raises(ArchiveError, match="checksum"):
        _copy(source, tmp_path / "new")
    with pytest.raises(ArchiveError, match="checksum"):
        _copy(source, tmp_path / "new", "a", lambda _: None)


@pytest.mark.parametrize(
    "change",
    [
        lambda packed: packed[:-3],
        lambda packed: packed + b"more",
        lambda packed: packed[:9] + b"\xff" * 9 + packed[18:],
    ],
    ids=["cut off", "more behind", "damaged"],
)
def test_packed_bytes_that_do_not_unpack_are_refused(tmp_path, change):
    """They are unpacked on the way, for their sum alone."""
    source = _make(tmp_path / "old", zipfile.ZIP_DEFLATED)
    content = source.read_bytes()
    with zipfile.ZipFile(source) as archive:
        info = archive.getinfo("a")
    start = content.index(b"a", 30) + 1
    packed = change(content[start : start + info.compress_size])
    damaged = tmp_path / "damaged"
    damaged.write_bytes(content[:start] + packed + b"\0" * 99)
    info.compress_size = len(packed)

    with (
        damaged.open("rb") as file,
        zipfile.ZipFile(tmp_path / "new", "w") as new,
        pytest.raises(ArchiveError, match="checksum"),
    ):
        copy_member(file, new, info)


@pytest.mark.parametrize("name", ["changed", "copied"])
def test_a_large_member_is_read_once(tmp_path, name):
    """While it is copied, and only what was changed of it afterwards."""
    content = os.urandom(20 << 20)
    source = tmp_path / "old"
    with zipfile.ZipFile(source, "w") as archive:
        archive.writestr("large", content)
        info = archive.getinfo("large")
    with (
        _Counting(source) as file,
        _Counting(tmp_path / "new", "w+") as made,
    ):
        with zipfile.ZipFile(made, "w") as new:
            if name == "copied":
                copy_member(file, new, info)
            else:
                with patched_member(file, new, info) as window:
                    window.seek(9)
                    window.write(b"X")
        assert file.count < len(content) + 100
        assert made.count <= (BLOCK if name == "changed" else 0)
    if name == "changed":
        content = content[:9] + b"X" + content[10:]
    with zipfile.ZipFile(tmp_path / "new") as new:
        assert new.read("large") == content


class _Counting(io.FileIO):
    """A file that counts what is read from it."""

    count = 0

    def readinto(self, buffer):
        done = super().readinto(buffer)
        self.count += done
        return done


def test_a_member_that_is_not_where_it_should_be_is_refused(tmp_path):
    """The directory points somewhere, but no header is there."""
    source = _make(tmp_path / "old", zipfile.ZIP_STORED)
    content = bytearray(source.read_bytes())
    content[:4] = b"none"
    source.write_bytes(content)

    with pytest.raises(ArchiveError, match="begin with its header"):
        _copy(source, tmp_path / "new")


_STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("seek"), st.integers(0, 40)),
        st.tuples(st.just("write"), st.binary(max_size=9)),
        st.tuples(st.just("read"), st.integers(0, 40)),
        st.tuples(st.just("truncate"), st.integers(1, 40)),
    ),
    max_size=12,
)


@given(steps=_STEPS)
def test_a_window_behaves_as_a_file_of_its_own(steps):
    """Whatever is done to it, it gives what an in-memory file gives."""
    before, start = b"before the window", 17
    plain = io.BytesIO(b"inside")
    around = io.BytesIO(before + b"inside")
    window = Window(around, start, 6)

    for name, argument in steps:
        assert getattr(window, name)(argument) == getattr(plain, name)(argument)
        if name == "truncate" and argument > len(plain.getvalue()):
            plain.seek(0, io.SEEK_END)  # BytesIO does not grow here, files do
            plain.write(b"\0" * (argument - plain.tell()))
            around.seek(0, io.SEEK_END)
            around.write(b"\0" * (start + argument - around.tell()))
            plain.seek(0)
            window.seek(0)

    assert around.getvalue()[:start] == before
    window.seek(0)
    assert window.read() == plain.getvalue()


def test_a_window_ends_where_its_member_ends():
    """What follows in the file belongs to others."""
    window = Window(io.BytesIO(b"xxinsideyy"), 2, 6)

    assert window.read() == b"inside"
    assert window.read() == b""
    assert window.seek(-2, os.SEEK_END) == 4
    assert window.read(9) == b"de"
