"""What the parent process asks of its child: plain data, JSON both ways."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

from keras_rectifiers.exporting.formats import FLOAT32


@dataclasses.dataclass(frozen=True, kw_only=True)
class Request:
    """One export."""

    #: Path of the saved model to read.
    model: str
    #: What messages call it.
    shown_as: str
    #: Name of the format.
    format: str
    #: Path to write; in a temporary folder.
    target: str
    #: `"float32"`, `"int8"`, `"float16"` or `"dynamic"`.
    precision: str = FLOAT32
    #: Version of the operations of ONNX; None for the exporter's own.
    opset: int | None = None
    #: Whether ONNX has a sum of plain operations for each PReLU.
    arithmetic: bool = False
    #: Samples in each run; None for any number.
    batch: int | None = None
    #: Largest difference of outputs, as a fraction of the largest output.
    tolerance: float | None = None
    #: As `--data` has it, or the file of `handover`; None for made-up inputs.
    data: str | None = None
    #: Whether `data` is a file of `handover`.
    handed_over: bool = False
    #: Factor for inputs that `data` names.
    scale: float = 1.0
    #: Most samples that are read.
    limit: int = 0
    #: Bounds of made-up inputs; None for normal numbers.
    input_range: tuple[float, float] | None = None
    seed: int = 0
    #: Name of the device that the file is for; see `targets`.
    device: str | None = None
    #: Whether the plain ReLU twin is exported for comparison.
    twin: bool = True
    #: File of the weights, for an architecture.
    weights: str | None = None
    input_shape: tuple[int | None, ...] | None = None
    #: Modules to import before the model is opened.
    modules: tuple[str, ...] = ()
    #: Custom objects: name -> `module:qualified.name`.
    custom_objects: dict[str, str] = dataclasses.field(default_factory=dict)

    def write(self, path: Path) -> None:
        """Write it as JSON.

        Args:
            path: The file.
        """
        path.write_text(json.dumps(dataclasses.asdict(self)), encoding="utf-8")

    @classmethod
    def read(cls, path: Path) -> Request:
        """What `write` wrote.

        Args:
            path: The file.
        """
        given: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        for name in ("modules", "input_shape", "input_range"):
            if given[name] is not None:
                given[name] = tuple(given[name])
        return cls(**given)
