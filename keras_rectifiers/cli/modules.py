"""Import what `--import` names: a module, or a `.py` file under its own stem."""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import sys
from pathlib import Path
from types import ModuleType

from keras_rectifiers.errors import UnsupportedModelError

_SUFFIX = ".py"


def imported(name: str) -> ModuleType:
    """Import a module that the user named; what it prints goes to stderr.

    Args:
        name: The name of a module, which is looked for in the current folder, too,
            or the path of a `.py` file, which is imported under its stem: classes
            then have the module name that they have where `import` finds the file.

    Raises:
        UnsupportedModelError: It is not there, or raises an error.
    """
    is_file = name.endswith(_SUFFIX)
    try:
        with contextlib.redirect_stdout(sys.stderr):
            return _from_file(Path(name)) if is_file else _from_name(name)
    except UnsupportedModelError:
        raise
    except (Exception, SystemExit) as error:
        said = f"{type(error).__name__}: {error}".rstrip(": .")
        raise UnsupportedModelError(
            f"The module of --import must be importable. Received: {name!r}, "
            f"which raises {said}. Name a module that Python finds from this folder, "
            "or the path of a .py file."
        ) from error


def _from_name(name: str) -> ModuleType:
    _look_in(Path.cwd())
    return importlib.import_module(name)


def _from_file(path: Path) -> ModuleType:
    if not path.is_file():
        raise UnsupportedModelError(
            f"The file of --import must exist. Received: {str(path)!r}, where there "
            "is no file."
        )
    path, name = path.resolve(), path.stem
    known = sys.modules.get(name)
    if known is not None:
        if Path(getattr(known, "__file__", None) or "").resolve() == path:
            return known
        raise UnsupportedModelError(
            "The name of a file of --import must not be that of another module. "
            f"Received: {str(path)!r}, where {name!r} is imported already. Rename the "
            "file, or name it as a module of its package (--import PACKAGE.MODULE)."
        )
    _look_in(path.parent)  # for the modules that it imports in turn
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{name} cannot be loaded")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _look_in(folder: Path) -> None:
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))
