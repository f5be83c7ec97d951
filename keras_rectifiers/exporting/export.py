"""Export a model for another runtime, verified in that runtime."""

from __future__ import annotations

import dataclasses
import os
import sys
from collections.abc import Mapping
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from keras_rectifiers.errors import ArgumentError
from keras_rectifiers.errors import ExportTargetError
from keras_rectifiers.errors import ExportVerificationError
from keras_rectifiers.errors import UnsupportedModelError
from keras_rectifiers.exporting import formats
from keras_rectifiers.exporting import handover
from keras_rectifiers.exporting import own_code
from keras_rectifiers.exporting import placing
from keras_rectifiers.exporting import processes
from keras_rectifiers.exporting import targets
from keras_rectifiers.exporting.request import Request
from keras_rectifiers.exporting.result import ExportResult
from keras_rectifiers.files import data as data_sets
from keras_rectifiers.files import remote

StrPath = str | os.PathLike[str]

_TIMEOUT = 1200.0
_LIMIT = 500
_DEFAULT_BACKEND = "tensorflow"


@remote.urls("model", "weights", targets=("target",))
def export(
    model: Any,
    target: StrPath,
    format: str | None = None,  # noqa: A002 - as in keras.Model.export
    *,
    data: Any = None,
    int8: bool = False,
    float16: bool = False,
    dynamic: bool = False,
    opset: int | None = None,
    arithmetic: bool = False,
    batch: int | None = None,
    tolerance: float | None = None,
    input_range: tuple[float, float] | None = None,
    scale: float = 1.0,
    limit: int = _LIMIT,
    seed: int = 0,
    twin: bool = True,
    device: str | None = None,
    weights: StrPath | None = None,
    input_shape: Sequence[int | None] | None = None,
    custom_objects: Mapping[str, Any] | None = None,
    overwrite: bool = False,
    force: bool = False,
    timeout: float = _TIMEOUT,
) -> ExportResult:
    """Write a model as a file for another runtime, run it there, and compare.

    Rectifiers are written in a form for which the runtime has an operation. All of
    this happens in a child process: if a converter crashes, hangs or logs an error, you
    get one clear error message. The target is written complete and verified, or not at
    all.

    Args:
        model: A live `keras.Model`, or the path of a saved one, as `convert_file`
            takes it; it is not changed. The child process imports the modules of a
            model's own classes again.
        target: The file to write: `.tflite`, `.onnx`, `.xml` (with its `.bin`) or
            `.pt2`; for a SavedModel a folder.
        format: `"litert"`, `"onnx"`, `"savedmodel"`, `"openvino"` or `"torch"`.
            Default None: by the ending of the target.
        data: Data on which the file is compared and int8 is calibrated: arrays, `(x,
            y)`, `Data`, a dataset object, or a string as for `--data`. Default None: 16
            generated samples.
        int8: Whether weights and activations have 8 bits; needs `data`.
        float16: Whether weights are stored in 16 bits.
        dynamic: Whether only the weights have 8 bits.
        opset: Version of the ONNX operator set. Default None: the exporter's default.
        arithmetic: Whether ONNX has `x + relu((alpha - 1) * x)` for each PReLU whose
            slopes are at most 1, in place of a `PRelu`: faster in ONNX Runtime on
            CPUs, slower where a `PRelu` is one kernel. Default False.
        batch: Samples in each run. Default None: any number, except for recurrent
            layers in LiteRT, which get 1.
        tolerance: Largest difference of outputs, as a fraction of the largest output.
            Default None: 1e-4 in float32 and 1e-2 in float16, for the largest
            difference (and a largest output of at least 0.1); 5e-2 with 8 bits, for the
            mean difference.
        input_range: `(lo, hi)` of generated samples. Default None: normally
            distributed.
        scale: Factor for inputs if `data` is a string.
        limit: Most samples of `data` that are used. Default 500.
        seed: Seed of generated samples. Default 0.
        twin: Whether the same model with plain ReLUs is also exported, to compare speed
            and differences; it is not kept. Default True.
        device: `"edgetpu"`, `"tflite-micro"` or `"ethos-u"`: check that this device is
            documented to run each operation of a LiteRT file. Default None. The batch
            is then 1 by default.
        weights: File of the weights, for an architecture.
        input_shape: As for `plan`.
        custom_objects: Classes and functions of the model, which the child process
            must be able to import.
        overwrite: Whether an existing target may be replaced.
        force: Whether the file is kept even if its outputs exceed the tolerance.
        timeout: Seconds after which the child process is ended. Default 1200.

    Returns:
        The result: print it, or call `to_dict()`.

    Raises:
        ArchiveError: The source is not a model, or the target exists or cannot be
            written.
        ArgumentError: An option cannot be combined with the format or the model.
        ExportError: Something that the format needs is not installed, or an exporter
            fails, crashes or takes too long.
        UnsupportedModelError: An operation of the model has no counterpart.
        DataError: The data cannot be read, or do not match the model.
        ExportVerificationError: Outputs exceed the tolerance; the error has the result.
        ExportTargetError: The device does not run the file; the error has the result.
        TypeError: `model` is neither a model nor a path.

    Example:
        >>> import keras, keras_rectifiers
        >>> model = keras.Sequential(
        ...     [keras.Input((4,)), keras.layers.Dense(8), keras.layers.PReLU()]
        ... )
        >>> result = keras_rectifiers.export(model, "m.tflite")  # doctest: +SKIP
    """
    file_format = formats.wanted(format, Path(target))
    precision = _precision(file_format, int8=int8, float16=float16, dynamic=dynamic)
    if device is not None:
        targets.check(device, file_format, precision)
    _check_onnx(file_format, opset=opset, arithmetic=arithmetic)
    _check_numbers(opset, batch, tolerance, limit, timeout)
    if precision == formats.INT8 and data is None:
        raise ArgumentError(
            "int8 must be calibrated on data. Received: int8=True and no data. Pass "
            "representative inputs as data= (--data)."
        )
    source = model if isinstance(model, str | os.PathLike) else None
    placing.check(source, target, file_format, overwrite=overwrite)
    in_use = _backend_in_use()
    backend = formats.backend_for(file_format, in_use)
    with placing.placing(target, file_format, overwrite=overwrite) as place:
        request = Request(
            format=file_format.name,
            target=str(place.path),
            precision=precision,
            opset=opset,
            arithmetic=arithmetic,
            batch=batch,
            tolerance=tolerance,
            scale=scale,
            limit=limit,
            input_range=input_range,
            seed=seed,
            twin=twin,
            device=device,
            weights=None if weights is None else str(weights),
            input_shape=None if input_shape is None else tuple(input_shape),
            **_model(model, place.folder, custom_objects),
            **_data(data, place.folder, limit),
        )
        request.write(place.folder / processes.REQUEST)
        found = processes.run(place.folder, backend, timeout)
        result = _result(found, file_format, in_use)
        if result.refusal and not force:
            raise ExportTargetError(result)
        if not result.holds and not force:
            raise ExportVerificationError(result)
        place.keep()
    return dataclasses.replace(result, target=str(target))


def _result(
    found: dict[str, Any], file_format: formats.Format, in_use: str
) -> ExportResult:
    """What the child found, with what only the parent knows."""
    lost = found.pop("lost")
    result = ExportResult.from_dict(found)
    notes = []
    if result.backend != in_use:
        notes.append(
            f"The Keras backend {result.backend!r} writes the file, because "
            f"{in_use!r} cannot write {file_format.title} here."
        )
    if lost:
        notes.append(
            f"There is no comparison with the plain ReLU twin: the process {lost}."
        )
    return dataclasses.replace(result, fallbacks=(*result.fallbacks, *notes))


def _precision(
    file_format: formats.Format, *, int8: bool, float16: bool, dynamic: bool
) -> str:
    given = {formats.INT8: int8, formats.FLOAT16: float16, formats.DYNAMIC: dynamic}
    asked = [name for name, is_asked in given.items() if is_asked]
    if len(asked) > 1:
        raise ArgumentError(
            f"A file has one precision. Received: {' and '.join(asked)}. Pass only "
            "one of them."
        )
    if not asked:
        return formats.FLOAT32
    if asked[0] not in file_format.precisions:
        able = [each.name for each in formats.FORMATS.values()]
        able = [n for n in able if asked[0] in formats.FORMATS[n].precisions]
        raise ArgumentError(
            f"{asked[0]} is only available for the formats {', '.join(able)}. "
            f"Received: format={file_format.name!r}. Remove it, or choose another "
            "format."
        )
    return asked[0]


def _check_onnx(
    file_format: formats.Format, *, opset: int | None, arithmetic: bool
) -> None:
    given = {"opset": opset, "arithmetic": arithmetic or None}
    for name, value in given.items():
        if value is not None and not file_format.has_opset:
            raise ArgumentError(
                f"{name} is only available for the format onnx. Received: "
                f"{name}={value} and format={file_format.name!r}. Remove it."
            )


def _check_numbers(
    opset: int | None,
    batch: int | None,
    tolerance: float | None,
    limit: int,
    timeout: float,
) -> None:
    numbers: dict[str, Any] = {"opset": opset, "batch": batch, "limit": limit}
    for name, value in numbers.items():
        whole = isinstance(value, int) and not isinstance(value, bool)
        if value is not None and not (whole and value > 0):
            raise ArgumentError(
                f"{name} must be an integer above 0. Received: {name}={value!r}."
            )
    if tolerance is not None and not 0 <= tolerance < float("inf"):
        raise ArgumentError(
            "tolerance must be a finite number of at least 0. Received: "
            f"tolerance={tolerance!r}."
        )
    if not timeout > 0:
        raise ArgumentError(
            "timeout must be a number of seconds above 0. Received: "
            f"timeout={timeout!r}."
        )


def _backend_in_use() -> str:
    """The backend of the calling program, where Keras is loaded or configured."""
    keras = sys.modules.get("keras")
    if keras is not None:
        return str(keras.backend.backend())
    return os.environ.get("KERAS_BACKEND") or _DEFAULT_BACKEND


def _model(
    model: Any, folder: Path, custom_objects: Mapping[str, Any] | None
) -> dict[str, Any]:
    """The fields of a request that say which model is exported."""
    objects = dict(custom_objects or {})
    if isinstance(model, str | os.PathLike):
        return {
            "model": str(model),
            "shown_as": str(model),
            "modules": own_code.modules(),
            "custom_objects": own_code.places(objects),
        }
    if not hasattr(model, "save") or not hasattr(model, "layers"):
        raise TypeError(
            "model must be a keras.Model or a path. Received: "
            f"{model!r} of type {type(model).__name__}."
        )
    path = folder / "model.keras"
    try:
        model.save(path)
    except (TypeError, ValueError, NotImplementedError) as error:
        said = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise UnsupportedModelError(
            f"A live model must be one that Keras can save. Received: {model.name!r}, "
            f"which Keras cannot save: {said} Give its classes a get_config method."
        ) from error
    return {
        "model": str(path),
        "shown_as": str(model.name),
        "modules": own_code.modules(model),
        "custom_objects": own_code.places({**own_code.classes(model), **objects}),
    }


def _data(data: Any, folder: Path, limit: int) -> dict[str, Any]:
    """The fields of a request that say on what the file is compared."""
    if data is None:
        return {}
    if isinstance(data, str | os.PathLike):
        return {"data": str(data)}
    given = data_sets.given(data)
    kept = None
    if given.x_test is not None:
        kept = _first(data_sets.Data(given.x_test, given.y_test), limit)
    given = _first(given, limit)
    if kept is not None:
        given = dataclasses.replace(given, x_test=kept.x, y_test=kept.y)
    path = folder / "data.npz"
    handover.write(given, path)
    return {"data": str(path), "handed_over": True}


def _first(data: data_sets.Data, limit: int) -> data_sets.Data:
    """At most `limit` samples, as arrays."""
    if data.is_stream:
        from keras_rectifiers.exporting import samples  # noqa: PLC0415 (loads Keras)

        data = samples.gathered(data.x, limit, data.source)
    return data.limited(limit)
