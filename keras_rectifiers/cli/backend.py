"""Choose a Keras backend that is installed, and keep it quiet, before it loads."""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import json
import logging
import os
import re
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from keras_rectifiers import installing
from keras_rectifiers.cli.screen import say
from keras_rectifiers.cli.screen import tame_warnings
from keras_rectifiers.errors import RectifierError

BACKENDS = ("tensorflow", "jax", "torch")

#: Log levels of TensorFlow's and XLA's C++ parts: errors only.
_QUIET = {"TF_CPP_MIN_LOG_LEVEL": "3", "GRPC_VERBOSITY": "ERROR"}

#: Loggers whose warnings are for developers, such as that TensorFlow traces again.
_CHATTING = ("absl", "tensorflow")

#: Lines of information and warning that C++ writes whatever its log level is.
_CHATTER = re.compile(r"WARNING: All log messages before absl|[IW]\d{4} [\d:.]+ ")


def prepare_backend() -> str:
    """Import Keras with a backend that is installed; return the backend's name.

    The choice is `KERAS_BACKEND`, then Keras' own configuration file, then
    whichever backend is installed.

    Raises:
        RectifierError: No backend is installed, or the one asked for is not.
    """
    backend = choose_backend()
    for name in _CHATTING:
        logging.getLogger(name).setLevel(logging.ERROR)
    if "keras" in sys.modules:
        return backend
    with without_chatter():
        try:
            importlib.import_module("keras")
            if _installed("tensorflow"):
                # Whatever its backend, Keras loads it as soon as a model gets data.
                importlib.import_module("tensorflow")
        except ImportError as error:
            raise RectifierError(
                f"Keras cannot be imported with the backend {backend!r} ({error}). "
                f"Repair it with `{installing.command(backend, upgrade=True)}`."
            ) from error
    return backend


def choose_backend() -> str:
    """Set the environment for the first import of Keras; return the backend.

    Raises:
        RectifierError: No backend is installed, or the one asked for is not.
    """
    for name, value in _QUIET.items():
        os.environ.setdefault(name, value)
    tame_warnings()
    asked = os.environ.get("KERAS_BACKEND")
    if asked:
        if asked not in BACKENDS:
            raise RectifierError(
                f"The Keras backend must be {', '.join(BACKENDS[:-1])} or "
                f"{BACKENDS[-1]}. Received: KERAS_BACKEND={asked}. Set it to one of "
                "them, or unset it."
            )
        if not _installed(asked):
            raise RectifierError(
                f"The Keras backend must be installed. Received: KERAS_BACKEND="
                f"{asked}. Install it with `{installing.command(asked)}`, or unset "
                "KERAS_BACKEND."
            )
        return asked
    configured = _configured()
    installed = [name for name in (configured, *BACKENDS) if _installed(name)]
    if not installed:
        raise RectifierError(
            "This command runs the model, for which Keras needs a backend, and "
            "none of TensorFlow, JAX and torch is installed. Install one with "
            f"`{installing.command('tensorflow')}`."
        )
    os.environ["KERAS_BACKEND"] = installed[0]
    return installed[0]


@contextlib.contextmanager
def without_chatter() -> Iterator[None]:
    """Hold back what C++ writes to stderr; at the end show what is not chatter."""
    try:
        kept = os.dup(2)
    except OSError:  # stderr is closed
        yield
        return
    with tempfile.TemporaryFile("w+", errors="replace") as held:
        sys.stderr.flush()
        os.dup2(held.fileno(), 2)
        try:
            yield
        finally:
            sys.stderr.flush()
            os.dup2(kept, 2)
            os.close(kept)
            held.seek(0)
            for line in held:
                if line.strip() and not _CHATTER.match(line):
                    say(line.rstrip())


def _configured() -> str:
    """The backend that Keras' configuration file names."""
    home = os.environ.get("KERAS_HOME") or Path("~/.keras").expanduser()
    try:
        settings = json.loads((Path(home) / "keras.json").read_text())
        name = str(settings.get("backend", BACKENDS[0]))
    except (OSError, ValueError, AttributeError):
        return BACKENDS[0]
    return name if name in BACKENDS else BACKENDS[0]


def _installed(name: str) -> bool:
    return importlib.util.find_spec(name) is not None
