"""The public verbs: plan, convert a live model, convert a saved one."""

from __future__ import annotations

import os
from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING
from typing import Any

from keras_rectifiers import specs
from keras_rectifiers.conversion import kept_plans
from keras_rectifiers.conversion.given_functions import handed_over
from keras_rectifiers.conversion.options import Options
from keras_rectifiers.conversion.registered import with_registered
from keras_rectifiers.conversion.targets import HDF5
from keras_rectifiers.conversion.targets import MODEL
from keras_rectifiers.conversion.targets import check_target_for
from keras_rectifiers.conversion.write import with_repairs
from keras_rectifiers.conversion.write import write
from keras_rectifiers.errors import ArgumentError
from keras_rectifiers.files import remote
from keras_rectifiers.graph.roles import HIDDEN
from keras_rectifiers.graph.sites import Site
from keras_rectifiers.surgery.plan import Plan
from keras_rectifiers.surgery.plan import make_plan
from keras_rectifiers.surgery.selection import Names

if TYPE_CHECKING:
    from keras_rectifiers.diagnosis.result import Diagnosis


@remote.urls("model", "weights")
@with_registered
def plan(
    model: Any,
    to: Any = specs.PRELU,
    *,
    of: Names = (specs.RELU,),
    include: Names = (),
    exclude: Names = (),
    where: Callable[[Site], bool] | Diagnosis | None = None,
    roles: Names = (HIDDEN,),
    negative_slope: float | None = None,
    alpha: float | None = None,
    trainable: bool = True,
    portable: bool = False,
    weights: str | os.PathLike[str] | None = None,
    input_shape: Sequence[int | None] | None = None,
    custom_objects: Mapping[str, Any] | None = None,
    as_functional: bool = False,
) -> Plan:
    """Plan a conversion, and change nothing.

    Args:
        model: A live `keras.Model`, or the path of a saved one: `.keras`, `.h5`, a
            SavedModel folder, the JSON of an architecture; or the URL of one of these
            (extra `remote`). A saved one is read without importing Keras, and nothing
            in it runs, unless `custom_objects` has classes.
        to: `"prelu"`, `"leaky_relu"`, a Keras layer used as a template, or a callable
            that takes a `Site` and returns a layer, a name or None.
        of: Kinds of rectifier to replace: `"relu"`, `"leaky_relu"`, `"prelu"`.
        include: Globs on the sites' paths (on the last name, where a glob has no `/`);
            only these are converted. A pattern without wildcards selects its site
            regardless of its role.
        exclude: Globs; these are left as they are.
        where: A predicate on the `Site`; or a `Diagnosis` of the model: then only
            rectifiers with dead units are converted, each to a PReLU whose slopes are
            `alpha` at its dead units and exactly 0 at all others, which stay ReLUs, bit
            for bit, with slopes that do not learn.
        roles: Roles to convert: `"hidden"`, `"gate"`, `"output"`, `"guard"`,
            `"recurrent"`, `"custom"`.
        negative_slope: Slope of the Leaky ReLU, any finite number; default 0.01 (Maas
            2013). With 0 the function does not change.
        alpha: Starting slope of the PReLU; default 0, so that the function does not
            change (He 2015 starts at 0.25). With a diagnosis: slope of the dead units;
            default 0.25.
        trainable: Whether the slopes of `to="prelu"` learn; default True.
        portable: Write only stock Keras layers, where they can express the result.
        weights: File of the weights, for the JSON of an architecture.
        input_shape: The shape that a saved Sequential takes, with the batch axis
            (`(None, 16, 1)`), where it cannot be inferred from its file or its weights.
        custom_objects: Functions to use in place of those that a saved model cannot
            contain, by their names, or by `"layer"` or `"layer.argument"` for a lambda.
            Also custom classes whose code creates layers: Keras then opens the saved
            model, in safe mode. The class of the model itself only needs to be
            registered.
        as_functional: Whether a model of a class that hides its layers (such as those
            of KerasHub) becomes a plain Functional model, which opens anywhere; the
            plan lists what is lost. A saved model is then opened with Keras. Default
            False: the class is kept.

    Returns:
        The plan: print it, save it as JSON, or apply it.

    Raises:
        SelectionError: A pattern or the whole selection matches nothing.
        ArchiveError: The file is missing, damaged or foreign.
        UnsupportedModelError: Something in the live model has no config, or something
            in the saved one has no form in Keras 3.
        ValueError: An option is out of range.

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
    options = Options(
        of=of,
        include=include,
        exclude=exclude,
        where=where,
        roles=roles,
        negative_slope=negative_slope,
        alpha=alpha,
        trainable=trainable,
        portable=portable,
        weights=weights,
        input_shape=input_shape,
        custom_objects=custom_objects,
        as_functional=as_functional,
    )
    target, selection = options.wanted(to)
    if isinstance(model, str | os.PathLike):
        with options.opened(model) as opened:
            made = make_plan(opened, target, selection)
            made = opened.with_back(made)
            return with_repairs(made, opened.repairs_for(made))
    from keras_rectifiers.surgery import live_way_back  # noqa: PLC0415 (loads Keras)
    from keras_rectifiers.surgery.live import LiveModel  # noqa: PLC0415

    live = LiveModel(model, as_functional=as_functional)
    made = live_way_back.with_back(live, make_plan(live, target, selection))
    return with_repairs(made, live.given_up)


def convert(
    model: Any,
    to: Any = specs.PRELU,
    *,
    of: Names = (specs.RELU,),
    include: Names = (),
    exclude: Names = (),
    where: Callable[[Site], bool] | Diagnosis | None = None,
    roles: Names = (HIDDEN,),
    negative_slope: float | None = None,
    alpha: float | None = None,
    trainable: bool = True,
    portable: bool = False,
    as_functional: bool = False,
    in_place: bool = False,
) -> Any:
    """Convert a live model. The original is unchanged: use the return value.

    Args:
        model: Any built `keras.Model`: Functional, Sequential, a subclass of either,
            or a model whose layers are called by Python code.
        to: As for `plan`.
        of: As for `plan`; this also applies to the next eight.
        include: Globs on the sites' paths; only these are converted.
        exclude: Globs; these are left as they are.
        where: A predicate on the `Site`, or a `Diagnosis`.
        roles: Roles to convert.
        negative_slope: Slope of the Leaky ReLU, default 0.01.
        alpha: Starting slope of the PReLU, default 0; with a diagnosis 0.25.
        trainable: Whether the slopes of `to="prelu"` learn; default True.
        portable: Write only stock Keras layers, where they can express the result.
        as_functional: As for `plan`.
        in_place: Whether the given model itself is changed and returned, for classes
            that cannot be copied because they have no `get_config`. On an error it is
            restored. Default False.

    Returns:
        A new model of the same class with the original's weights, names, seed states,
        flags, compile state and optimizer state. Its `save` also writes what was
        replaced into the config of the class, so that `keras.saving.load_model` returns
        the converted model if this package and the class are imported.

    Raises:
        UnsupportedModelError: Something could not be kept; the message names it.
        SelectionError: The selection matches nothing.
        ValueError: An option is out of range.
    """
    from keras_rectifiers.surgery import remembered  # noqa: PLC0415
    from keras_rectifiers.surgery.live import LiveModel  # noqa: PLC0415 (loads Keras)
    from keras_rectifiers.surgery.live_way_back import applied  # noqa: PLC0415

    target, selection = Options(
        of=of,
        include=include,
        exclude=exclude,
        where=where,
        roles=roles,
        negative_slope=negative_slope,
        alpha=alpha,
        trainable=trainable,
        portable=portable,
    ).wanted(to)
    if as_functional and in_place:
        raise ArgumentError(
            "as_functional=True creates a new model. Received: in_place=True as well. "
            "Remove one of them."
        )
    opened = LiveModel(model, as_functional=as_functional, lenient=in_place)
    made = make_plan(opened, target, selection)
    if not in_place:
        return applied(opened, made)
    remembered.keep(model, ())  # a way back needs a copy
    return opened.apply_in_place(made)


@remote.urls("source", "weights", targets=("target",))
@with_registered
def convert_file(
    source: str | os.PathLike[str],
    target: str | os.PathLike[str],
    to: Any = specs.PRELU,
    *,
    of: Names = (specs.RELU,),
    include: Names = (),
    exclude: Names = (),
    where: Callable[[Site], bool] | Diagnosis | None = None,
    roles: Names = (HIDDEN,),
    negative_slope: float | None = None,
    alpha: float | None = None,
    trainable: bool = True,
    portable: bool = False,
    weights: str | os.PathLike[str] | None = None,
    input_shape: Sequence[int | None] | None = None,
    custom_objects: Mapping[str, Any] | None = None,
    as_functional: bool = False,
    overwrite: bool = False,
    keep_training_state: bool = False,
) -> Plan:
    """Convert a saved model into another file.

    Keras is not imported, unless the model's layers are created in Python code: then
    Keras opens the file with the classes of `custom_objects`, and saves the converted
    model.

    If Keras 3 wrote the source, its weight bytes are copied unchanged. An older file is
    upgraded first, and the plan lists each repair. The source is never changed; the
    target is written completely or not at all.

    The optimizer's state is kept if that is possible exactly. If not, it is dropped,
    and the repairs of the plan say which state and why.

    Args:
        source: A `.keras` or `.h5` file of Keras 1, 2 or 3, a SavedModel folder of
            Keras 2, or the JSON of an architecture. This and the target may be URLs
            (extra `remote`).
        target: The file to write: `.keras`; `.json` for an architecture without
            weights; or `.h5`, if the source is an `.h5` that Keras 3 opens: only the
            attributes and the slopes change.
        to: As for `plan`; or a `Plan` that was made for this model or an equal one.
        of: As for `plan`; this also applies to the next eight.
        include: Globs on the sites' paths; only these are converted.
        exclude: Globs; these are left as they are.
        where: A predicate on the `Site`, or a `Diagnosis`.
        roles: Roles to convert.
        negative_slope: Slope of the Leaky ReLU, default 0.01.
        alpha: Starting slope of the PReLU, default 0; with a diagnosis 0.25.
        trainable: Whether the slopes of `to="prelu"` learn; default True.
        portable: Write only stock Keras layers, where they can express the result.
        weights: File of the weights, for an architecture.
        input_shape: As for `plan`.
        custom_objects: As for `plan`. The new file refers to registered classes and
            functions by name, and opens once their modules are imported.
        as_functional: As for `plan`.
        overwrite: Whether an existing target may be replaced.
        keep_training_state: Whether it is an error if the optimizer's state cannot be
            kept exactly.

    Returns:
        The plan that was applied.

    Raises:
        ArchiveError: The source is missing, damaged or foreign, or the target
            exists, is the source, or cannot be written.
        UnsupportedModelError: Something in the source has no form in Keras 3, or a
            required state cannot be kept.
        PlanMismatchError: The plan is for another model.
        SelectionError: The selection matches nothing.
        ValueError: An option is out of range.
    """
    forms = (*MODEL, *HDF5)
    check_target_for(source, target, forms, overwrite=overwrite)
    given = to if isinstance(to, Plan) else None
    asked = Options(
        of=of,
        include=include,
        exclude=exclude,
        where=where,
        roles=roles,
        negative_slope=negative_slope,
        alpha=alpha,
        trainable=trainable,
        portable=portable,
        weights=weights,
        input_shape=input_shape,
        custom_objects=custom_objects,
        as_functional=as_functional,
    )
    if given is not None:
        asked.check_alone()
    with asked.opened(source, as_it_is=Path(target).suffix in MODEL) as opened:
        made = given or make_plan(opened, *asked.wanted(to))
        made = opened.with_back(made)
        return write(
            opened,
            target,
            made,
            overwrite=overwrite,
            keep_training_state=keep_training_state,
            beside=kept_plans.beside((*kept_plans.read(source), made)),
        )


@remote.urls("path", "weights")
def load_model(
    path: str | os.PathLike[str],
    *,
    weights: str | os.PathLike[str] | None = None,
    input_shape: Sequence[int | None] | None = None,
    custom_objects: Mapping[str, Any] | None = None,
) -> Any:
    """Load a saved model of any Keras version; nothing in it runs (safe mode).

    Args:
        path: A saved model, as `convert_file` takes it.
        weights: File of the weights, for an architecture.
        input_shape: As for `plan`.
        custom_objects: Classes and functions, as Keras takes them; functions also as
            for `plan`.

    Returns:
        The live `keras.Model`, with its weights, compile and optimizer state. It runs
        compiled on JAX and not compiled on torch, which is the default there, even if
        another backend saved it; `jit_compile` states this, and can be set.

    Raises:
        ArchiveError: The path is not a complete Keras model.
        UnknownClassError: It names a class that is not registered.
        UnsupportedModelError: Something in it has no form in Keras 3.
    """
    from keras_rectifiers.conversion import custom_layers  # noqa: PLC0415
    from keras_rectifiers.conversion.opened import modern_file  # noqa: PLC0415 (h5py)
    from keras_rectifiers.surgery import loading  # noqa: PLC0415 (loads Keras)
    from keras_rectifiers.surgery import remembered  # noqa: PLC0415

    functions = handed_over(custom_objects)
    modern_path = modern_file(
        path, weights, input_shape=input_shape, functions=functions
    )
    with custom_layers.known(custom_objects), modern_path as modern:
        model = loading.load(modern, Path(path), custom_objects)
    remembered.keep(model, kept_plans.read(path))
    return model
