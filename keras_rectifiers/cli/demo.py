"""`keras-rectifiers demo`: the whole story on real images, in about a minute."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from keras_rectifiers.cli.options import force_option
from keras_rectifiers.cli.options import json_option


@click.command("demo", short_help="See it all on a dying classifier of digits.")
@click.option(
    "--out",
    "folder",
    type=click.Path(path_type=Path),
    default="keras-rectifiers-demo",
    show_default=True,
    metavar="DIR",
    help="Folder for the models and the images.",
)
@click.option(
    "--epochs",
    type=click.IntRange(min=1),
    default=10,
    show_default=True,
    help="Passes over the images, for each of the three models.",
)
@click.option(
    "--seed",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    help="Of the order of images.",
)
@force_option
@json_option
def command(folder: Path, epochs: int, seed: int, force: bool, as_json: bool) -> None:
    """Diagnose, convert, verify and fine-tune a classifier whose ReLUs died.

    The model, trained on handwritten digits with too high a learning rate, comes
    with the package. Its ReLU twin is fine-tuned alike, for a fair comparison; then
    finetune chooses for itself.
    """
    from keras_rectifiers.cli.backend import prepare_backend
    from keras_rectifiers.cli.progress import epochs_shown
    from keras_rectifiers.demo.story import check_folder

    check_folder(folder, force=force)
    prepare_backend()
    from keras_rectifiers.demo.story import run

    story = run(
        folder,
        force=force,
        epochs=epochs,
        seed=seed,
        show=_nothing if as_json else _show,
        watch=epochs_shown,
    )
    _finish(story, as_json=as_json)


def _nothing(parts: list[Any]) -> None:
    """With --json the screen waits for the result."""


def _show(parts: list[Any]) -> None:
    """Show what the demo finds as it finds it."""
    from keras_rectifiers.cli.screen import show
    from keras_rectifiers.diagnosis.result import Diagnosis
    from keras_rectifiers.surgery.plan import Plan

    for part in parts:
        if isinstance(part, Diagnosis):
            show(part.parts(command_line=True))
        elif isinstance(part, Plan):
            show(part.parts(done=True))
        else:
            show([part])


def _finish(story: Any, *, as_json: bool) -> None:
    import dataclasses

    from keras_rectifiers.cli.screen import show
    from keras_rectifiers.cli.screen import show_json

    rows = [dataclasses.asdict(row) for row in story.rows]
    if as_json:
        result = {
            "models": rows,
            "plan": story.plan.to_dict(),
            "verification": story.verification.to_dict(),
            "epochs": {name: list(logs) for name, logs in story.epochs.items()},
            "files": [str(path) for path in story.files],
        }
        show_json(result)
        return
    original, *_, rescued = story.files
    legend = (
        "Dead: no gradient reaches the unit. Silent: it never fires on the training "
        "images; with a slope it still learns."
    )
    show(
        [
            story.comparison,
            legend,
            f"Written: {rescued}",
            f"Next: keras-rectifiers inspect {original}",
        ]
    )
