"""Files that are no saved Keras model: what each is, and what to do instead."""

from __future__ import annotations

import re
from pathlib import Path
from typing import BinaryIO

_YAML = re.compile(r"(^|\n)\s*(backend|class_name|config|keras_version)\s*:|!!python")
_TABLE = b"\x57\xfb\x80\x8b\x24\x75\x47\xdb"
_HEAD = 4096

_LOAD = "Load it into its model with the Keras that wrote it, and save the whole model"

#: First bytes -> what the file is, and what to do.
_MAGIC: tuple[tuple[bytes, str, str], ...] = (
    (b"\x1f\x8b", "a gzip archive", "Unpack it first"),
    (b"BZh", "a bzip2 archive", "Unpack it first"),
    (b"\xfd7zXZ", "an xz archive", "Unpack it first"),
    (b"7z\xbc\xaf", "a 7z archive", "Unpack it first"),
    (b"Rar!", "a RAR archive", "Unpack it first"),
    (b"\x93NUMPY", "a NumPy array", "Name the model that it belongs to"),
    (
        b"version https://git-lfs",
        "a pointer of Git LFS",
        "Fetch the file itself with git lfs pull",
    ),
    (
        b"model_checkpoint_path",
        "the list of a TensorFlow checkpoint",
        "Give the JSON of the architecture as the model, and the weights as --weights",
    ),
)
_PICKLE = re.compile(rb"\x80[\x02-\x05]")


def describe(file: BinaryIO, path: Path, size: int) -> str:
    """One sentence for a file that is no saved Keras model.

    Args:
        file: The open file.
        path: Where it is.
        size: Its length in bytes.
    """
    file.seek(0)
    head = file.read(_HEAD)
    file.seek(max(0, size - len(_TABLE)))
    what, remedy = _what(head, file.read(len(_TABLE)), path)
    return (
        f"A model must be one that Keras saved. Received: {str(path)!r}, which is "
        f"{what}. {remedy}."
    )


def _what(head: bytes, tail: bytes, path: Path) -> tuple[str, str]:
    if not head:
        return "empty", "Take another copy of it"
    for magic, what, remedy in _MAGIC:
        if head.startswith(magic):
            return what, remedy
    if head[4:8] == b"TFL3":
        return "a TFLite model", "Take the Keras model that it was converted from"
    if tail == _TABLE:
        return (
            "the index of a TensorFlow checkpoint",
            _LOAD,
        )
    if _PICKLE.match(head) or b"joblib" in head[:64]:
        return (
            "a pickle, which can run code when it is opened",
            "Open it where you trust it, and save the model with model.save()",
        )
    if b"saved_model_schema_version" in head or path.name == "saved_model.pb":
        return "one file of a SavedModel", "Name the folder that it stands in"
    if path.suffix == ".onnx" or (head[:1] == b"\x08" and b"onnx" in head.lower()):
        return "an ONNX model", "Take the Keras model that it was converted from"
    if path.suffix == ".pb":
        return (
            "a frozen TensorFlow graph, without the model's layers",
            "Take the Keras model that it was made of",
        )
    return _text(head)


def _text(head: bytes) -> tuple[str, str]:
    if not _is_text(head):
        return "something else", "Take another copy of it"
    text = head.decode("utf-8", "replace").lstrip("\ufeff \t\r\n")
    if text.lower().startswith(("<!doctype", "<html", "<?xml")):
        return "a web page", "Download the file itself"
    if _YAML.search(text):
        return (
            "YAML, which Keras dropped since it can run code",
            "Save the architecture with model.to_json()",
        )
    return "a text", "Name the file that model.save() or model.to_json() made"


def _is_text(head: bytes) -> bool:
    if b"\0" in head:
        return False
    try:
        head.decode("utf-8")
    except UnicodeDecodeError as error:  # the last character may be cut
        return error.start > len(head) - 4
    return True
