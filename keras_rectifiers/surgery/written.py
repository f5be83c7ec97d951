"""Check a new `.keras` file before it is put in place."""

from __future__ import annotations

from pathlib import Path

from keras_rectifiers.graph import wellformed
from keras_rectifiers.graph.document import Entry
from keras_rectifiers.surgery import archive
from keras_rectifiers.surgery import structure


def check_written(
    written: Path,
    document: Entry,
    made_from: Path,
    source: archive.Archive | None = None,
) -> None:
    """Refuse a `.keras` file that Keras would not open; see `structure.check`.

    Args:
        written: The file, where it is until it is put in place.
        document: Its config.
        made_from: What it was made from, for messages.
        source: The file of Keras 3 that it was made from: arrays that belonged to no
            layer there may be there still.

    Raises:
        ArchiveError: Names the first layer, and what is wrong there.
    """
    before = None
    if source is not None:
        before = lambda: (source.document, _arrays(source.path))  # noqa: E731
    with wellformed.reading(made_from, "config.json"):
        structure.check(document, _arrays(written), str(made_from), before)


def check_converted(written: Path, source: archive.Archive, document: Entry) -> None:
    """The same for the conversion of a file of Keras 3, as `archive.apply` asks it."""
    check_written(written, document, source.path, source)


def _arrays(path: Path) -> structure.Arrays:
    """The shape of each array of a `.keras` file, by its group."""
    shapes = archive.weights_shapes(path)
    return {tuple(name.split("/")): shape for name, shape in shapes.items()}
