"""The public verbs: plan, convert a live model, convert a file."""

from __future__ import annotations

import os
from collections.abc import Callable
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from keras_rectifiers import specs
from keras_rectifiers.surgery import archive
from keras_rectifiers.surgery.files import check_model_target
from keras_rectifiers.surgery.members import is_hdf5
from keras_rectifiers.surgery.plan import Plan
from keras_rectifiers.surgery.plan import make_plan
from keras_rectifiers.surgery.replacements import Target
from keras_rectifiers.surgery.roles import HIDDEN
from keras_rectifiers.surgery.selection import Selection
from keras_rectifiers.surgery.sites import Site

Names = str | Sequence[str]


def plan(
    model: Any,
    to: Any = specs.PRELU,
    *,
    of: Names = (specs.RELU,),
    include: Names = (),
    exclude: Names = (),
    where: Callable[[Site], bool] | None = None,
    roles: Names = (HIDDEN,),
    negative_slope: float | None = None,
    alpha: float | None = None,
    portable: bool = False,
) -> Plan:
    """Plan a conversion, and change nothing.

    Args:
        model: A live `keras.Model`, or the path of a `.keras` file. A file is
            read without importing Keras, and nothing in it runs.
        to: `"prelu"`, `"leaky_relu"`, a Keras layer used as template, or a
            callable that takes a `Site` and gives a layer, a name or None.
        of: Kinds of rectifier to replace: `"relu"`, `"leaky_relu"`, `"prelu"`.
        include: Globs on the sites' paths (on the last name, where a glob has no
            `/`); only these are converted. A pattern without wildcards takes
            its site whatever its role.
        exclude: Globs; these are left as they are.
        where: A predicate on the `Site`.
        roles: Roles to convert: `"hidden"`, `"gate"`, `"output"`, `"guard"`,
            `"recurrent"`, `"custom"`.
        negative_slope: Slope of the Leaky ReLU, any finite number; default 0.01
            (Maas 2013). With 0 the function stays what it was.
        alpha: Slope at which the PReLU starts; default 0, so that the function
            stays what it was (He 2015 starts at 0.25).
        portable: Write stock Keras layers only, where they can express it.

    Returns:
        The plan: print it, keep it as JSON, apply it.

    Raises:
        SelectionError: A pattern or the whole selection matches nothing.
        ArchiveError: The file is missing, damaged or foreign.
        UnsupportedModelError: The live model's layers are not in its config.
        ValueError: An option is out of its range.

    Example:
        >>> import keras, keras_rectifiers
        >>> model = keras.Sequential(
        ...     [
        ...         keras.Input((4,)),
        ...         keras.layers.Dense(8, activation="relu", name="h"),
        ...         keras.layers.Dense(2),
        ...     ]
        ... )
        >>> keras_rectifiers.plan(model, "leaky_relu").steps[0].site.path
        'h'
    """
    target = Target(to, negative_slope, alpha, portable)
    selection = Selection(
        _names(of), _names(include), _names(exclude), where, _names(roles)
    )
    if isinstance(model, str | os.PathLike):
        with archive.read(model) as source:
            return make_plan(source.document, target, selection, source.read_alpha)
    from keras_rectifiers.surgery import live  # noqa: PLC0415 (loads Keras)

    return make_plan(
        live.document_of(model),
        target,
        selection,
        lambda site: live.alpha_at(model, site),
    )


def convert(model: Any, to: Any = specs.PRELU, **options: Any) -> Any:
    """Convert a live model; the original is unchanged, use the return value.

    Args:
        model: A Functional or Sequential `keras.Model`.
        to: As for `plan`.
        **options: As for `plan`.

    Returns:
        A new model with the original's weights, names, seed states, flags,
        compile state and optimizer state.

    Raises:
        UnsupportedModelError: Something could not be carried over; it is named.
        SelectionError: The selection matches nothing.
        ValueError: An option is out of its range.
    """
    return plan(model, to, **options).apply(model)


def convert_file(
    source: str | os.PathLike[str],
    target: str | os.PathLike[str],
    to: Any = specs.PRELU,
    *,
    overwrite: bool = False,
    **options: Any,
) -> Plan:
    """Convert a `.keras` file into another, without importing Keras.

    The weight bytes are copied as they are; the source is never changed; the
    target appears whole or not at all.

    Args:
        source: A `.keras` file written by Keras 3. A whole-model `.h5` file is
            converted too, but has to be loaded with Keras for it.
        target: The `.keras` file to write.
        to: As for `plan`.
        overwrite: Whether an existing target may be replaced.
        **options: As for `plan`.

    Returns:
        The plan that was carried out.

    Raises:
        ArchiveError: The source is missing, damaged or foreign, or the target
            exists, is the source, or cannot be written.
        SelectionError: The selection matches nothing.
        ValueError: An option is out of its range.
    """
    check_model_target(source, target, overwrite=overwrite)
    if is_hdf5(Path(source)):
        return _convert_loaded(Path(source), Path(target), to, overwrite, options)
    made = plan(source, to, **options)
    archive.apply(source, target, made, overwrite=overwrite)
    return made


def _convert_loaded(
    source: Path, target: Path, to: Any, overwrite: bool, options: dict[str, Any]
) -> Plan:
    from keras_rectifiers.surgery import loading  # noqa: PLC0415 (loads Keras)

    model = loading.load(source)
    made = plan(model, to, **options)
    loading.save(made.apply(model), target, overwrite=overwrite)
    return made


def _names(value: Names | None) -> tuple[str, ...]:
    if value is None:
        return ()
    return (value,) if isinstance(value, str) else tuple(value)
