"""`convert --calibrate`: the slope of each layer from data."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from keras_rectifiers.cli.options import Decorated
from keras_rectifiers.cli.options import Finite
from keras_rectifiers.cli.options import scale_option
from keras_rectifiers.cli.own_code import OwnCode


def calibration_options(function: Decorated) -> Decorated:
    """`--calibrate`, `--budget-change`, `--scale`."""
    for option in (
        scale_option(
            "Multiply the inputs of --calibrate by this (default: 1).", default=None
        ),
        click.option(
            "--budget-change",
            type=Finite(0),
            metavar="X",
            help="How far --calibrate may move the model: the mean squared change of "
            "the outputs as a share of their variance or, where the model has a loss "
            "and DATA has labels, the increase of the loss (default: 0.01).",
        ),
        click.option(
            "--calibrate",
            "spec",
            metavar="DATA",
            help="Run the model on this, give each layer the largest slope within "
            "--budget-change, and let biases absorb the shift of the means: .npz, "
            ".npy, a folder of images, or package.module:function.",
        ),
    ):
        function = option(function)
    return function


def check_options(
    spec: str | None, given: Mapping[str, Any], others: Mapping[str, Any]
) -> None:
    """Refuse options that do not go together, before anything is opened.

    Args:
        spec: The value of `--calibrate`; None where it was not given.
        given: The other options of a calibration, by name; None or empty: not given.
        others: The options that cannot be combined with it, by name.

    Raises:
        UsageError: Naming the options.
    """
    lonely = [name for name, value in given.items() if value is not None]
    if spec is None and lonely:
        raise click.UsageError(
            f"{' and '.join(lonely)} can only be used with --calibrate DATA."
        )
    # A slope of 0 is given, too.
    wrong = [
        n for n, v in others.items() if v is not None and v is not False and v != ()
    ]
    if spec is not None and wrong:
        raise click.UsageError(
            "--calibrate chooses the slopes of ReLUs from data and changes biases; it "
            f"cannot be combined with {' or '.join(wrong)}."
        )


def calibrated(
    source: Path,
    target: Path | None,
    spec: str,
    *,
    budget: float | None,
    scale: float | None,
    force: bool,
    code: OwnCode,
    weights: Path | None,
    input_shape: tuple[int | None, ...] | None,
    **choice: Any,
) -> Any:
    """Calibrate a saved model and write the result, if its change is in the budget.

    Args:
        source: The model.
        target: Where the result goes; None to write nothing.
        spec: The data.
        budget: The most that the model may move; None for the default.
        scale: Factor for the inputs; None for 1.
        force: Whether an existing target may be replaced.
        code: The user's own code.
        weights: File of the weights, for an architecture.
        input_shape: The shape that a Sequential takes which does not state it.
        choice: `to` and the selection, as `calibrate` takes them.

    Returns:
        The `Calibration`.
    """
    from keras_rectifiers.cli.backend import prepare_backend
    from keras_rectifiers.cli.models import check_model_file
    from keras_rectifiers.cli.models import own_objects
    from keras_rectifiers.files.writing import check_model_target

    if target is not None:
        check_model_target(source, target, overwrite=force)
    if weights is None:
        check_model_file(source, input_shape, own_objects(code))
    prepare_backend()
    from keras_rectifiers.calibration.choosing import MAX_CHANGE
    from keras_rectifiers.calibration.choosing import SAMPLES
    from keras_rectifiers.calibration.choosing import calibrate
    from keras_rectifiers.cli.models import load_model
    from keras_rectifiers.files import data as data_sets
    from keras_rectifiers.surgery.loading import save

    model = load_model(source, code, weights, input_shape)
    data = data_sets.load(spec, model, scale=scale or 1.0, limit=SAMPLES)
    found = calibrate(
        model,
        data.x if data.y is None else (data.x, data.y),
        max_change=MAX_CHANGE if budget is None else budget,
        **choice,
    )
    if target is not None and found.fits:
        save(found.model, target, overwrite=force)
    return found
