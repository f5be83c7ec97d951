"""Check sums of blocks, put together, are that of the whole."""

import io
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keras_rectifiers.files import sums
from keras_rectifiers.files.zipcopy import Window


@given(first=st.binary(max_size=99), second=st.binary(max_size=300))
def test_two_sums_make_that_of_both(first, second):
    """Whatever the lengths, with nothing read again."""
    made = sums.joined(zlib.crc32(first), zlib.crc32(second), len(second))

    assert made == zlib.crc32(first + second)


def test_long_parts_are_joined_too():
    """The number of zeros that stands for the second part is large."""
    second = bytes(range(256)) * 5000

    made = sums.joined(zlib.crc32(b"first"), zlib.crc32(second), len(second))
    assert made == zlib.crc32(b"first" + second)


_CHANGES = st.lists(
    st.one_of(
        st.tuples(st.just("write"), st.integers(0, 90), st.binary(max_size=20)),
        st.tuples(st.just("truncate"), st.integers(0, 90), st.just(b"")),
    ),
    max_size=8,
)


@given(content=st.binary(max_size=60), changes=_CHANGES)
def test_the_sum_follows_every_change(content, changes):
    """Bytes that change, that are added, skipped or cut off."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sums, "BLOCK", 8)
        around = io.BytesIO(b"before" + content)
        known = sums.BlockSums()
        known.add(memoryview(content))
        window = Window(around, 6, len(content), known)
        for name, place, data in changes:
            if name == "write":
                window.seek(place)
                window.write(data)
            elif place <= window.size:
                window.truncate(place)
            size = window.size
            assert window.check_sum() == zlib.crc32(around.getvalue()[6 : 6 + size])


class _Counting(io.BytesIO):
    """A file that counts what is read from it."""

    count = 0

    def readinto(self, buffer):
        done = super().readinto(buffer)
        self.count += done
        return done


def test_only_changed_blocks_are_read_again():
    """One byte of a hundred blocks costs the reading of one block."""
    content = bytes(100 * sums.BLOCK)
    file = _Counting(content)
    known = sums.BlockSums()
    known.add(memoryview(content))
    window = Window(file, 0, len(content), known)
    window.seek(50 * sums.BLOCK + 3)
    window.write(b"x")

    assert window.check_sum() == zlib.crc32(file.getvalue())
    assert file.count == sums.BLOCK
