"""`keras-rectifiers finetune`: bring a model's dead units back."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from keras_rectifiers.cli.options import TARGETS
from keras_rectifiers.cli.options import Finite
from keras_rectifiers.cli.options import code_options
from keras_rectifiers.cli.options import data_options
from keras_rectifiers.cli.options import force_option
from keras_rectifiers.cli.options import input_shape_option
from keras_rectifiers.cli.options import json_option
from keras_rectifiers.cli.options import portable_option
from keras_rectifiers.cli.options import selection
from keras_rectifiers.cli.options import selection_options
from keras_rectifiers.cli.options import slope_options
from keras_rectifiers.cli.options import slopes
from keras_rectifiers.cli.own_code import OwnCode
from keras_rectifiers.cli.places import Command
from keras_rectifiers.cli.places import LocalFolder
from keras_rectifiers.cli.places import SourcePath
from keras_rectifiers.cli.places import TargetPath

#: Metrics that Keras chooses by the loss, when a model is compiled.
_SHORT = ("accuracy", "acc", "crossentropy", "ce")


@click.command(
    "finetune", cls=Command, short_help="Bring dead units back, training on your data."
)
@click.argument("model", type=SourcePath())
@data_options
@click.option(
    "--out",
    "target",
    required=True,
    type=TargetPath(),
    metavar="DST",
    help="The .keras file to write.",
)
@click.option(
    "--treatment",
    type=click.Choice(
        ("auto", "revive", "slopes", "norms", "restart", "convert", "none")
    ),
    help="What is done about dead units: new weights (revive), slopes for them alone "
    "(slopes), batch normalizations set back (norms), a new start of the whole "
    "model (restart), other rectifiers (convert), nothing (none); auto, the default, "
    "chooses by what it finds.",
)
@click.option(
    "--to",
    type=click.Choice(TARGETS),
    help="What takes the rectifiers' place, with --treatment convert.",
)
@slope_options
@selection_options
@click.option(
    "--epochs",
    type=click.IntRange(min=1),
    help="Passes over the data (default: enough for 2,000 steps, 5 to 50).",
)
@click.option(
    "--learning-rate",
    type=Finite(0, above=True),
    help="Default: that of the model's optimizer, or 0.001.",
)
@click.option(
    "--schedule",
    type=click.Choice(("cosine", "constant")),
    default="cosine",
    show_default=True,
    help="Course of the learning rate: up, then to 0 along a cosine; or none.",
)
@click.option(
    "--loss",
    help="Loss for a model that is not compiled with one, such as "
    "sparse_categorical_crossentropy or mse; starts a new Adam.",
)
@click.option(
    "--steps-per-epoch",
    type=click.IntRange(min=1),
    help="Steps of an epoch, for data that never end (default: all data).",
)
@click.option(
    "--validation-split",
    type=click.FloatRange(0, 1, max_open=True),
    default=0.1,
    show_default=True,
    help="Share of the samples held out to measure, where there is no x_test.",
)
@click.option(
    "--seed",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    help="Of the order of samples, the split and dropout.",
)
@click.option(
    "--metric",
    "metrics",
    multiple=True,
    help="Metric next to the loss, by its Keras name; needs --loss. Repeatable; the "
    "first decides which epoch is kept (default: accuracy for a cross-entropy).",
)
@click.option(
    "--class-weight",
    type=click.Choice(("balanced",)),
    help="Weigh each class in the loss by how rare it is.",
)
@click.option(
    "--no-input-normalization",
    is_flag=True,
    help="Put no Normalization in front of a model that takes unscaled inputs.",
)
@click.option(
    "--budget",
    type=Finite(0, above=True),
    metavar="SECONDS",
    help="Stop training after this time.",
)
@click.option(
    "--last",
    "keep_last",
    is_flag=True,
    help="Keep the last epoch; by default the best one on what is held out is kept.",
)
@click.option(
    "--fold",
    is_flag=True,
    help="Take the slopes of dead units back to 0 and write plain ReLUs.",
)
@portable_option(
    "Write stock Keras layers where they can express the rectifier, so that the file "
    "opens without this package."
)
@click.option(
    "--resume",
    type=LocalFolder(),
    metavar="DIR",
    help="Keep the state in this folder after each epoch; after a kill, the same "
    "command resumes from it. It is removed once DST is written.",
)
@force_option
@input_shape_option
@code_options
@json_option
@click.pass_context
def command(
    ctx: click.Context,
    model: Path,
    target: Path,
    treatment: str | None,
    to: str | None,
    spec: str,
    scale: float,
    batch_size: int,
    negative_slope: float | None,
    alpha: float | None,
    of: tuple[str, ...],
    include: tuple[str, ...],
    exclude: tuple[str, ...],
    roles: tuple[str, ...],
    epochs: int | None,
    learning_rate: float | None,
    schedule: str,
    loss: str | None,
    steps_per_epoch: int | None,
    validation_split: float,
    seed: int,
    metrics: tuple[str, ...],
    class_weight: str | None,
    no_input_normalization: bool,
    budget: float | None,
    keep_last: bool,
    fold: bool,
    portable: bool,
    resume: Path | None,
    force: bool,
    input_shape: tuple[int | None, ...] | None,
    code: OwnCode,
    as_json: bool,
) -> None:
    """Bring the dead units of MODEL back: diagnose, treat, train on DATA, compare.

    A compiled model goes on with its own loss and optimizer. MODEL is not changed.
    With --to or a selection of rectifiers these are converted, as by convert.

    Exit code 1: the result is no better than MODEL, at chance, or still dying. DST
    is written all the same: where no epoch was better it holds the original.
    """
    from keras_rectifiers.cli.backend import prepare_backend
    from keras_rectifiers.cli.models import check_model_file
    from keras_rectifiers.cli.models import own_objects
    from keras_rectifiers.files.writing import check_model_target

    choice = {
        **selection(of, include, exclude, roles),
        **slopes(to or "prelu", negative_slope, alpha),
        **({} if to is None else {"to": to}),
    }
    if choice and treatment not in ("convert", "slopes", None):
        raise click.UsageError(
            f"--treatment {treatment} converts nothing by choice: leave --to, slopes "
            "and selection out."
        )
    if metrics and loss is None:
        raise click.UsageError(
            "--metric goes with --loss: a model that is compiled keeps its own metrics."
        )
    check_model_file(model, input_shape, own_objects(code))
    check_model_target(model, target, overwrite=force)
    prepare_backend()
    import keras

    from keras_rectifiers.cli.models import load_model
    from keras_rectifiers.cli.progress import epochs_shown
    from keras_rectifiers.errors import RectifierError
    from keras_rectifiers.files import data as data_sets
    from keras_rectifiers.finetuning.finetune import finetune
    from keras_rectifiers.finetuning.optimizers import has_own_loss
    from keras_rectifiers.finetuning.resume import remove
    from keras_rectifiers.finetuning.split import measured_on
    from keras_rectifiers.surgery.loading import save

    _check_known("loss", keras.losses, [] if loss is None else [loss])
    _check_known("metric", keras.metrics, metrics)
    loaded = load_model(model, code, input_shape=input_shape)
    own_loss = has_own_loss(loaded)
    if loss is None and getattr(loaded, "loss", None) is None and not own_loss:
        raise RectifierError(
            f"Training needs a loss. Received: {str(model)!r}, which is not compiled "
            "with one, and no --loss. Add, for example, --loss "
            "sparse_categorical_crossentropy (labels as numbers of classes)."
        )
    data = data_sets.load(spec, loaded, scale=scale, labels=not own_loss)
    with epochs_shown(measured_on=measured_on(data, validation_split)) as shown:
        result = finetune(
            loaded,
            data,
            treatment=treatment,
            epochs=epochs,
            learning_rate=learning_rate,
            schedule=schedule,
            loss=loss,
            batch_size=batch_size,
            steps_per_epoch=steps_per_epoch,
            validation_split=validation_split,
            seed=seed,
            metrics=list(metrics) or None,
            keep_best=not keep_last,
            class_weight=class_weight,
            input_normalization=not no_input_normalization,
            budget=budget,
            fold=fold,
            portable=portable,
            resume=resume,
            callbacks=[shown],
            tell=shown.tell,
            **choice,
        )
    save(result.model, target, overwrite=force)
    if resume is not None:
        remove(resume)
    _show(result, target, as_json=as_json)
    if not result.rescued:
        ctx.exit(1)


def _check_known(option: str, module: Any, names: Sequence[str]) -> None:
    """Refuse losses or metrics that Keras does not know, naming the nearest."""
    import difflib

    from keras_rectifiers.errors import RectifierError

    for name in names:
        if name in _SHORT:
            continue
        try:
            module.get(name)
        except ValueError:
            known = ["mse", "mae", *(each for each in dir(module) if each[0] != "_")]
            near = difflib.get_close_matches(name, known, n=1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            raise RectifierError(
                f"--{option} must be a {option} that Keras knows. Received: "
                f"{name!r}.{hint}"
            ) from None


def _show(result: Any, target: Path, *, as_json: bool) -> None:
    from keras_rectifiers.cli.screen import show
    from keras_rectifiers.cli.screen import show_json
    from keras_rectifiers.cli.screen import written

    if as_json:
        show_json({**result.to_dict(), "target": str(target)})
    else:
        kept = "" if result.rescued else f"{result.kept}: not rescued"
        show([*result.parts(command_line=True), *written(target, kept)])
