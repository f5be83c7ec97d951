"""Checkpoints and messages, written byte by byte, right or wrong on purpose."""

from keras_rectifiers.legacy.containers.savedmodel.crc import masked_crc32c

MAGIC = (0xDB4775248B80FB57).to_bytes(8, "little")
INDEX = "variables/variables.index"
DATA = "variables/variables.data-00000-of-00001"


def varint(value: int) -> bytes:
    """A number in the form of protobuf; negative ones take ten bytes."""
    value %= 1 << 64
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def field(number: int, value) -> bytes:
    """One field of a message: a number, bytes or text."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    if isinstance(value, str):
        value = value.encode()
    return varint(number << 3 | 2) + varint(len(value)) + value


def fixed32(number: int, value: int) -> bytes:
    """One field of four bytes."""
    return varint(number << 3 | 5) + value.to_bytes(4, "little")


def block(entries) -> bytes:
    """A block of a table, without compression of keys, and its trailer."""
    body = b"".join(
        varint(0) + varint(len(key)) + varint(len(value)) + key + value
        for key, value in entries
    )
    return sealed(body + (0).to_bytes(4, "little") + (1).to_bytes(4, "little"))


def sealed(body: bytes, kind: int = 0) -> bytes:
    """A block with its trailer: how it is compressed, and its checksum."""
    whole = body + bytes([kind])
    return whole + masked_crc32c(whole).to_bytes(4, "little")


def table(*blocks: bytes) -> bytes:
    """A table of blocks that are sealed already."""
    data, handles = b"", []
    for number, each in enumerate(blocks):
        handle = varint(len(data)) + varint(len(each) - 5)
        handles.append((b"%03d" % number, handle))
        data += each
    meta, last = block([]), block(handles)
    footer = varint(len(data)) + varint(len(meta) - 5)
    footer += varint(len(data) + len(meta)) + varint(len(last) - 5)
    return data + meta + last + footer.ljust(40, b"\0") + MAGIC


def header(shards: int = 1, endianness: int = 0) -> bytes:
    """What an index says of the whole checkpoint."""
    return field(1, shards) + field(2, endianness)


def entry(kind=1, shape=(2,), shard=0, offset=0, size=8, crc=None, more=b"") -> bytes:
    """What an index says of one array."""
    axes = b"".join(field(2, field(1, axis)) for axis in shape)
    message = field(1, kind) + field(2, axes) + field(3, shard) + field(4, offset)
    message += field(5, size) + more
    return message if crc is None else message + fixed32(6, crc)


def write(folder, data: bytes, **entries: bytes):
    """A checkpoint of one data file.

    Args:
        folder: Where `variables` is made.
        data: The data file.
        entries: Name -> what the index says; `header` -> of the whole.
    """
    (folder / "variables").mkdir(parents=True, exist_ok=True)
    top = entries.pop("header", header())
    rows = [(b"", top), *((k.encode(), v) for k, v in sorted(entries.items()))]
    (folder / INDEX).write_bytes(table(block(rows)))
    (folder / DATA).write_bytes(data)
    return folder
