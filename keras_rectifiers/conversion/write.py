"""Write what a plan makes of an open model, in the form that the target names."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING
from typing import Any

from keras_rectifiers.conversion.targets import HDF5
from keras_rectifiers.conversion.targets import MODEL
from keras_rectifiers.conversion.targets import check_form
from keras_rectifiers.files.writing import replacing
from keras_rectifiers.repairs import OPTIMIZER_STATE
from keras_rectifiers.repairs import Repair
from keras_rectifiers.surgery import archive
from keras_rectifiers.surgery.plan import Plan
from keras_rectifiers.surgery.training_state import check_kept

if TYPE_CHECKING:
    from keras_rectifiers.conversion.opened import Opened
    from keras_rectifiers.conversion.with_code import WithCode


def write(
    opened: Opened | archive.Archive | WithCode,
    target: str | os.PathLike[str],
    made: Plan,
    *,
    overwrite: bool,
    keep_training_state: bool,
    beside: Mapping[str, bytes] = MappingProxyType({}),
) -> Plan:
    """Write what a plan makes of an open model.

    Args:
        opened: The source.
        target: As for `convert_file`.
        made: The plan.
        overwrite: As for `convert_file`.
        keep_training_state: As for `convert_file`.
        beside: What the target stores in addition to the model, by its names there: see
            `kept_plans`. Default: what a `.keras` source has.

    Returns:
        The plan, with the repairs that were made on the way.
    """
    target = Path(target)
    if isinstance(opened, archive.Archive):
        from keras_rectifiers.surgery.written import check_converted  # noqa: PLC0415 (h5py)

        made = _with_all(made, opened.repairs_for(made), opened, keep_training_state)
        archive.apply(
            opened,
            target,
            made,
            overwrite=overwrite,
            check=check_converted,
            beside=beside,
        )
        return made
    from keras_rectifiers.conversion.with_code import WithCode  # noqa: PLC0415 (rules)

    if isinstance(opened, WithCode):
        made = _with_all(made, opened.repairs_for(made), opened, keep_training_state)
        opened.write(target, made, overwrite=overwrite, beside=beside)
        return made
    check_form(target, (*MODEL, *HDF5), weights=opened.has_weights)
    repairs = _repairs_for(opened, made, target)
    made = _with_all(made, repairs, opened, keep_training_state)
    _write(opened, target, made, overwrite=overwrite, beside=beside)
    return made


def _with_all(
    made: Plan, repairs: tuple[Repair, ...], opened: Any, keep_training_state: bool
) -> Plan:
    """A plan with its repairs, unless they drop a state that must be kept."""
    if keep_training_state:
        check_kept(repairs, opened.path)
    return with_repairs(made, repairs)


def _repairs_for(opened: Opened, made: Plan, target: Path) -> tuple[Repair, ...]:
    """What is repaired and left out when a target is written."""
    if not opened.has_weights or target.suffix not in HDF5:
        return opened.repairs_for(made)
    from keras_rectifiers.conversion import hdf5_target  # noqa: PLC0415 (h5py)

    left = hdf5_target.state_left(opened, opened.rewritten(made))
    kept = (each for each in opened.repairs if each.rule != OPTIMIZER_STATE)
    return (*kept, *left)


def _write(
    opened: Opened,
    target: Path,
    made: Plan,
    *,
    overwrite: bool,
    beside: Mapping[str, bytes],
) -> None:
    """Write what a plan makes of an opened model, in the form the target names."""
    from keras_rectifiers.conversion import hdf5_target  # noqa: PLC0415 (h5py)
    from keras_rectifiers.legacy.weights.write import architecture_text  # noqa: PLC0415

    if opened.has_weights and target.suffix in HDF5:
        hdf5_target.write(opened, target, made, overwrite=overwrite, beside=beside)
        return
    with replacing(target, overwrite=overwrite, named=False) as temporary:
        if opened.has_weights:
            opened.write(temporary, made, beside)
        else:
            text = architecture_text(opened.rewritten(made).document)
            temporary.write_text(text, encoding="utf-8")


def with_repairs(made: Plan, repairs: tuple[Repair, ...]) -> Plan:
    """A plan that lists repairs.

    Args:
        made: The plan.
        repairs: What it lists from now on.
    """
    return dataclasses.replace(made, repairs=repairs)
