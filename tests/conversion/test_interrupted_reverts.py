"""A revert that is killed, meets another writer or a full disk: the old file or a new.

Processes are forked from an interpreter that has the package and not Keras, so that
many of them can be killed; what needs Keras runs in interpreters of its own.
"""

import inspect
import os
import signal
import subprocess
import sys
import time

import keras
import pytest
from keras import layers

import keras_rectifiers
from tests.fresh import run

#: How often the slow test kills.
MANY = int(os.environ.get("KILLS", "200"))

_FORKS = """
import json, os, random, resource, signal, sys, time
from pathlib import Path
from keras_rectifiers.conversion.revert import revert_file
from keras_rectifiers.errors import ArchiveError

def fork(source, target, limit=None, overwrite=True):
    process = os.fork()
    if process:
        return process
    code = 1
    try:
        if limit is not None:
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
        revert_file(source, target, overwrite=overwrite)
        code = 0
    except ArchiveError as error:
        code = 2 if str(error).count("\\n") == 0 else 3
    finally:
        os._exit(code)

def done(process):
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])

def whole(source):
    target = source.with_name("whole.keras")
    revert_file(source, target)  # children need not import anything more
    started = time.perf_counter()
    assert done(fork(source, target)) == 0
    seconds = time.perf_counter() - started
    content = target.read_bytes()
    target.unlink()
    return content, seconds

def names():
    return sorted(each.name for each in Path().iterdir())
"""
_KILLS = (
    _FORKS
    + """
chance = random.Random(0)
source, target = Path("a.keras"), Path("out.keras")
before = source.read_bytes()
new, seconds = whole(source)
assert whole(source)[0] == new  # the same bytes each time
found = {"old": 0, "new": 0, "killed": 0, "left": 0}
for _ in range(int(sys.argv[1])):
    target.write_bytes(b"old")
    process = fork(source, target)
    time.sleep(chance.uniform(0, 1.2 * seconds))
    os.kill(process, signal.SIGKILL)
    found["killed"] += done(process) == -signal.SIGKILL
    content = target.read_bytes()
    assert content in (b"old", new), len(content)
    found["old" if content == b"old" else "new"] += 1
    for each in Path().iterdir():
        if each not in (source, target):
            found["left"] += 1
            assert each.name.startswith(".out.keras."), each
            each.unlink()
    assert source.read_bytes() == before
print(json.dumps(found))
"""
)
_WRITERS = (
    _FORKS
    + """
one, other, target = Path("a.keras"), Path("b.keras"), Path("out.keras")
news = [whole(each)[0] for each in (one, other)]
codes, contents = [], []
for overwrite in (True, False):
    for _ in range(5):
        if overwrite:
            target.write_bytes(b"old")
        else:
            target.unlink(missing_ok=True)
        both = [fork(each, target, overwrite=overwrite) for each in (one, other)]
        codes.append(sorted(map(done, both)))
        contents.append(target.read_bytes() in news)
print(json.dumps({"codes": codes, "whole": contents, "names": names()}))
"""
)
_FULL = (
    _FORKS
    + """
source, target = Path("a.keras"), Path("out.keras")
target.write_bytes(b"old")
size = len(whole(source)[0])
codes = []
for part in range(10):
    codes.append(done(fork(source, target, limit=size * part // 10)))
    assert target.read_bytes() == b"old", part
print(json.dumps({"codes": codes, "names": names()}))
"""
)


@keras.saving.register_keras_serializable("interrupted")
class Net(keras.Model):
    """A model whose layers are made in Python code."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.first, self.act = layers.Dense(64), layers.ReLU()
        self.head = layers.Dense(64)

    def call(self, x):
        return self.head(self.act(self.first(x)))


def _converted(folder, *names):
    """Converted files, each of a model of its own."""
    for seed, name in enumerate(names):
        keras.utils.set_random_seed(seed)
        model = keras.Sequential(
            [
                keras.Input((64,)),
                layers.Dense(512, "relu"),
                layers.Dense(512),
                layers.ReLU(),
                layers.Dense(8),
            ]
        )
        model.save(folder / f"of_{name}")
        keras_rectifiers.convert_file(folder / f"of_{name}", folder / name)
        (folder / f"of_{name}").unlink()


def _kill(folder, times):
    _converted(folder, "a.keras")
    found = run(folder, _KILLS, times)
    assert found["old"] + found["new"] == times
    assert found["killed"] > times / 5


def test_a_revert_that_is_killed_leaves_the_old_file_or_the_new_one(tmp_path):
    """At any moment; the converted file stays as it is, and remains are hidden."""
    _kill(tmp_path, 10)


@pytest.mark.slow
def test_many_kills(tmp_path):
    """The same, at many more moments."""
    _kill(tmp_path, MANY)


def test_of_two_writers_one_is_the_last(tmp_path):
    """The file is one of theirs, whole; where none may replace it, one is told."""
    _converted(tmp_path, "a.keras", "b.keras")

    found = run(tmp_path, _WRITERS)

    assert found["codes"] == [[0, 0]] * 5 + [[0, 2]] * 5
    assert all(found["whole"])
    assert found["names"] == ["a.keras", "b.keras", "out.keras"]


def test_a_full_disk_leaves_the_old_file(tmp_path):
    """It is one sentence, wherever in the file the disk is full."""
    _converted(tmp_path, "a.keras")

    found = run(tmp_path, _FULL)

    assert found["codes"] == [2] * 10
    assert found["names"] == ["a.keras", "out.keras"]


_MODULE = f"import keras\nfrom keras import layers\n\n{inspect.getsource(Net)}"
_MAIN = "from keras_rectifiers.cli.main import main; main()"
_LIMITED = """
import json, resource, signal, sys
from pathlib import Path
import keras, keras_rectifiers, net
from keras_rectifiers.errors import ArchiveError
from keras_rectifiers.surgery import loading

model = keras_rectifiers.revert(keras_rectifiers.load_model("a.keras"))
target = Path("out.keras")
loading.save(model, target)
size = target.stat().st_size
target.write_bytes(b"old")
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
told = []
for part in range(10):
    limit = size * part // 10
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
    try:
        loading.save(model, target, overwrite=True)
    except ArchiveError as error:
        told.append(str(error).count("\\n"))
    assert target.read_bytes() == b"old", part
print(json.dumps({"told": told, "names": sorted(e.name for e in Path().iterdir())}))
"""


def _of_python(folder):
    """A converted file of a model that Python code makes, and its module."""
    model = Net(name="net")
    model(keras.ops.ones((1, 64)))
    keras_rectifiers.convert(model).save(folder / "a.keras")
    (folder / "net.py").write_text(_MODULE)


@pytest.mark.slow
def test_a_full_disk_leaves_the_old_file_where_keras_writes(tmp_path, monkeypatch):
    """So it is for a model whose layers Python code makes."""
    _of_python(tmp_path)
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")

    found = run(tmp_path, f"import sys; sys.path.insert(0, '')\n{_LIMITED}")

    assert found["told"] == [0] * 10
    assert found["names"] == ["a.keras", "net.py", "out.keras"]


@pytest.mark.slow
def test_the_command_is_killed_where_keras_writes(tmp_path, monkeypatch):
    """The old file, or one that opens."""
    _of_python(tmp_path)
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    monkeypatch.chdir(tmp_path)
    target = tmp_path / "out.keras"
    command = ["revert", "a.keras", "out.keras", "--force", "--import", "net.py"]

    def start():
        target.write_bytes(b"old")
        return subprocess.Popen(
            [sys.executable, "-c", _MAIN, *command],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    started = time.perf_counter()
    assert start().wait() == 0
    seconds = time.perf_counter() - started
    for number in range(8):
        with start() as process:
            time.sleep(seconds * (0.4 + number / 12))
            process.send_signal(signal.SIGKILL)
        if target.read_bytes() != b"old":
            keras_rectifiers.load_model(target)
