"""Progress on stderr: a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from typing import Any

from rich.progress import BarColumn
from rich.progress import MofNCompleteColumn
from rich.progress import Progress
from rich.progress import TextColumn
from rich.progress import TimeRemainingColumn

from keras_rectifiers.cli.screen import console
from keras_rectifiers.cli.screen import say
from keras_rectifiers.shares import percent

#: What callbacks of this package write into Keras' logs, next to metrics.
_OF_CALLBACKS = ("revived", "slope")


@contextlib.contextmanager
def counted(items: Any, total: int | None) -> Iterator[Any]:
    """Show a bar while items are iterated; without a terminal, nothing.

    Args:
        items: What is iterated; given back as it is where no total is known.
        total: Number of items, or None.
    """
    if total is None:
        yield items
        return
    with _progress() as progress:
        yield _counting(items, progress, progress.add_task("batches", total=total))


@contextlib.contextmanager
def bar(label: str, total: int) -> Iterator[Callable[[], None]]:
    """Show a bar on a terminal while lines of results are printed.

    Args:
        label: What is counted.
        total: Number of all.

    Yields:
        A function that counts one more.
    """
    with _progress(redirect_stdout=sys.stdout.isatty()) as progress:
        task = progress.add_task(label, total=total)
        yield lambda: progress.advance(task)


def _counting(items: Iterable[Any], progress: Progress, task: Any) -> Iterator[Any]:
    for item in items:
        yield item
        progress.advance(task)


def epoch_line(
    epoch: int, epochs: int, logs: Mapping[str, Any], measured_on: str
) -> str:
    """One epoch in words: the loss and the metrics on which data, and the units.

    Args:
        epoch: Number of the epoch, from 1.
        epochs: Number of all.
        logs: Keras' logs of the epoch, with the fractions of the monitor.
        measured_on: The data of Keras' `val_` metrics, such as `"test data"`.
    """
    shown = {name: float(value) for name, value in logs.items() if "/" not in name}
    held_out = {
        name.removeprefix("val_"): shown.pop(name)
        for name in list(shown)
        if name.startswith("val_")
    }
    units = {
        name: percent(shown.pop(f"{name}_fraction"))
        for name in ("dead", "silent")
        if f"{name}_fraction" in shown
    }
    shown.pop("not_finite_fraction", None)
    done = {name: shown.pop(name) for name in _OF_CALLBACKS if name in shown}
    where, _, _ = measured_on.partition(" ")
    parts = [
        f"{name}: {', '.join(f'{key} {value:.4g}' for key, value in values.items())}"
        for name, values in (("training", shown), (where, held_out))
        if values
    ]
    if units:
        parts.append(f"units: {', '.join(f'{s} {name}' for name, s in units.items())}")
    parts += [f"{name} {value:.4g}" for name, value in done.items()]
    return f"epoch {epoch}/{epochs}  {'; '.join(parts)}"


@contextlib.contextmanager
def epochs_shown(
    label: str = "fine-tuning", *, measured_on: str = "validation data"
) -> Iterator[Any]:
    """A Keras callback that shows each epoch: a line, and a bar on a terminal.

    Args:
        label: What is going on.
        measured_on: The data of Keras' `val_` metrics, in words.
    """
    import keras

    with _progress() as progress:
        task = progress.add_task(label, total=None)

        class Shown(keras.callbacks.Callback):
            """Shows each epoch as it ends, and the sentences of `tell`."""

            def tell(self, sentence: str) -> None:
                """Show one sentence between the epochs."""
                if progress.disable:
                    say(f"{label}: {sentence}")
                else:
                    progress.console.print(f"{label}: {sentence}", markup=False)

            def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
                progress.update(task, completed=epoch, total=self.params["epochs"])

            def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
                epochs = self.params["epochs"]
                self.tell(epoch_line(epoch + 1, epochs, logs or {}, measured_on))
                progress.update(task, completed=epoch + 1)

        yield Shown()


def _progress(*, redirect_stdout: bool = True) -> Progress:
    screen = console(stderr=True)
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=screen,
        transient=True,
        disable=not screen.is_terminal,
        redirect_stdout=redirect_stdout,
    )
