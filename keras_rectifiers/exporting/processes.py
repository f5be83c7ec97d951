"""Run the child process of an export, and say in one sentence how it ended."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from keras_rectifiers import errors
from keras_rectifiers.errors import ExportError

#: Files of the folder that parent and child share.
REQUEST = "request.json"
RESULT = "result.json"
STAGE = "stage.txt"
LOG = "log.txt"

#: One thread for everything, so that times can be compared; and quiet logs.
_ENVIRONMENT = {
    "CUDA_VISIBLE_DEVICES": "-1",
    "OMP_NUM_THREADS": "1",
    "TF_NUM_INTRAOP_THREADS": "1",
    "TF_NUM_INTEROP_THREADS": "1",
    "TF_CPP_MIN_LOG_LEVEL": "2",
    "PYTHONIOENCODING": "utf-8",
}
_MODULE = "keras_rectifiers.exporting.child"
#: The twin comes last: what is known without it is a result.
TWIN_STAGE = "exporting the plain ReLU twin"

#: Lines of a log that say why something went wrong.
_REASON = re.compile(r"^(?![EWI]\d{4} )(?:\S*(?:Error|Exception)\b|.*\berror:|F\d{4} )")
_LONGEST = 300


def run(folder: Path, backend: str, timeout: float) -> dict[str, Any]:
    """Run the child on a folder, and give its result.

    Args:
        folder: It holds the request; the child puts its result there.
        backend: Keras backend for the child.
        timeout: Seconds after which the child is ended.

    Returns:
        The fields of `ExportResult`, with `"lost"` where the twin could not be made.

    Raises:
        RectifierError: What the child raised; an `ExportError` where it crashed or
            took too long.
    """
    ended = _wait(folder, backend, timeout)
    stage = _text(folder / STAGE) or "starting"
    result = _result(folder)
    if result is not None and "error" in result:
        raise _raised(result["error"])
    if result is not None and (ended == "" or stage == TWIN_STAGE):
        return {**result, "lost": ended}
    reason = _reason(_text(folder / LOG))
    log = f" Its log says: {reason}" if reason else ""
    raise ExportError(
        f"The export process {ended or 'gave no result'} while {stage}. Nothing was "
        f"written.{log}"
    )


def _wait(folder: Path, backend: str, timeout: float) -> str:
    """Run the child to its end; how it ended in words, empty where it was well."""
    environment = {
        **os.environ,
        **_ENVIRONMENT,
        "KERAS_BACKEND": backend,
        # What the parent can import, the child can.
        "PYTHONPATH": os.pathsep.join(each or str(Path.cwd()) for each in sys.path),
    }
    with (folder / LOG).open("wb") as log:
        child = subprocess.Popen(  # noqa: S603 - our own module, no shell
            [sys.executable, "-m", _MODULE, str(folder)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env=environment,
            start_new_session=True,
        )
        try:
            code = child.wait(timeout)
        except subprocess.TimeoutExpired:
            return f"took longer than {timeout:g} s (timeout=, --timeout)"
        finally:
            _end(child)
    if code < 0:
        with contextlib.suppress(ValueError):
            return f"crashed ({signal.Signals(-code).name})"
    return "" if code == 0 else f"ended with code {code}"


def _end(child: subprocess.Popen[bytes]) -> None:
    """End a child that is still there, with all that it started."""
    if child.poll() is None:
        if hasattr(os, "killpg"):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)
        child.kill()
        child.wait()


def _result(folder: Path) -> dict[str, Any] | None:
    text = _text(folder / RESULT)
    return json.loads(text) if text else None


def _raised(error: dict[str, str]) -> Exception:
    """The error that the child raised."""
    kind = getattr(errors, error["kind"], ExportError)
    if kind in (errors.HiddenLayersError, errors.UnknownClassError):
        return errors.UnknownClassError(error["message"], error["name"])
    made: Exception = kind(error["message"])
    return made


def _reason(log: str) -> str:
    """The last line of a log that says why something went wrong."""
    lines = [line.strip() for line in log.splitlines() if _REASON.search(line.strip())]
    return lines[-1][:_LONGEST] if lines else ""


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except FileNotFoundError:
        return ""
