"""URLs of files: recognized, shown without secrets, and opened through fsspec.

fsspec is imported for a URL only.
"""

from __future__ import annotations

import dataclasses
import os
import re
from pathlib import Path
from typing import Any
from typing import TypeGuard
from urllib.parse import urlsplit

from keras_rectifiers.errors import ArchiveError

#: A scheme has two letters at least: `C:` is a drive.
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+(://|::)")
_LOCAL = re.compile(r"(file|local)://")
#: What comes before a host: a name and a password.
_SECRET = re.compile(r"(?<=://)[^/@]*@")
#: Name of a local copy where the URL has none.
_NAMELESS = "model"


@dataclasses.dataclass(frozen=True)
class RemotePlace:
    """A file or folder in some file system."""

    url: str
    #: An `fsspec.AbstractFileSystem`.
    system: Any
    #: The path in that file system.
    path: str

    @property
    def shown(self) -> str:
        """The URL as messages show it."""
        return shown(self.url)

    @property
    def parent(self) -> str:
        """The path of its folder."""
        return str(self.system._parent(self.path))  # noqa: SLF001 (fsspec's own users do)

    def sibling(self, name: str) -> RemotePlace:
        """A file of another name in the same folder.

        Args:
            name: Its name.
        """
        before, slash, _ = self.url.rpartition("/")
        path = f"{self.parent.rstrip('/')}/{name}"
        return RemotePlace(f"{before}{slash}{name}", self.system, path)

    def inside(self, name: str) -> RemotePlace:
        """A file in this folder or in one of its folders.

        Args:
            name: Its path in this folder, with slashes.
        """
        url = f"{self.url.rstrip('/')}/{name}"
        return RemotePlace(url, self.system, f"{self.path.rstrip('/')}/{name}")


def is_url(value: object) -> TypeGuard[str]:
    """Whether a value is a URL that is not the path of a local file.

    Args:
        value: Anything.
    """
    return isinstance(value, str) and bool(_URL.match(value))


def local_path(value: str | os.PathLike[str]) -> Path | None:
    """The path that `file://` or a plain path names; None for any other URL.

    Args:
        value: A path or a URL.
    """
    if not is_url(value):
        return Path(value)
    if _LOCAL.match(value) and "::" not in value:
        from urllib.request import url2pathname  # noqa: PLC0415 (it takes long)

        return Path(url2pathname(value.partition("://")[2]))
    return None


def shown(url: str) -> str:
    """A URL without password and query, which may be a signature.

    Args:
        url: The URL.
    """
    return _SECRET.sub("", url).partition("?")[0]


def name_of(url: str) -> str:
    """The name of the file that a URL names.

    Args:
        url: The URL; of a chain of them the first counts.
    """
    first = url.partition("::")[0]
    path = urlsplit(first).path if first.lower().startswith("http") else first
    return path.rstrip("/").rpartition("/")[2] or _NAMELESS


def place_of(url: str) -> RemotePlace:
    """Open the file system that a URL names.

    Args:
        url: The URL.

    Raises:
        ArchiveError: fsspec, or the package of the protocol, is not installed; or
            there is no such protocol.
    """
    try:
        import fsspec  # noqa: PLC0415 (an extra)
    except ImportError as error:
        from keras_rectifiers import installing  # noqa: PLC0415 (it takes long)

        raise ArchiveError(
            f"A URL can only be opened with fsspec. Received: {shown(url)!r}, but "
            f"fsspec is not installed. Run: {installing.command('remote', ['fsspec'])}"
        ) from error
    try:
        system, path = fsspec.core.url_to_fs(url)
    except ImportError as error:
        raise ArchiveError(
            f"The package of a URL's protocol must be installed. Received: "
            f"{shown(url)!r}, but {_sentence(error)}"
        ) from error
    except Exception as error:
        raise ArchiveError(
            f"A URL must name a file system that fsspec can open. Received: "
            f"{shown(url)!r}, which failed with {type(error).__name__}: "
            f"{_sentence(error)}"
        ) from error
    return RemotePlace(url, system, str(path))


def _sentence(error: Exception) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    return text if text.endswith(".") else f"{text}."


def unreadable(place: RemotePlace, error: Exception) -> ArchiveError:
    """The error for a URL that cannot be read.

    Args:
        place: What was read.
        error: What went wrong.
    """
    if isinstance(error, FileNotFoundError):
        return ArchiveError(
            f"A URL must name an existing file. Received: {place.shown!r}, where there "
            "is none. Check the URL and what you may read there."
        )
    return ArchiveError(
        f"A URL must be readable. Received: {place.shown!r}, which failed with "
        f"{type(error).__name__}: {_sentence(error)}"
    )


def unwritable(place: RemotePlace, error: Exception) -> ArchiveError:
    """The error for a URL that cannot be written.

    Args:
        place: What was written.
        error: What went wrong.
    """
    return ArchiveError(
        f"The target must be writable. Received: {place.shown!r}, which failed with "
        f"{type(error).__name__}: {_sentence(error)} No partial file was left."
    )
