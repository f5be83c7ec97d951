"""Undo a conversion: restore the config, and keep every weight that is not a slope."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from typing import ClassVar

from keras_rectifiers import specs
from keras_rectifiers.conversion import kept_plans
from keras_rectifiers.conversion import unchanged
from keras_rectifiers.conversion.modern import StrPath
from keras_rectifiers.conversion.options import Options
from keras_rectifiers.conversion.registered import with_registered
from keras_rectifiers.conversion.targets import HDF5
from keras_rectifiers.conversion.targets import MODEL
from keras_rectifiers.conversion.targets import check_target_for
from keras_rectifiers.conversion.write import write
from keras_rectifiers.errors import ArchiveError
from keras_rectifiers.errors import UnsupportedModelError
from keras_rectifiers.files import members
from keras_rectifiers.files import remote
from keras_rectifiers.graph import forms
from keras_rectifiers.graph import wellformed
from keras_rectifiers.graph.document import config_of
from keras_rectifiers.repairs import Repair
from keras_rectifiers.results import Result
from keras_rectifiers.surgery.marks import dicts
from keras_rectifiers.surgery.plan import Plan
from keras_rectifiers.surgery.plan_text import repairs
from keras_rectifiers.surgery.plan_text import replacement_text
from keras_rectifiers.tables import Part
from keras_rectifiers.tables import Table


@dataclasses.dataclass(frozen=True)
class RevertedSite:
    """One restored rectifier."""

    #: Its path in the model.
    path: str
    #: What the conversion had put there, such as `PReLU(alpha=0)`.
    before: str
    #: How it is written again, such as `Conv2D(activation='relu')`.
    after: str


@dataclasses.dataclass(frozen=True, repr=False)
class RevertResult(Result):
    """What was undone: print it, or keep it as JSON."""

    COLUMNS: ClassVar[tuple[str, ...]] = ("path", "before", "after")

    #: Name of the model.
    model: str
    sites: tuple[RevertedSite, ...]
    #: What could not be kept on the way; often nothing.
    repairs: tuple[Repair, ...]
    #: How many earlier conversions the file still records.
    left: int

    @property
    def rows(self) -> list[dict[str, Any]]:
        """One dict for each rectifier: what it was, and what it is now."""
        return [self._row(each.path, each.before, each.after) for each in self.sites]

    def parts(self) -> list[Part]:
        """The lines and tables of its display."""
        count = len(self.sites)
        what = "1 rectifier is" if count == 1 else f"{count} rectifiers are"
        made: list[Part] = [f"{self.model}: {what} as before the conversion."]
        if self.sites:
            rows = ((each.path, each.before, each.after) for each in self.sites)
            made.append(Table.of(("path", "before", "after"), rows))
        made += repairs(self.repairs)
        if self.left:
            rest = "1 earlier conversion" if self.left == 1 else f"{self.left} earlier"
            made.append(
                f"It still has {rest}: revert it again to undo the last of them."
            )
        return made


def revert(model: Any, plan: Plan | None = None) -> Any:
    """Undo the last conversion of a live model. The original is unchanged.

    Every rectifier is restored in its original form. Weights, names, seed states, the
    compile state and the matching optimizer state keep their current values.

    Args:
        model: A converted `keras.Model`.
        plan: The plan of the conversion. Default None: the recorded plan, for a model
            that `convert` or `Plan.apply` returned or `keras_rectifiers.load_model`
            opened. Layers that Python code creates do not need a plan.

    Returns:
        A new model.

    Raises:
        UnsupportedModelError: Slopes were trained, or the plan is unknown.
        PlanMismatchError: The plan did not make this model.
        TypeError: It is not a `keras.Model`.

    Example:
        >>> import keras, keras_rectifiers
        >>> model = keras.Sequential(
        ...     [
        ...         keras.Input((4,)),
        ...         keras.layers.Dense(8, "relu"),
        ...         keras.layers.Dense(2),
        ...     ]
        ... )
        >>> converted = keras_rectifiers.convert(model)
        >>> keras_rectifiers.revert(converted).layers[0].activation.__name__
        'relu'
    """
    from keras_rectifiers.conversion import revert_live  # noqa: PLC0415 (loads Keras)

    return revert_live.revert(model, plan)


@remote.urls("source", "plan", targets=("target",))
@with_registered
def revert_file(
    source: StrPath,
    target: StrPath,
    plan: Plan | StrPath | None = None,
    *,
    custom_objects: Mapping[str, Any] | None = None,
    overwrite: bool = False,
    keep_training_state: bool = False,
) -> RevertResult:
    """Undo the last conversion of a saved model, without importing Keras.

    The new file has the config of the original, and each array that is not a slope is
    copied from the source byte for byte.

    Args:
        source: A converted model: a `.keras` file or a whole-model `.h5`. It is not
            changed.
        target: The file to write, completely or not at all.
        plan: The plan of the conversion, or the file that `convert --manifest` wrote.
            Default None: the plan that `convert_file` stores in its files. Keras drops
            it when it saves the model again.
        custom_objects: As for `plan`.
        overwrite: Whether an existing target may be replaced.
        keep_training_state: As for `convert_file`.

    Returns:
        What was undone.

    Raises:
        ArchiveError: The source is missing, damaged or foreign, or the target
            exists, is the source, or cannot be written.
        UnsupportedModelError: Slopes were trained, the plan is unknown, or Python code
            creates the layers.
        PlanMismatchError: The plan did not make this model, or is not a plan.
    """
    check_target_for(source, target, (*MODEL, *HDF5), overwrite=overwrite)
    if plan is not None and not isinstance(plan, Plan):
        plan = kept_plans.of_manifest(plan)
    kept = kept_plans.read(source)
    earlier = (
        kept[:-1] if plan is None or (kept and kept[-1].steps == plan.steps) else ()
    )
    plan = plan or (kept[-1] if kept else None)
    _check_layers(source, plan)
    as_it_is = Path(target).suffix in MODEL
    options = Options(custom_objects=custom_objects)
    with options.read(source, as_it_is=as_it_is) as opened:
        undo = unchanged.undo_of(plan, repr(str(source)), opened.name)
        assert plan is not None  # noqa: S101 - undo_of refuses that
        with wellformed.reading(opened.path, "plan"):  # it may come from a file
            unchanged.check(opened, plan, weights=getattr(opened, "has_weights", True))
        made = write(
            opened,
            target,
            undo,
            overwrite=overwrite,
            keep_training_state=keep_training_state,
            beside=kept_plans.beside(earlier),
        )
    return RevertResult(made.model, sites_of(plan), made.repairs, len(earlier))


def result_of(model: Any, new: Any) -> RevertResult:
    """The result of reverting a live model.

    Args:
        model: The converted model.
        new: What `revert` made of it.
    """
    from keras_rectifiers.surgery import remembered  # noqa: PLC0415 (with Keras)
    from keras_rectifiers.surgery.live import LiveModel  # noqa: PLC0415

    before, after = (
        {found.site.path: found.site.spelling for found in LiveModel(each).found}
        for each in (model, new)
    )
    sites = tuple(
        RevertedSite(path, before[path], spelling)
        for path, spelling in after.items()
        if path in before and before[path] != spelling
    )
    return RevertResult(new.name, sites, (), len(remembered.plans(new)))


def sites_of(plan: Plan) -> tuple[RevertedSite, ...]:
    """What is restored where, when a plan is undone.

    Args:
        plan: The plan.
    """
    return tuple(
        RevertedSite(
            step.site.path, replacement_text(step.replacement), step.site.spelling
        )
        for step in plan.steps
    )


def made_by_code(source: StrPath) -> str:
    """The class in a file whose layers only Python code can create again.

    Args:
        source: A saved model.

    Returns:
        Its name; empty where the config of the file lists all layers.
    """
    return _made_by_code(Path(source))[0]


def _made_by_code(path: Path) -> tuple[str, bool]:
    """The class, and whether it is that of the whole model."""
    try:
        with members.open_file(path) as file, members.open_zip(file, path) as zipped:
            infos = members.members_of(zipped, path)
            config = members.read_json(zipped, infos, members.CONFIG, path)
    except ArchiveError:
        return "", False  # whoever opens it says why, or knows another form
    for each in dicts(config):
        if forms.is_converted(each):
            inner = config_of(each).get(specs.CONVERTED_INNER)
            known = inner.get("class_name") if isinstance(inner, dict) else None
            return str(known or "a class"), each is config
    return "", False


def _check_layers(source: StrPath, plan: Plan | None) -> None:
    """Refuse a file whose slopes only Python code can find.

    Raises:
        UnsupportedModelError: Explains how to revert the live model.
    """
    found, whole = _made_by_code(Path(source))
    if not found or (plan is not None and not whole):
        return
    raise UnsupportedModelError(
        "A file can only be reverted if its config lists the layers. Received: "
        f"{str(source)!r}, in which Python code creates the layers of {found!r}. "
        "Import the module of that class with --import MODULE; or in Python, import "
        "it, open the file with keras.saving.load_model, and save the result of "
        "keras_rectifiers.revert."
    )
