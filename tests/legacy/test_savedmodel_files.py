"""The bytes of a SavedModel: numbers, tables, checksums and arrays, good and bad."""

import contextlib
import os

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keras_rectifiers.errors import ArchiveError
from keras_rectifiers.errors import UnsupportedModelError
from keras_rectifiers.legacy.containers.savedmodel import table
from keras_rectifiers.legacy.containers.savedmodel.bundle import Bundle
from keras_rectifiers.legacy.containers.savedmodel.crc import crc32c
from keras_rectifiers.legacy.containers.savedmodel.crc import masked_crc32c
from keras_rectifiers.legacy.containers.savedmodel.objects import MAX_STEPS
from keras_rectifiers.legacy.containers.savedmodel.objects import ObjectGraph
from keras_rectifiers.legacy.containers.savedmodel.wire import Message
from keras_rectifiers.legacy.containers.savedmodel.wire import varint
from tests.legacy import checkpoints
from tests.legacy.checkpoints import field

VALUES = np.array([1.5, -2.0], "<f4")
CRC = masked_crc32c(VALUES.tobytes())


@pytest.fixture
def stack():
    """Closes the files of a checkpoint."""
    with contextlib.ExitStack() as opened:
        yield opened


# Numbers and messages


@given(st.integers(-(1 << 63), (1 << 63) - 1))
def test_a_number_is_read_as_it_was_written(value):
    """Negative ones too, which protobuf writes in ten bytes."""
    assert Message(field(3, value)).number(3) == value
    assert varint(checkpoints.varint(value), 0)[0] == value % (1 << 64)


def test_a_message_is_looked_up_by_field():
    """The last of several values counts, and what is not there is empty."""
    inner = field(1, 5) + checkpoints.fixed32(2, 7)
    message = Message(field(1, "a") + field(1, "b") + field(2, inner) + field(9, 1))
    assert message.text(1) == "b"
    assert [bytes(each) for each in message.all_bytes(1)] == [b"a", b"b"]
    (below,) = message.messages(2)
    assert (below.number(1), below.fixed32(2), below.fixed32(3)) == (5, 7, None)
    assert (message.text(4), message.number(5)) == ("", 0)
    packed = checkpoints.varint(3) + checkpoints.varint(-1)
    assert Message(field(2, 7) + field(2, packed)).numbers(2) == [7, 3, -1]
    assert (message.message(2).number(1), message.message(8).number(1)) == (5, 0)


@pytest.mark.parametrize(
    "data",
    [
        b"\x80" * 11,
        b"\x0a",
        b"\x0a\x05abc",
        b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01x",
        b"\x0b\x0c",
        b"\x0d\x01\x02",
        b"\x0f",
    ],
)
def test_a_malformed_message_is_a_value_error(data):
    """Numbers without an end, lengths past the end, groups, unknown kinds."""
    with pytest.raises(ValueError, match=r"field|number"):
        Message(data)


def test_a_field_of_another_kind_is_a_value_error():
    """A file may say that a name is a number."""
    with pytest.raises(ValueError, match="number, not bytes"):
        Message(field(1, 1)).text(1)
    with pytest.raises(ValueError, match="bytes, not a number"):
        Message(field(1, "x")).number(1)
    with pytest.raises(ValueError, match="4 bytes"):
        Message(field(6, "x")).fixed32(6)


@given(st.binary(max_size=60))
def test_no_bytes_are_more_than_a_value_error(data):
    """Neither as a message, nor as a table, nor as objects."""
    for reading in (Message, ObjectGraph, lambda each: list(table.entries(each))):
        with contextlib.suppress(ValueError):
            reading(data)


# Checksums


def test_the_checksum_is_crc_32c():
    """The value that the standard gives for a test."""
    assert crc32c(b"123456789") == 0xE3069283
    assert crc32c(b"") == 0


@pytest.mark.parametrize("length", [1, 5, 4096, 4097, 9001, (1 << 20) + 7])
def test_the_checksum_of_many_bytes_is_that_of_one_after_another(length, rng):
    """However the bytes are laid out to be read side by side."""
    data = rng.bytes(length)
    assert crc32c(data) == _bit_by_bit(data)
    assert crc32c(data[3:], crc32c(data[:3])) == crc32c(data)


def _bit_by_bit(data):
    steps = []
    for byte in range(256):
        value = byte
        for _ in range(8):
            value = value >> 1 ^ (0x82F63B78 if value & 1 else 0)
        steps.append(value)
    state = 0xFFFFFFFF
    for byte in data:
        state = steps[(state ^ byte) & 0xFF] ^ state >> 8
    return state ^ 0xFFFFFFFF


# Tables


def test_keys_that_share_their_start_are_put_together():
    """As LevelDB writes them: how much is shared, and what comes after."""
    body = b"\0\x03\x01abc1" + b"\x02\x01\x01d2" + b"\0\0\0\0\x01\0\0\0"
    data = checkpoints.table(
        checkpoints.sealed(body), checkpoints.block([(b"z", b"3")])
    )
    assert list(table.entries(data)) == [(b"abc", b"1"), (b"abd", b"2"), (b"z", b"3")]


def test_a_small_file_cannot_hold_huge_keys():
    """Each key repeats the one before: a few bytes would make gigabytes."""
    long = b"a" * 20_000
    with pytest.raises(ValueError, match="longer than"):
        list(table.entries(checkpoints.table(checkpoints.block([(long, b"")]))))
    first = b"\0" + checkpoints.varint(16_000) + b"\0" + b"a" * 16_000
    more = (checkpoints.varint(16_000) + b"\0\0") * 20_000
    body = first + more + b"\0\0\0\0\x01\0\0\0"
    with pytest.raises(ValueError, match="keys take more"):
        for _ in table.entries(checkpoints.table(checkpoints.sealed(body))):
            pass


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "does not have a table footer"),
        (checkpoints.table()[:-1], "does not have a table footer"),
        (checkpoints.table(checkpoints.sealed(b"x" * 9, 1)), "compressed"),
        (checkpoints.table(b"\0" * 8 + b"\0" + b"bad!"), "checksum"),
        (checkpoints.table(checkpoints.sealed(b"\xff" * 8)), "restarts"),
        (checkpoints.table(checkpoints.sealed(b"")), "restarts"),
        (checkpoints.table(checkpoints.sealed(b"\1\1\0a" + b"\0" * 4)), "past its end"),
        (checkpoints.table(checkpoints.sealed(b"\0\7\0a" + b"\0" * 4)), "past its end"),
        (b"\xff" * 40 + checkpoints.MAGIC, "end"),
        (b"\x7f" * 40 + checkpoints.MAGIC, "past the end"),
    ],
)
def test_a_damaged_table_is_a_value_error(data, said):
    """Each way in which a block can be wrong."""
    with pytest.raises(ValueError, match=said):
        list(table.entries(data))


# Arrays


def test_an_array_is_read_when_it_is_asked_for(tmp_path, stack):
    """Values, shape, type and checksum."""
    folder = checkpoints.write(
        tmp_path, b"...." + VALUES.tobytes(), x=checkpoints.entry(offset=4, crc=CRC)
    )
    array = Bundle(folder, stack).array("x", "layer/x")
    assert (array.name, array.shape, array.dtype) == ("layer/x", (2,), np.float32)
    np.testing.assert_array_equal(array.read(), VALUES)
    assert array.read().flags.writeable


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        (2, np.array([1.5], "f8")),
        (3, np.array([-7], "i4")),
        (4, np.array([200], "u1")),
        (9, np.array([-(1 << 40)], "i8")),
        (10, np.array([True])),
        (19, np.array([0.5], "f2")),
        (23, np.array([1 << 63], "u8")),
    ],
)
@pytest.mark.parametrize("order", ["<", ">"])
def test_every_type_is_read(kind, values, order, tmp_path, stack):
    """In the order of bytes that the header says."""
    data = values.astype(values.dtype.newbyteorder(order)).tobytes()
    folder = checkpoints.write(
        tmp_path,
        data,
        x=checkpoints.entry(kind, (1,), size=len(data)),
        header=checkpoints.header(endianness=int(order == ">")),
    )
    array = Bundle(folder, stack).array("x", "x")
    assert array.dtype == values.dtype
    assert array.read().dtype == values.dtype
    np.testing.assert_array_equal(array.read(), values)


def test_bfloat16_is_read_as_float32_without_loss(tmp_path, stack):
    """NumPy has no such type; its values are those of float32, cut short."""
    values = np.array([1.5, -0.0078125], "f4")
    data = (values.view("u4") >> 16).astype("<u2").tobytes()
    folder = checkpoints.write(tmp_path, data, x=checkpoints.entry(14, size=4))
    array = Bundle(folder, stack).array("x", "x")
    assert array.dtype == np.float32
    np.testing.assert_array_equal(array.read(), values)


HUGE = 1 << 62


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        (checkpoints.entry(offset=1), "bytes 1 to 9 of a data file of 8"),
        (checkpoints.entry(offset=HUGE), "data file of 8"),
        (checkpoints.entry(size=4), "4 bytes for shape"),
        (checkpoints.entry(shape=(HUGE,), size=8), "8 bytes for shape"),
        (checkpoints.entry(shape=(HUGE,), size=HUGE * 4), r"bytes for shape"),
        (checkpoints.entry(shape=(1 << 40,), size=1 << 42), "of a data file of 8"),
        (checkpoints.entry(shape=(HUGE, 0), size=8), "8 bytes for shape"),
        (checkpoints.entry(shape=(-2,)), "negative"),
        (checkpoints.entry(offset=-8), "negative"),
        (checkpoints.entry(size=-8), "negative"),
        (checkpoints.entry(shard=-1), "negative"),
        (checkpoints.entry(shard=1), "data file 1 of 1"),
        (field(1, 1) + field(2, field(3, 1)) + field(5, 4), "no shape"),
        (b"\x0a", "variables.index"),
    ],
)
def test_a_place_that_is_not_there_is_refused_at_once(entry, said, tmp_path, stack):
    """Nothing is allocated for what the file cannot hold."""
    folder = checkpoints.write(tmp_path, VALUES.tobytes(), x=entry)
    with pytest.raises(ArchiveError, match=said):
        Bundle(folder, stack).array("x", "x")


def test_bytes_that_changed_are_found_by_their_checksum(tmp_path, stack):
    """Wrong weights would give wrong outputs without a word."""
    folder = checkpoints.write(
        tmp_path, VALUES.tobytes()[::-1], x=checkpoints.entry(crc=CRC)
    )
    array = Bundle(folder, stack).array("x", "x")
    with pytest.raises(ArchiveError, match="different checksum, for 'x'"):
        array.read()


def test_a_data_file_that_became_shorter_is_noticed(tmp_path, stack):
    """It may change between the check and the reading."""
    folder = checkpoints.write(tmp_path, VALUES.tobytes(), x=checkpoints.entry())
    array = Bundle(folder, stack).array("x", "x")
    (folder / checkpoints.DATA).write_bytes(b"")
    with pytest.raises(ArchiveError, match="was truncated"):
        array.read()


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        (checkpoints.entry(more=field(7, b"")), "in slices"),
        (checkpoints.entry(kind=7), "type 7"),
        (checkpoints.entry(kind=20), "type 20"),
    ],
)
def test_what_is_no_whole_variable_is_refused(entry, said, tmp_path, stack):
    """Slices of large embeddings, strings and handles."""
    folder = checkpoints.write(tmp_path, VALUES.tobytes(), x=entry)
    with pytest.raises(UnsupportedModelError, match=said):
        Bundle(folder, stack).array("x", "x")


def test_a_variable_without_values_is_named(tmp_path, stack):
    """The index and the objects may be of two models."""
    folder = checkpoints.write(tmp_path, b"")
    with pytest.raises(ArchiveError, match="lacks 'dense/kernel'"):
        Bundle(folder, stack).array("x", "dense/kernel")


@pytest.mark.parametrize("shards", [0, -1, 1 << 40])
def test_the_count_of_data_files_is_believed_within_limits(shards, tmp_path, stack):
    """Names of files are made of it."""
    folder = checkpoints.write(tmp_path, b"", header=checkpoints.header(shards))
    with pytest.raises(ArchiveError, match="data files"):
        Bundle(folder, stack)


def test_arrays_may_be_in_several_data_files(tmp_path, stack):
    """Large models are; a file that is missing is named."""
    folder = checkpoints.write(
        tmp_path,
        b"",
        x=checkpoints.entry(shard=1),
        y=checkpoints.entry(shard=2),
        header=checkpoints.header(3),
    )
    name = "variables/variables.data-00001-of-00003"
    (folder / name).write_bytes(VALUES.tobytes())
    bundle = Bundle(folder, stack)
    np.testing.assert_array_equal(bundle.array("x", "x").read(), VALUES)
    with pytest.raises(ArchiveError, match="data-00002-of-00003"):
        bundle.array("y", "y")


@pytest.mark.parametrize("name", [checkpoints.INDEX, checkpoints.DATA])
def test_a_link_out_of_the_folder_is_refused(name, tmp_path, stack):
    """A stranger's folder may not make a local file part of a model."""
    folder = checkpoints.write(
        tmp_path / "model", VALUES.tobytes(), x=checkpoints.entry()
    )
    secret = tmp_path / "secret"
    (folder / name).rename(secret)
    (folder / name).symlink_to(secret)
    with pytest.raises(ArchiveError, match="link to another place"):
        Bundle(folder, stack).array("x", "x")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no such files")
def test_a_file_that_never_ends_is_not_opened(tmp_path, stack):
    """Opening a pipe would wait for ever."""
    folder = checkpoints.write(tmp_path, b"", x=checkpoints.entry())
    (folder / checkpoints.DATA).unlink()
    os.mkfifo(folder / checkpoints.DATA)
    with pytest.raises(ArchiveError, match="not a regular file"):
        Bundle(folder, stack).array("x", "x")


# Objects


def _graph(*children, slots=()):
    nodes = []
    for names in children:
        each = b"".join(field(1, field(1, n) + field(2, k)) for k, n in names.items())
        nodes.append(field(1, each))
    nodes += [field(1, field(3, field(1, a) + field(3, b))) for a, b in slots]
    return b"".join(nodes)


def test_objects_that_refer_to_each_other_end():
    """A model and its layers may know each other."""
    graph = ObjectGraph(_graph({"a": 1, "self": 0}, {"up": 0, "b": 2}, {"loop": 2}))
    assert graph.follow(0, ("a", "up", "a", "b", "loop")) == 2
    assert graph.follow(0, ("a", "x")) is None
    assert graph.reached([0]) == {0: (), 1: ("a",), 2: ("a", "b")}


def test_members_of_a_list_come_in_their_order():
    """They are named by their numbers, and `10` comes after `9`."""
    names = {str(n): n for n in (10, 2, 1)}
    graph = ObjectGraph(_graph({**names, "x": 3}, *({} for _ in range(10))))
    assert graph.listed(0) == [1, 2, 10]


@pytest.mark.parametrize(
    "data",
    [b"", _graph({"a": 1}), _graph({"a": -1}), _graph({}, slots=[(0, 9)])],
)
def test_objects_that_are_not_there_are_a_value_error(data):
    """As children, and as an optimizer's variables."""
    with pytest.raises(ValueError, match=r"missing object|no objects"):
        ObjectGraph(data)


def test_a_chain_without_end_is_a_value_error():
    """The path to each object would be longer than the last, and all kept."""
    count = MAX_STEPS + 10
    graph = ObjectGraph(_graph(*({"a": n + 1} for n in range(count)), {}))
    with pytest.raises(ValueError, match="steps away"):
        graph.reached([0])
