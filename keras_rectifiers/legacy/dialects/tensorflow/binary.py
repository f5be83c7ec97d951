"""A node of a TensorFlow graph in its binary form, as TensorFlow 2.1 kept it.

It is brought into the form in which protocol buffers write it in JSON.
"""

from __future__ import annotations

import base64
import struct
from typing import Any

from keras_rectifiers.legacy.containers.savedmodel.wire import Message

#: Fields of a NodeDef, of one entry in its map, and of an AttrValue.
_OPERATION, _ATTRIBUTES = 2, 5
_KEY, _VALUE = 1, 2
_LIST, _TEXT, _INTEGER, _FLOAT, _FLAG, _TYPE = 1, 2, 3, 4, 5, 6
#: Numbers of TensorFlow's types.
_TYPES = {
    1: "DT_FLOAT",
    2: "DT_DOUBLE",
    3: "DT_INT32",
    4: "DT_UINT8",
    5: "DT_INT16",
    6: "DT_INT8",
    9: "DT_INT64",
    10: "DT_BOOL",
    14: "DT_BFLOAT16",
    19: "DT_HALF",
}


def node_from_text(text: str) -> dict[str, Any]:
    """A node from its bytes, which were written as text.

    Args:
        text: A serialized `NodeDef`, decoded from UTF-8.

    Raises:
        ValueError: The bytes are no node.
    """
    node = Message(text.encode("utf-8"))
    attributes = {
        entry.text(_KEY): _attribute(entry.message(_VALUE))
        for entry in node.messages(_ATTRIBUTES)
    }
    return {"op": node.text(_OPERATION), "attr": attributes}


def _attribute(value: Message) -> dict[str, Any]:
    """The one field of an attribute that is set; nothing for other kinds."""
    number = value.fixed32(_FLOAT)
    if number is not None:
        return {"f": struct.unpack("<f", struct.pack("<I", number))[0]}
    if value.numbers(_INTEGER):
        return {"i": str(value.number(_INTEGER))}
    if value.numbers(_FLAG):
        return {"b": bool(value.number(_FLAG))}
    if value.numbers(_TYPE):
        return {"type": _TYPES.get(value.number(_TYPE))}
    if value.all_bytes(_TEXT):
        return {"s": base64.b64encode(value.bytes(_TEXT)).decode("ascii")}
    if value.all_bytes(_LIST):
        return {"list": {"i": value.message(_LIST).numbers(_INTEGER)}}
    return {}
