"""A killed run leaves the old target or the new one, and nothing that stays."""

import contextlib
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import keras
import numpy as np
import pytest

import keras_rectifiers
from keras_rectifiers.files import leftovers
from keras_rectifiers.files import writing
from keras_rectifiers.files.writing import replacing

pytestmark = pytest.mark.skipif(os.name == "nt", reason="there is no SIGKILL")

_ROOT = Path(__file__).parents[2]
_SIZE = 1 << 20

#: Write a target of many equal bytes; "stop" at a place, and wait for a line or a kill.
_RUN = """
import os, sys
from pathlib import Path
from keras_rectifiers.files import leftovers, writing
target, named, stop, letter = sys.argv[1:]
def wait(place):
    if place == stop:
        print("here", flush=True)
        sys.stdin.readline()
if named == "named":
    writing._unnamed = lambda folder: None
original = Path.replace
def replace(self, other):
    wait("between the names")
    return original(self, other)
Path.replace = replace
if named == "folder":
    with leftovers.new_folder(Path(target)) as folder:
        (folder / "half").write_bytes(b"x" * 99)
        wait("half way")
else:
    with writing.replacing(target, overwrite=True, named=named == "named") as made:
        with open(made, "wb") as file:
            file.write(letter.encode() * (1 << 19))
            file.flush()
            wait("half way")
            file.write(letter.encode() * (1 << 19))
"""
_CONVERT = """
import sys
import keras_rectifiers
from keras_rectifiers.files import writing
source, target, named, to = sys.argv[1:]
if named == "named":
    writing._unnamed = lambda folder: None
print("here", flush=True)
keras_rectifiers.convert_file(source, target, to, overwrite=True)
"""


@contextlib.contextmanager
def _started(code, *arguments):
    """A process that runs code, once it has said that it is there."""
    child = subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(_ROOT)},
    )
    try:
        assert child.stdout.readline() == b"here\n"
        yield child
    finally:
        child.kill()
        child.communicate()


def _killed(code, *arguments):
    with _started(code, *arguments) as child:
        child.send_signal(signal.SIGKILL)
        assert child.wait() == -signal.SIGKILL


def _whole(target, letter):
    return target.read_bytes() == letter * _SIZE


def _others(target):
    return sorted(each.name for each in target.parent.iterdir() if each != target)


def _has_unnamed_files(folder):
    handle = writing._unnamed(folder)
    if handle is not None:
        os.close(handle)
    return handle is not None


@pytest.fixture
def target(tmp_path):
    """A file that is to be replaced."""
    path = tmp_path / "target.bin"
    path.write_bytes(b"o" * _SIZE)
    return path


def test_a_file_without_a_name_goes_with_its_process(target):
    """Half of it was written when the kill came: the folder never saw it."""
    if not _has_unnamed_files(target.parent):
        pytest.skip("the file system has no unnamed files")
    _killed(_RUN, target, "unnamed", "half way", "n")

    assert _whole(target, b"o")
    assert not _others(target)


@pytest.mark.parametrize(
    ("named", "stop"),
    [
        ("named", "half way"),
        ("named", "between the names"),
        ("unnamed", "between the names"),
    ],
)
def test_the_next_run_removes_what_a_killed_one_left(target, named, stop):
    """Of a file with a name, and in the moment in which a whole one has two."""
    if named == "unnamed" and not _has_unnamed_files(target.parent):
        pytest.skip("the file system has no unnamed files")
    _killed(_RUN, target, named, stop, "n")
    assert _whole(target, b"o")
    assert len(_others(target)) == 1

    with replacing(target, overwrite=True) as made:
        made.write_bytes(b"n" * _SIZE)

    assert _whole(target, b"n")
    assert not _others(target)


def test_the_next_run_removes_the_folder_that_a_killed_one_left(target):
    """With all that is in it."""
    _killed(_RUN, target, "folder", "half way", "")
    assert len(_others(target)) == 1

    with leftovers.new_folder(target) as folder:
        assert _others(target) == [folder.name]

    assert not _others(target)


@pytest.mark.parametrize("named", ["named", "unnamed", "folder"])
@pytest.mark.parametrize("stop", ["half way", "between the names"])
def test_a_run_that_lives_keeps_its_files(target, named, stop):
    """Two runs write one target: both end well, and the last one counts."""
    if named == "folder" and stop != "half way":
        pytest.skip("a folder has one name")
    with _started(_RUN, target, named, stop, "n") as child:
        before = _others(target)
        with replacing(target, overwrite=True) as made:
            made.write_bytes(b"m" * _SIZE)
        assert _others(target) == before
        assert _whole(target, b"m")

        child.stdin.write(b"\n")
        child.stdin.flush()
        assert child.wait() == 0
    assert _whole(target, b"m" if named == "folder" else b"n")
    assert not _others(target)


@pytest.mark.parametrize(
    "name",
    [
        ".target.bin.tmp",
        ".target.bin.12345678.tmp",
        ".target.bin.1234567.keras_rectifiers.tmp",
        ".other.bin.12345678.keras_rectifiers.tmp",
        "target.bin.12345678.keras_rectifiers.tmp",
    ],
)
def test_files_that_may_be_of_others_stay(target, name):
    """A name must say that it is of this package and for this target."""
    other = target.with_name(name)
    other.write_bytes(b"theirs")
    leftovers.remove_left(target)

    assert other.read_bytes() == b"theirs"


def test_a_link_is_not_followed(target):
    """What it leads to is not the run's."""
    other = target.with_name("other")
    other.write_bytes(b"theirs")
    link = target.with_name(".target.bin.12345678.keras_rectifiers.tmp")
    link.symlink_to(other)
    leftovers.remove_left(target)

    assert other.read_bytes() == b"theirs"


def test_a_long_name_has_leftovers_too(tmp_path):
    """The temporary name is not longer than the file system allows."""
    target = tmp_path / ("n" * 255)
    with replacing(target, overwrite=False) as made:
        made.write_bytes(b"new")

    assert target.read_bytes() == b"new"
    assert not _others(target)


def test_files_without_a_name_are_as_others_are(tmp_path, monkeypatch):
    """Where /proc does not show them, a file with a name is written."""
    monkeypatch.setattr(writing, "_path_of", lambda handle: Path("/none") / str(handle))
    with replacing(tmp_path / "out", overwrite=False, named=False) as made:
        assert made.parent == tmp_path
        made.write_bytes(b"new")

    assert (tmp_path / "out").read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [tmp_path / "out"]


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A model file of 24 MB, and what two conversions make of it."""
    folder = tmp_path_factory.mktemp("model")
    made = keras.Sequential([keras.Input((1400,))])
    for _ in range(3):
        made.add(keras.layers.Dense(1400, "relu", kernel_initializer="zeros"))
    generator = np.random.default_rng(0)
    made.set_weights(
        [generator.standard_normal(each.shape, "float32") for each in made.weights]
    )
    made.save(folder / "source.keras")
    wholes = {}
    for to in ("leaky_relu", "prelu"):
        keras_rectifiers.convert_file(folder / "source.keras", folder / "out.keras", to)
        wholes[to] = (folder / "out.keras").read_bytes()
        (folder / "out.keras").unlink()
    return folder / "source.keras", wholes


@pytest.mark.parametrize(
    "count", [3, pytest.param(40, marks=pytest.mark.slow)], ids=["few", "many"]
)
@pytest.mark.parametrize("named", ["named", "unnamed"])
def test_a_conversion_may_be_killed_at_any_moment(model, tmp_path, named, count):
    """The target is old or new, and whole; the next run leaves nothing else."""
    source, wholes = model
    target = tmp_path / "target.keras"
    generator = random.Random(0)
    old = "leaky_relu"
    target.write_bytes(wholes[old])
    with _started(_CONVERT, source, target, named, old) as child:
        start = time.monotonic()
        child.wait()
    takes = time.monotonic() - start

    for number in range(count):
        target.write_bytes(wholes[old])
        with _started(_CONVERT, source, target, named, "prelu") as child:
            time.sleep(generator.uniform(0, takes * 1.2))
            child.send_signal(signal.SIGKILL)
            child.wait()
        content = target.read_bytes()
        assert content in wholes.values(), f"half of a file, in round {number}"
        # Without a name there is only the moment between two names.
        assert len(_others(target)) <= 1

    keras_rectifiers.convert_file(source, target, "prelu", overwrite=True)
    assert target.read_bytes() == wholes["prelu"]
    assert not _others(target)
