"""The steps of an export, in the child process."""

from __future__ import annotations

import dataclasses
import importlib.metadata
import shutil
import tempfile
from pathlib import Path
from typing import Any
from typing import Protocol

import keras
import numpy as np

from keras_rectifiers._version import __version__
from keras_rectifiers.errors import ArgumentError
from keras_rectifiers.errors import UnsupportedModelError
from keras_rectifiers.exporting import advice
from keras_rectifiers.exporting import formats
from keras_rectifiers.exporting import latency
from keras_rectifiers.exporting import pairing
from keras_rectifiers.exporting import prepare
from keras_rectifiers.exporting import processes
from keras_rectifiers.exporting import registry
from keras_rectifiers.exporting import samples
from keras_rectifiers.exporting import signature
from keras_rectifiers.exporting import targets
from keras_rectifiers.exporting import verification
from keras_rectifiers.exporting.inspectors.found import Inspection
from keras_rectifiers.exporting.rectifier_form import rectifier_form
from keras_rectifiers.exporting.request import Request
from keras_rectifiers.exporting.result import Differences
from keras_rectifiers.exporting.result import ExportResult
from keras_rectifiers.exporting.result import Twin
from keras_rectifiers.exporting.task import Task

#: Samples on which nothing but a few operations are compared.
_FEW = 16


class ProgressReceiver(Protocol):
    """Receives the steps; see `child`."""

    def stage(self, name: str) -> None:
        """Say what comes next."""

    def check_log(self) -> None:
        """Raise what was logged as an error."""

    def found(self, result: dict[str, Any]) -> None:
        """Leave a result."""


@dataclasses.dataclass(frozen=True, eq=False)
class _Written:
    """A file that was written, opened and compared."""

    task: Task
    inspection: Inspection
    runner: Any
    differences: Differences
    size: int


def run(request: Request, progress: ProgressReceiver) -> None:
    """Write the file of a request and report on it.

    Args:
        request: The request.
        progress: Is called with each step and the results.

    Raises:
        RectifierError: Something stops the export; says what.
    """
    progress.stage("opening the model")
    model = prepare.opened(request)
    progress.stage("preparing the model")
    prepare.check_built(model)
    notes = prepare.in_float32(model)
    model, more = prepare.folded(model)
    batch, why = prepare.batch_for(model, request)
    notes += [*more, *why, *prepare.through_onnx(model, request)]
    sign = signature.of_model(model, batch)
    _check_axes(sign, request)
    progress.stage("reading the data")
    given = samples.read(model, sign, request)
    with tempfile.TemporaryDirectory(dir=Path(request.target).parent) as folder:
        task = Task(
            model,
            sign,
            request,
            rectifier_form(model, request),
            given.x if given.training is None else given.training,
            Path(folder),
            Path(request.target),
            through_onnx=bool(prepare.through_onnx(model, request)),
        )
        written = _written(task, given, progress)
        result = _result(written, given, notes)
        progress.check_log()
        progress.found(dataclasses.asdict(result))
        if request.twin and result.rectifiers:
            progress.stage(processes.TWIN_STAGE)
            twin, why = _twin(written, given, progress)
            notes = [*result.fallbacks, *why]
            result = dataclasses.replace(result, twin=twin, fallbacks=tuple(notes))
            result = dataclasses.replace(
                result, advice=advice.of(result, prepare.spread(model))
            )
            progress.found(dataclasses.asdict(result))


def _check_axes(sign: signature.Signature, request: Request) -> None:
    if request.format == "litert" and sign.open_axes:
        raise ArgumentError(
            "LiteRT needs inputs of fixed lengths, except the batch. Received: "
            f"{', '.join(sign.open_axes)}. Build the model for one length, or export "
            "to another format, such as onnx."
        )


def _written(
    task: Task, given: samples.Samples, progress: ProgressReceiver
) -> _Written:
    """Write a file, look into it, run it, and compare."""
    title = formats.FORMATS[task.request.format].title
    expected = _expected(task, given)
    _clear(task.target)
    progress.stage(f"converting to {title}{prepare.known_trouble(task)}")
    registry.writer(task.request.format).write(task)
    progress.stage("inspecting the file")
    inspection = registry.inspector(task.request.format).inspect(task.target)
    _check_operations(inspection, title)
    progress.stage(f"running the file with {title}")
    runner = registry.runner(task.request.format).Runner(task.target, task.signature)
    actual = verification.outputs(runner.run, given.x, task.signature.batch)
    differences = verification.compare(expected, actual, given.y)
    return _Written(task, inspection, runner, differences, _size(task))


def _expected(task: Task, given: samples.Samples) -> list[Any]:
    packed = task.signature.packed(given.x)
    predicted = task.model.predict(packed, batch_size=_FEW, verbose=0)
    return [np.asarray(each) for each in keras.tree.flatten(predicted)]


def _check_operations(inspection: Inspection, title: str) -> None:
    if inspection.foreign:
        said = ", ".join(
            f"{name} (in {place})" if place else name
            for name, place in inspection.foreign[:3]
        )
        raise UnsupportedModelError(
            f"Every operation must be available in the plain runtime of {title}. "
            f"Received: {said}. Replace the layer, or export to another format."
        )


def _size(task: Task) -> int:
    file_format = formats.FORMATS[task.request.format]
    if task.target.is_dir():
        return sum(each.stat().st_size for each in task.target.rglob("*"))
    paths = (task.target, *map(task.target.with_suffix, file_format.beside))
    return sum(each.stat().st_size for each in paths)


def _clear(target: Path) -> None:
    if target.is_dir():
        shutil.rmtree(target)
    else:
        target.unlink(missing_ok=True)


def _result(
    written: _Written, given: samples.Samples, notes: list[str]
) -> ExportResult:
    task, request = written.task, written.task.request
    known = [
        (each.path, each.function.kind, prepare.slopes_of(each))
        for each in prepare.with_slopes(task.model)
    ]
    rectifiers = pairing.paired(known, written.inspection.rectifying)
    tolerance, judged = verification.TOLERANCES[request.precision]
    if request.tolerance is not None:
        tolerance = request.tolerance
    return ExportResult(
        model=str(task.model.name),
        format=request.format,
        target=None,
        precision=request.precision,
        size=written.size,
        backend=keras.backend.backend(),
        batch=task.signature.batch,
        rectifiers=rectifiers,
        operations=dict(written.inspection.operations),
        fallbacks=(*notes, *advice.not_native(rectifiers)),
        differences=written.differences,
        tolerance=tolerance,
        judged=judged,
        inputs=given.origin,
        twin=None,
        advice=(),
        versions=_versions(request.format, written.runner.package),
        device=request.device,
        refusal=""
        if request.device is None
        else targets.refusal(request.device, written.inspection.nodes),
    )


def _twin(
    written: _Written, given: samples.Samples, progress: ProgressReceiver
) -> tuple[Twin | None, list[str]]:
    """The plain ReLU twin in the same format, and both timed; or why there is none."""
    task = written.task
    try:
        model = prepare.twin(task.model)
        with tempfile.TemporaryDirectory(dir=task.workspace) as folder:
            path = Path(folder) / task.target.name
            workspace = Path(folder) / "workspace"
            workspace.mkdir()
            own = dataclasses.replace(
                task, model=model, target=path, workspace=workspace
            )
            twin = _written(own, given, _Silent(progress))
            size = task.signature.batch or 1
            batch = [array[:size] for array in given.x]
            batch = [np.resize(each, (size, *each.shape[1:])) for each in batch]
            times = latency.pair(
                lambda: written.runner.run(batch), lambda: twin.runner.run(batch)
            )
        return Twin(twin.size, twin.differences, times), []
    except Exception as error:  # noqa: BLE001 - the file itself is good
        said = " ".join(str(error).split())[:200]
        return None, [f"There is no comparison with the plain ReLU twin: {said}"]


class _Silent:
    """Checks the log, and leaves the stage what it is."""

    def __init__(self, progress: ProgressReceiver) -> None:
        self._progress = progress

    def stage(self, name: str) -> None:
        self._progress.check_log()

    def check_log(self) -> None:
        self._progress.check_log()

    def found(self, result: dict[str, Any]) -> None:
        self._progress.found(result)


def _versions(name: str, package: str) -> dict[str, str]:
    file_format = formats.FORMATS[name]
    modules = file_format.backends[keras.backend.backend()]
    made = {"keras_rectifiers": __version__, "keras": keras.__version__}
    for each in (*modules, package):
        try:
            made[each] = importlib.metadata.version(each)
        except importlib.metadata.PackageNotFoundError:
            continue
    return made
