"""Import what the user names: a module, or a `.py` file under its own stem."""

from __future__ import annotations

import contextlib
import difflib
import importlib
import importlib.util
import operator
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from keras_rectifiers.cli.options import CUSTOM_OBJECT
from keras_rectifiers.cli.options import IMPORT
from keras_rectifiers.cli.own_code import NamedObject
from keras_rectifiers.errors import UnsupportedModelError

_SUFFIX = ".py"


def object_of(named: NamedObject) -> Any:
    """The class or function that `--custom-object` names.

    Args:
        named: Where it is.

    Raises:
        UnsupportedModelError: Its module cannot be imported, or does not have it.
    """
    module = imported(named.module, CUSTOM_OBJECT)
    try:
        found = operator.attrgetter(named.attribute)(module)
    except AttributeError:
        near = difflib.get_close_matches(named.attribute, vars(module), n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise UnsupportedModelError(
            f"The object of {CUSTOM_OBJECT} must be in its module. Received: {named}, "
            f"and {named.module!r} has no {named.attribute!r}.{hint}"
        ) from None
    if not callable(found):
        raise UnsupportedModelError(
            f"The object of {CUSTOM_OBJECT} must be a class or a function. Received: "
            f"{named}, which is of type {type(found).__name__}."
        )
    return found


def imported(name: str, option: str = IMPORT) -> ModuleType:
    """Import a module that the user named; what it prints goes to stderr.

    Args:
        name: The name of a module, which is looked for in the current folder, too,
            or the path of a `.py` file, which is imported under its stem: classes
            then have the module name that they have where `import` finds the file.
        option: The option that names it, for errors.

    Raises:
        UnsupportedModelError: It is not there, or raises an error.
    """
    is_file = name.endswith(_SUFFIX)
    try:
        with contextlib.redirect_stdout(sys.stderr):
            return _from_file(Path(name), option) if is_file else _from_name(name)
    except UnsupportedModelError:
        raise
    except (Exception, SystemExit) as error:
        said = f"{type(error).__name__}: {error}".rstrip(": .")
        raise UnsupportedModelError(
            f"The module of {option} must be importable. Received: {name!r}, "
            f"which raises {said}. Name a module that Python finds from this folder, "
            "or the path of a .py file."
        ) from error


def _from_name(name: str) -> ModuleType:
    _look_in(Path.cwd())
    return importlib.import_module(name)


def _from_file(path: Path, option: str) -> ModuleType:
    if not path.is_file():
        raise UnsupportedModelError(
            f"The file of {option} must exist. Received: {str(path)!r}, where there "
            "is no file."
        )
    path, name = path.resolve(), path.stem
    known = sys.modules.get(name)
    if known is not None:
        if Path(getattr(known, "__file__", None) or "").resolve() == path:
            return known
        raise UnsupportedModelError(
            f"The name of a file of {option} must not be that of another module. "
            f"Received: {str(path)!r}, where {name!r} is imported already. Rename the "
            "file, or name it as a module of its package (PACKAGE.MODULE)."
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
