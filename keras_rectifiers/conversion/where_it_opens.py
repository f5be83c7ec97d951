"""Where a file opens that was written: in Keras alone, or with this package only."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import h5py

from keras_rectifiers import portability
from keras_rectifiers.conversion.targets import ARCHITECTURE
from keras_rectifiers.files import members
from keras_rectifiers.graph import forms
from keras_rectifiers.surgery.marks import dicts


def opens(path: Path, *, option: bool = True) -> str:
    """Where a model opens that this package wrote, in one or two sentences.

    Args:
        path: A `.keras` or `.h5` file, or an architecture in JSON.
        option: Whether `--portable` is an option of what wrote it.
    """
    return portability.opens(_own_classes(_config(path)), option=option)


def _config(path: Path) -> Any:
    if path.suffix in ARCHITECTURE:
        return json.loads(path.read_text(encoding="utf-8"))
    if h5py.is_hdf5(path):
        from keras_rectifiers.legacy.containers import hdf5_model  # noqa: PLC0415 (old)

        with h5py.File(path) as file:
            return json.loads(file.attrs[hdf5_model.CONFIG])
    with members.open_file(path) as file, members.open_zip(file, path) as zipped:
        infos = members.members_of(zipped, path)
        return members.read_json(zipped, infos, members.CONFIG, path)


def _own_classes(config: Any) -> list[str]:
    """Names of the classes of this package in a config."""
    return [
        portability.CONVERTED if forms.is_converted(each) else str(each["class_name"])
        for each in dicts(config)
        if forms.is_ours(each) or forms.is_converted(each)
    ]
