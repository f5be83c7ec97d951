"""Local stand-ins for files at URLs: one place where a path or URL is resolved.

A source at a URL is copied to a temporary file. A target at a URL has a temporary
name on the local disk: what `files.writing.replacing` writes there is uploaded before
it returns. Messages have the URL for the name of a stand-in.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import inspect
import os
import tempfile
from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Sequence
from pathlib import Path
from typing import ParamSpec
from typing import TypeVar

from keras_rectifiers.errors import HiddenLayersError
from keras_rectifiers.errors import RectifierError
from keras_rectifiers.errors import UnknownClassError
from keras_rectifiers.files import upload
from keras_rectifiers.files.download import download
from keras_rectifiers.files.urls import RemotePlace
from keras_rectifiers.files.urls import is_url
from keras_rectifiers.files.urls import local_path
from keras_rectifiers.files.urls import name_of
from keras_rectifiers.files.urls import place_of
from keras_rectifiers.files.urls import shown

_Arguments = ParamSpec("_Arguments")
_Result = TypeVar("_Result")

#: Stand-in -> its URL.
_URLS: dict[Path, str] = {}
#: Stand-in of a target -> the target. Files next to it or in it go there, too, but for
#: those in hidden folders.
_TARGETS: dict[Path, RemotePlace] = {}


class Places:
    """The stand-ins of one call, in a temporary folder.

    Args:
        folder: The folder.
        tell: Called with a sentence before something is downloaded.
    """

    def __init__(self, folder: Path, tell: Callable[[str], None] | None = None) -> None:
        self._folder = folder
        self._tell = tell

    def source(self, value: str | os.PathLike[str]) -> Path:
        """The local path of what is read.

        Args:
            value: A path or a URL.

        Raises:
            ArchiveError: The URL cannot be read.
        """
        path = local_path(value)
        if path is not None:
            return path
        place = place_of(str(value))
        stand_in = self._stand_in(place.url)
        download(place, stand_in, self._tell)
        return stand_in

    def target(self, value: str | os.PathLike[str]) -> Path:
        """The local path of what is written.

        Args:
            value: A path or a URL.

        Raises:
            ArchiveError: There is no such file system, or it is only read.
        """
        path = local_path(value)
        if path is not None:
            return path
        upload.check_kind(str(value))
        place = place_of(str(value))
        stand_in = self._stand_in(place.url)
        _TARGETS[stand_in] = place
        return stand_in

    def _stand_in(self, url: str) -> Path:
        folder = Path(tempfile.mkdtemp(dir=self._folder))
        stand_in = folder / name_of(url)
        _URLS[stand_in] = url
        return stand_in


@contextlib.contextmanager
def places(tell: Callable[[str], None] | None = None) -> Iterator[Places]:
    """Stand-ins that vanish at the end; errors inside name URLs.

    Args:
        tell: Called with a sentence before something is downloaded.
    """
    with tempfile.TemporaryDirectory(
        prefix="keras-rectifiers-", ignore_cleanup_errors=True
    ) as name:
        folder = Path(name).resolve()
        try:
            yield Places(folder, tell)
        except RectifierError as error:
            _name_urls(error)
            raise
        finally:
            for known in (_URLS, _TARGETS):
                for each in [each for each in known if each.is_relative_to(folder)]:
                    del known[each]


def _with_urls(result: _Result) -> _Result:
    """A result whose texts name URLs."""
    if not dataclasses.is_dataclass(result) or isinstance(result, type):
        return result
    texts = {
        field.name: getattr(result, field.name)
        for field in dataclasses.fields(result)
        if isinstance(getattr(result, field.name), str)
    }
    changed = {name: named(text) for name, text in texts.items() if named(text) != text}
    return dataclasses.replace(result, **changed) if changed else result


def _name_urls(error: RectifierError) -> None:
    error.args = tuple(
        named(each) if isinstance(each, str) else each for each in error.args
    )
    if isinstance(error, HiddenLayersError | UnknownClassError):
        error.fact = named(error.fact)


def url_of(path: str | os.PathLike[str] | None) -> str | None:
    """The URL of a stand-in, or None.

    Args:
        path: A path, or None.
    """
    return None if path is None else _URLS.get(Path(path))


def target_of(path: Path) -> RemotePlace | None:
    """Where a file has to be uploaded, or None.

    Args:
        path: A path, which may be that of a stand-in.
    """
    for stand_in, place in _TARGETS.items():
        if path == stand_in:
            return place
        if path.parent == stand_in.parent:
            return place.sibling(path.name)
        if path.is_relative_to(stand_in):
            inner = path.relative_to(stand_in)
            hidden = any(part.startswith(".") for part in inner.parts)
            return None if hidden else place.inside(inner.as_posix())
    return None


def named(text: str) -> str:
    """A text with URLs in place of the paths of stand-ins.

    Args:
        text: Any text.
    """
    for path, url in list(_URLS.items()):
        text = text.replace(str(path), shown(url))
    return text


def urls(
    *sources: str, targets: Sequence[str] = ()
) -> Callable[[Callable[_Arguments, _Result]], Callable[_Arguments, _Result]]:
    """A decorator: arguments of a function may be URLs.

    Args:
        *sources: Names of the arguments that are read.
        targets: Names of the arguments that are written.
    """

    def decorated(
        function: Callable[_Arguments, _Result],
    ) -> Callable[_Arguments, _Result]:
        signature = inspect.signature(function)

        @functools.wraps(function)
        def called(*args: _Arguments.args, **kwargs: _Arguments.kwargs) -> _Result:
            if not any(is_url(each) for each in (*args, *kwargs.values())):
                return function(*args, **kwargs)
            bound = signature.bind(*args, **kwargs)
            given = bound.arguments
            with places() as here:
                for name in targets:
                    if is_url(given.get(name)):
                        given[name] = here.target(given[name])
                for name in sources:
                    if is_url(given.get(name)):
                        given[name] = here.source(given[name])
                return _with_urls(function(*bound.args, **bound.kwargs))

        return called

    return decorated
