"""The demo, step by step: diagnose, convert, verify, fine-tune, compare, save.

It does what a user would do, through the same functions. The untouched ReLU model
is trained like the PReLU one (same seed, steps, optimizer and learning rate): what is
gained over it is due to the conversion, not to more training. Then `finetune` makes its
own choice, in the same number of epochs.
"""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from keras_rectifiers import demo
from keras_rectifiers.errors import ArchiveError
from keras_rectifiers.files import data as data_sets
from keras_rectifiers.shares import percent
from keras_rectifiers.tables import Table

EPOCHS = 10

#: Names of the files that the demo leaves in its folder.
ORIGINAL = "dying_digits.keras"
IMAGES = "digits.npz"
CONVERTED = "digits_prelu.keras"
FINETUNED = "digits_prelu_finetuned.keras"
RESCUED = "digits_rescued.keras"
FILES = (ORIGINAL, IMAGES, CONVERTED, FINETUNED, RESCUED)


@dataclasses.dataclass(frozen=True)
class Row:
    """One model of the comparison."""

    model: str
    #: Share of the test images that are classified right, 0..1.
    accuracy: float
    #: Units of all rectifiers.
    units: int
    #: Never positive on the training images, and no gradient.
    dead: int
    #: Never positive on the training images, with or without gradient.
    silent: int


@dataclasses.dataclass(frozen=True, eq=False)
class Story:
    """What the demo found and made."""

    rows: tuple[Row, ...]
    #: Of the original on its training images.
    diagnosis: Any
    #: The plan of the conversion.
    plan: Any
    #: Original against converted model.
    verification: Any
    #: Logs of each epoch of the PReLU, the ReLU and the rescued model.
    epochs: dict[str, tuple[Any, ...]]
    #: What was written.
    files: tuple[Path, ...]

    @property
    def comparison(self) -> Table:
        """The models side by side."""
        head = ("model", "test accuracy", "dead units", "silent units")
        rows = (
            (
                row.model,
                percent(row.accuracy),
                _of(row.dead, row.units),
                _of(row.silent, row.units),
            )
            for row in self.rows
        )
        return Table.of(head, rows, numbers=head[1:])


#: Shows the epochs of a run: takes its label and, as `measured_on`, the data of its
#: metrics; gives a Keras callback that has a `tell`.
Watch = Callable[..., AbstractContextManager[Any]]


def check_folder(folder: Path, *, force: bool) -> None:
    """Refuse a folder in which something would be lost.

    Raises:
        ArchiveError: The path is a file, or a file of the demo is there already.
    """
    if folder.exists() and not folder.is_dir():
        raise ArchiveError(
            f"The demo needs a folder. Received: the file {str(folder)!r}. Choose a "
            "folder with --out."
        )
    there = [name for name in FILES if (folder / name).exists()]
    if there and not force:
        raise ArchiveError(
            f"The folder {str(folder)!r} already contains {there[0]!r}. Choose "
            "another folder with --out, or use --force to replace the demo's files."
        )


def run(
    folder: Path,
    *,
    force: bool = False,
    epochs: int = EPOCHS,
    seed: int = 0,
    show: Callable[[list[Any]], None],
    watch: Watch,
) -> Story:
    """Run the demo.

    Args:
        folder: Where the files go; made if it is not there.
        force: Whether the demo's own files there may be replaced.
        epochs: Epochs of each fine-tuning run.
        seed: Of the order of samples.
        show: Takes results to show as they come.
        watch: Shows the epochs of a run.

    Raises:
        ArchiveError: A file of the demo is there already.
    """
    from keras_rectifiers.conversion.verbs import convert_file  # noqa: PLC0415
    from keras_rectifiers.diagnosis.diagnose import diagnose  # noqa: PLC0415
    from keras_rectifiers.surgery.loading import load  # noqa: PLC0415
    from keras_rectifiers.surgery.loading import save  # noqa: PLC0415
    from keras_rectifiers.surgery.verify import verify  # noqa: PLC0415

    check_folder(folder, force=force)
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(demo.MODEL, folder / ORIGINAL)
    shutil.copyfile(demo.DATA, folder / IMAGES)
    model = load(folder / ORIGINAL)
    data = data_sets.load(str(folder / IMAGES), model, labels=True)
    diagnosis = diagnose(model, data.x, batch_size=256)
    show([diagnosis])
    plan = convert_file(folder / ORIGINAL, folder / CONVERTED, "prelu", overwrite=force)
    show([plan])
    verification = verify(folder / ORIGINAL, folder / CONVERTED, data.x_test)
    show([verification])
    converted = load(folder / CONVERTED)
    alike: dict[str, Any] = {"treatment": "none", "schedule": "constant"}
    runs = {
        "PReLU": _finetuned(converted, "PReLU", data, epochs, seed, watch, alike),
        "ReLU": _finetuned(model, "ReLU", data, epochs, seed, watch, alike),
        "rescue": _finetuned(model, "rescue", data, epochs, seed, watch, {}),
    }
    save(runs["PReLU"].model, folder / FINETUNED, overwrite=force)
    save(runs["rescue"].model, folder / RESCUED, overwrite=force)
    models = {
        "original (ReLU)": model,
        "converted (PReLU, alpha 0)": converted,
        "fine-tuned PReLU": runs["PReLU"].model,
        "fine-tuned ReLU, for comparison": runs["ReLU"].model,
        f"finetune's choice ({runs['rescue'].treatment})": runs["rescue"].model,
    }
    return Story(
        tuple(_row(name, each, data) for name, each in models.items()),
        diagnosis,
        plan,
        verification,
        {name: result.history for name, result in runs.items()},
        tuple(folder / name for name in FILES),
    )


def _finetuned(
    model: Any,
    name: str,
    data: Any,
    epochs: int,
    seed: int,
    watch: Watch,
    how: dict[str, Any],
) -> Any:
    from keras_rectifiers.finetuning.finetune import finetune  # noqa: PLC0415
    from keras_rectifiers.finetuning.measured import TEST  # noqa: PLC0415

    with watch(name, measured_on=TEST) as callback:
        return finetune(
            model,
            data,
            **how,
            epochs=epochs,
            seed=seed,
            probe=data.x,
            callbacks=[callback],
            tell=callback.tell,
        )


def _row(name: str, model: Any, data: Any) -> Row:
    from keras_rectifiers.diagnosis.diagnose import diagnose  # noqa: PLC0415

    found = diagnose(model, data.x, batch_size=256)
    metrics = model.evaluate(data.x_test, data.y_test, verbose=0, return_dict=True)
    return Row(
        name,
        float(metrics["accuracy"]),
        found.units,
        found.count("dead"),
        found.count("dead", "leaking"),
    )


def _of(count: int, total: int) -> str:
    return f"{count:,} of {total:,} ({percent(count / max(total, 1))})"
