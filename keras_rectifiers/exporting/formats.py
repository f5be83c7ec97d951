"""The formats that a model can be exported to: plain data, nothing is imported."""

from __future__ import annotations

import dataclasses
import difflib
import importlib.util
from collections.abc import Sequence
from pathlib import Path

from keras_rectifiers import installing
from keras_rectifiers.errors import ArgumentError
from keras_rectifiers.errors import ExportError

INT8 = "int8"
FLOAT16 = "float16"
DYNAMIC = "dynamic"
FLOAT32 = "float32"

TENSORFLOW = "tensorflow"
TORCH = "torch"


@dataclasses.dataclass(frozen=True)
class Format:
    """One format, and what it needs."""

    #: As `format=` and `--format` name it.
    name: str
    #: What people call it.
    title: str
    #: Ending of its files; empty for a folder.
    suffix: str
    #: The extra of this package that installs what it needs.
    extra: str
    #: Keras backend that can write it -> the modules that this takes, the preferred
    #: backend first.
    backends: dict[str, tuple[str, ...]]
    #: How numbers can be stored, in addition to float32.
    precisions: tuple[str, ...] = ()
    #: Whether there are versions of its operations to choose from.
    has_opset: bool = False
    #: Endings of the files that go with the one that is named.
    beside: tuple[str, ...] = ()

    def install(self, modules: Sequence[str]) -> str:
        """The command that installs what is missing.

        Args:
            modules: What cannot be imported.
        """
        return installing.command(self.extra, modules)


_ONNX = ("onnx", "onnxscript", "onnxruntime")

_ALL = (
    Format(
        "litert",
        "LiteRT",
        ".tflite",
        "export-litert",
        {TENSORFLOW: ("tensorflow",)},
        precisions=(INT8, FLOAT16, DYNAMIC),
    ),
    Format(
        "onnx",
        "ONNX",
        ".onnx",
        "export-onnx",
        {
            TENSORFLOW: ("tensorflow", "tf2onnx", *_ONNX),
            TORCH: ("torch", *_ONNX),
        },
        precisions=(INT8, DYNAMIC),
        has_opset=True,
    ),
    Format(
        "savedmodel",
        "SavedModel",
        "",
        "tensorflow",
        {TENSORFLOW: ("tensorflow",)},
    ),
    Format(
        "openvino",
        "OpenVINO",
        ".xml",
        "export-openvino",
        {TENSORFLOW: ("tensorflow", "openvino"), TORCH: ("torch", "openvino")},
        precisions=(FLOAT16,),
        beside=(".bin",),
    ),
    Format("torch", "torch.export", ".pt2", "torch", {TORCH: ("torch",)}),
)
#: Name -> format.
FORMATS = {each.name: each for each in _ALL}
#: Ending of a file -> format.
SUFFIXES = {each.suffix: each for each in _ALL if each.suffix}


def wanted(name: str | None, target: Path) -> Format:
    """The requested format, by its name or by the target's ending.

    Args:
        name: Its name, or None to use the target's ending.
        target: The file, or the folder of a SavedModel, to write.

    Raises:
        ArgumentError: The format does not exist, or the ending of the target does not
            match it.
    """
    if name is None:
        if target.suffix in SUFFIXES:
            return SUFFIXES[target.suffix]
        endings = ", ".join(f"{key} ({each.name})" for key, each in SUFFIXES.items())
        raise ArgumentError(
            "The format must be given, or follow from the ending of the target. "
            f"Received: {str(target)!r}. Choose a file name that ends in {endings}, "
            f"or pass format= (--format), one of {', '.join(FORMATS)}."
        )
    if name not in FORMATS:
        near = difflib.get_close_matches(str(name), FORMATS, n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise ArgumentError(
            f"format must be one of {', '.join(FORMATS)}. Received: {name!r}.{hint}"
        )
    found = FORMATS[name]
    if target.suffix != found.suffix and (found.suffix or target.suffix in SUFFIXES):
        ending = f"a file that ends in {found.suffix}" if found.suffix else "a folder"
        raise ArgumentError(
            f"{found.title} must be written as {ending}. Received: {str(target)!r}. "
            f"Choose another name, such as {target.stem}{found.suffix}."
        )
    return found


def backend_for(file_format: Format, current: str) -> str:
    """The Keras backend by which a format is written.

    Args:
        file_format: The format.
        current: The backend in use; it is kept if it can write the format.

    Raises:
        ExportError: What the format needs is not installed.
    """
    order = sorted(file_format.backends, key=lambda name: name != current)
    for backend in order:
        if not missing(file_format, backend):
            return backend
    lacking = missing(file_format, order[0])
    raise ExportError(
        f"{file_format.title} needs modules that are not installed: "
        f"{', '.join(lacking)} (Keras backend {order[0]!r}). "
        f"Install them with `{file_format.install(lacking)}`."
    )


def missing(file_format: Format, backend: str) -> list[str]:
    """The modules that a backend needs for a format and that are not installed.

    Args:
        file_format: The format.
        backend: One of its backends.
    """
    return [each for each in file_format.backends[backend] if not _installed(each)]


def _installed(module: str) -> bool:
    return importlib.util.find_spec(module) is not None
