"""Files that are not saved Keras models: what each one is, and what to do instead."""

from __future__ import annotations

import re
from pathlib import Path
from typing import BinaryIO

_YAML = re.compile(r"(^|\n)\s*(backend|class_name|config|keras_version)\s*:|!!python")
_TABLE = b"\x57\xfb\x80\x8b\x24\x75\x47\xdb"
_HEAD = 4096

_COPY = "Use another copy of it"
_CONVERTED = "Use the Keras model that it was converted from"
_LOAD = (
    "Load it into its model with the version of Keras that wrote it, and save the "
    "whole model"
)

#: First bytes -> what the file is, and what to do.
_MAGIC: tuple[tuple[bytes, str, str], ...] = (
    (b"\x1f\x8b", "a gzip archive", "Unpack it first"),
    (b"BZh", "a bzip2 archive", "Unpack it first"),
    (b"\xfd7zXZ", "an xz archive", "Unpack it first"),
    (b"7z\xbc\xaf", "a 7z archive", "Unpack it first"),
    (b"Rar!", "a RAR archive", "Unpack it first"),
    (b"\x93NUMPY", "a NumPy array", "Pass the model that it belongs to"),
    (
        b"version https://git-lfs",
        "a Git LFS pointer",
        "Fetch the file itself with git lfs pull",
    ),
    (
        b"model_checkpoint_path",
        "the list of TensorFlow checkpoints",
        "Pass the architecture's JSON as the model, and the weights with --weights",
    ),
)
_PICKLE = re.compile(rb"\x80[\x02-\x05]")


def describe(file: BinaryIO, path: Path, size: int) -> str:
    """The error for a file that is not a saved Keras model.

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
    text = _text(head)
    kinds = (
        (not head, "empty", _COPY),
        *((head.startswith(magic), what, remedy) for magic, what, remedy in _MAGIC),
        (head[4:8] == b"TFL3", "a TFLite model", _CONVERTED),
        (tail == _TABLE, "the index of a TensorFlow checkpoint", _LOAD),
        (
            _PICKLE.match(head) or b"joblib" in head[:64],
            "a pickle, which can run code when it is opened",
            "If you trust it, open it and save the model with model.save()",
        ),
        (
            b"saved_model_schema_version" in head or path.name == "saved_model.pb",
            "one file of a SavedModel",
            "Pass the folder that contains it",
        ),
        (
            path.suffix == ".onnx" or (head[:1] == b"\x08" and b"onnx" in head.lower()),
            "an ONNX model",
            _CONVERTED,
        ),
        (
            path.suffix == ".pb",
            "a frozen TensorFlow graph, without the model's layers",
            "Use the Keras model that it was made from",
        ),
        (text is None, "something else", _COPY),
        (
            str(text).lower().startswith(("<!doctype", "<html", "<?xml")),
            "a web page",
            "Download the file itself",
        ),
        (
            _YAML.search(str(text)),
            "YAML, which Keras no longer reads because it can run code",
            "Save the architecture with model.to_json()",
        ),
    )
    known = ((what, remedy) for is_kind, what, remedy in kinds if is_kind)
    return next(
        known, ("a text", "Pass the file that model.save() or model.to_json() wrote")
    )


def _text(head: bytes) -> str | None:
    """The text that a file begins with; None for other bytes."""
    try:
        head.decode("utf-8")
    except UnicodeDecodeError as error:  # the last character may be cut
        if error.start <= len(head) - 4:
            return None
    text = head.decode("utf-8", "replace")
    return None if "\0" in text else text.lstrip("\ufeff \t\r\n")
