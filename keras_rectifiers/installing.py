"""The command that installs what an extra of this package needs.

It names packages, and not the extra: the package may be installed from a checkout or
from a wheel, and be on no index. Nothing but the standard library is imported.
"""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Collection

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def command(extra: str, modules: Collection[str] = (), *, upgrade: bool = False) -> str:
    """The command that installs the packages of an extra, such as `pip install onnx`.

    Args:
        extra: Name of the extra in the package's metadata.
        modules: What cannot be imported; packages of other names are left out.
            Empty: what is not installed.
        upgrade: Whether newer releases are to take the place of those installed.
    """
    known = _packages(extra)
    if not known:  # run from a source tree that was never installed
        return f'pip install -e ".[{extra}]"'
    chosen = (
        [each for each in known if _module(each) in modules]
        or [each for each in known if not _installed(each)]
        or known
    )
    return f"pip install {'--upgrade ' if upgrade else ''}{' '.join(chosen)}"


def _packages(extra: str) -> list[str]:
    """Names of the packages that an extra needs; empty where nothing is known."""
    from importlib import metadata  # noqa: PLC0415 (loads the parser of mail)

    try:
        required = metadata.requires("keras_rectifiers") or []
    except metadata.PackageNotFoundError:
        return []
    marker = re.compile(rf"""extra == ["']{re.escape(extra)}["']""")
    found = (_NAME.match(each) for each in required if marker.search(each))
    return [each[0] for each in found if each]


def _installed(package: str) -> bool:
    from importlib import metadata  # noqa: PLC0415 (loads the parser of mail)

    try:
        metadata.version(package)
    except metadata.PackageNotFoundError:  # or another distribution has the module
        return importlib.util.find_spec(_module(package)) is not None
    return True


def _module(package: str) -> str:
    return package.replace("-", "_").lower()
