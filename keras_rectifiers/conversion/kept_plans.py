"""The plans that made a converted file, kept in the file itself.

In a `.keras` file they are a member, in a whole-model `.h5` an attribute of the root.
Keras reads neither, and leaves both out when it saves the model again.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from keras_rectifiers.conversion.modern import StrPath
from keras_rectifiers.errors import PlanMismatchError
from keras_rectifiers.errors import RectifierError
from keras_rectifiers.files import members
from keras_rectifiers.surgery.plan import Plan

#: On-disk format: never change these.
MEMBER = "keras_rectifiers.json"
_PLANS = "plans"


def beside(plans: Sequence[Plan]) -> dict[str, bytes]:
    """What a file has in addition to the model, by its name in the file.

    Args:
        plans: The plans that made it, the first one first. None is kept where the
            last one cannot be undone.
    """
    if not plans or plans[-1].back is None:
        return {MEMBER: b""}
    texts = [
        dataclasses.replace(each, repairs=(), unseen=()).to_json(indent=None)
        for each in plans
    ]
    return {MEMBER: f'{{"{_PLANS}": [{", ".join(texts)}]}}'.encode()}


def read(path: StrPath) -> tuple[Plan, ...]:
    """The plans that made a file, the first one first.

    Args:
        path: A saved model of any form.

    Returns:
        The plans; empty where it holds none, or none that this version reads.
    """
    try:
        kept = _kept(Path(path))
        return tuple(Plan.from_json(json.dumps(each)) for each in kept[_PLANS])
    except (RectifierError, *members.UNREADABLE, KeyError, TypeError):
        return ()


def of_manifest(path: StrPath) -> Plan:
    """The plan in a file that `convert --manifest` wrote.

    Args:
        path: The file.

    Raises:
        PlanMismatchError: It holds no plan.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise PlanMismatchError(
            f"A plan must be JSON written by Plan.to_json. Received: {str(path)!r}, "
            "which is not a text file. Pass the file that convert --manifest wrote."
        ) from error
    return Plan.from_json(text)


def _kept(path: Path) -> dict[str, Any]:
    with members.open_file(path) as file:
        hdf5 = file.read(len(members.HDF5)) == members.HDF5
        file.seek(0)
        if not hdf5:
            with members.open_zip(file, path) as zipped:
                infos = members.members_of(zipped, path)
                return members.read_json(zipped, infos, MEMBER, path)
    import h5py  # noqa: PLC0415 (not needed for .keras files)

    with h5py.File(path, "r") as opened:
        return dict(json.loads(str(opened.attrs[MEMBER])))
