"""The child process of an export: `python -m keras_rectifiers.exporting.child FOLDER`.

It reads the request in the folder, and leaves a result or an error there. What it
prints goes to a log. A crash of an exporter ends this process only.
"""

from __future__ import annotations

import json
import logging
import os
import sys
from pathlib import Path
from typing import Any

from keras_rectifiers.errors import ExportError
from keras_rectifiers.errors import RectifierError
from keras_rectifiers.exporting import processes
from keras_rectifiers.exporting.request import Request

#: Loggers whose errors are not about the model.
_ASIDE = ("absl", "tensorflow")


class _Errors(logging.Handler):
    """Keeps what exporters log as errors: some go on, and write a broken file."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep one error.

        Args:
            record: What was logged.
        """
        if record.name.split(".", maxsplit=1)[0] not in _ASIDE:
            self.messages.append(f"{record.getMessage()} (logged by {record.name})")


class Progress:
    """Notes what the child is doing, and what it has found out so far.

    Args:
        folder: The folder that is shared with the parent.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._errors = _Errors()
        logging.getLogger().addHandler(self._errors)

    def stage(self, name: str) -> None:
        """Say what comes next.

        Args:
            name: A phrase that completes "crashed while".

        Raises:
            ExportError: Something was logged as an error until now.
        """
        self.check_log()
        _replace(self._folder / processes.STAGE, name)

    def check_log(self) -> None:
        """Raise what exporters logged as an error.

        Raises:
            ExportError: It has the first message.
        """
        if self._errors.messages:
            first = " ".join(self._errors.messages[0].split())
            self._errors.messages.clear()
            raise ExportError(
                f"The exporter must not log an error. Received: {first[:400]}"
            )

    def found(self, result: dict[str, Any]) -> None:
        """Leave a result, in place of one that was left before.

        Args:
            result: Plain data.
        """
        _replace(self._folder / processes.RESULT, json.dumps(result))


def _replace(path: Path, text: str) -> None:
    temporary = path.with_suffix(".tmp")
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(path)


def main(folder: Path) -> None:
    """Do what the request in a folder asks.

    Args:
        folder: The folder.
    """
    logging.basicConfig(level=logging.WARNING)
    progress = Progress(folder)
    request = Request.read(folder / processes.REQUEST)
    try:
        progress.stage("importing Keras")
        from keras_rectifiers.exporting import job  # noqa: PLC0415 (loads Keras)

        job.run(request, progress)
    except RectifierError as error:
        # A live model is in a temporary file, whose name means nothing to the user.
        message = getattr(error, "fact", str(error))
        message = message.replace(request.model, request.shown_as)
        name = getattr(error, "name", "")
        progress.found(_as_data(type(error).__name__, message, name))
    except Exception as error:
        logging.getLogger(__name__).exception("The export failed")
        where = (folder / processes.STAGE).read_text(encoding="utf-8")
        said = (str(error).strip() or type(error).__name__).splitlines()[0]
        progress.found(
            _as_data(
                "ExportError",
                f"The exporter failed while {where} ({type(error).__name__}: "
                f"{said[:400]}). Nothing was written.",
            )
        )


def _as_data(kind: str, message: str, name: str = "") -> dict[str, Any]:
    text = " ".join(message.split())
    return {"error": {"kind": kind, "message": text, "name": name}}


if __name__ == "__main__":
    main(Path(sys.argv[1]))
    sys.stdout.flush()
    sys.stderr.flush()
    # Frameworks may crash as they are torn down, after all is said.
    os._exit(0)
