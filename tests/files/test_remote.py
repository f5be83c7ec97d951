"""Files at URLs, in file systems of fsspec that work without a network."""

import functools
import http.server
import shutil
import sys
import threading
import zipfile
from typing import ClassVar

import fsspec
import keras
import numpy as np
import pytest
from fsspec.implementations.memory import MemoryFileSystem

import keras_rectifiers
from keras_rectifiers.errors import ArchiveError
from keras_rectifiers.files import data as data_sets
from keras_rectifiers.files import remote
from keras_rectifiers.files import urls
from keras_rectifiers.files.writing import replacing
from tests import fresh


class _Wrong(MemoryFileSystem):
    """A file system whose transfers go wrong as its class attributes say."""

    protocol = "wrong"
    store: ClassVar = {}
    pseudo_dirs: ClassVar = [""]
    declared = None
    arrives = None
    moves = True

    @classmethod
    def _strip_protocol(cls, path):
        return super()._strip_protocol(f"memory://{path.rpartition('://')[2]}")

    def info(self, path, **options):
        found = super().info(path, **options)
        size = self.declared or found["size"]
        return {**found, "size": size}

    def put_file(self, source, target, **options):
        super().put_file(source, target, **options)
        if self.arrives is not None:
            self.store[target] = type(self.store[target])(self, target, self.arrives)
            raise OSError("the line is broken")

    def mv(self, *paths, **options):
        if not self.moves:
            raise OSError("moving is not possible")
        super().mv(*paths, **options)


class _Store(_Wrong):
    """A store in which files appear whole, as in S3."""

    protocol = ("wrongs3", "s3")


@pytest.fixture
def memory():
    """The files of `memory://`, none at first."""
    system = fsspec.filesystem("memory")
    system.store.clear()
    system.pseudo_dirs[:] = [""]
    yield system
    system.store.clear()
    system.pseudo_dirs[:] = [""]


@pytest.fixture(params=[_Wrong, _Store])
def wrong(request, monkeypatch):
    """The class of a file system that can be made to go wrong, without files."""
    kind = request.param
    name = kind.protocol if isinstance(kind.protocol, str) else kind.protocol[0]
    fsspec.register_implementation(name, kind, clobber=True)
    kind.store.clear()
    for each in ("declared", "arrives", "moves"):
        monkeypatch.setattr(kind, each, getattr(kind, each))
    kind.url = f"{name}://"
    return kind


@pytest.fixture(scope="module")
def model_file(tmp_path_factory):
    """A saved model with a rectifier."""
    path = tmp_path_factory.mktemp("model") / "model.keras"
    layers = [keras.Input((4,)), keras.layers.Dense(3, activation="relu")]
    keras.Sequential([*layers, keras.layers.Dense(2)]).save(path)
    return path


@pytest.fixture
def stored(memory, model_file):
    """The URL of that model in memory."""
    memory.pipe_file("/models/model.keras", model_file.read_bytes())
    return "memory://models/model.keras"


def test_a_model_is_converted_from_url_to_url(memory, stored):
    """The target is there whole, under its name alone, and opens."""
    target = "memory://models/out.keras"
    made = keras_rectifiers.convert_file(stored, target)

    assert len(made.steps) == 1
    assert sorted(memory.store) == ["/models/model.keras", "/models/out.keras"]
    loaded = keras_rectifiers.load_model(target)
    proof = keras_rectifiers.verify(stored, loaded)
    assert proof.bit_equal


def test_it_is_what_the_local_file_would_be(memory, stored, model_file, tmp_path):
    """Bytes do not depend on where they are read and written."""
    keras_rectifiers.convert_file(stored, "memory://out.keras")
    keras_rectifiers.convert_file(model_file, tmp_path / "out.keras")

    assert memory.cat("/out.keras") == (tmp_path / "out.keras").read_bytes()


def test_every_function_on_files_takes_urls(memory, stored, tmp_path):
    """One round through them all."""
    at = "memory://models/"
    keras_rectifiers.upgrade_file(stored, f"{at}new.keras")
    keras_rectifiers.convert_file(stored, f"{at}converted.keras")
    keras_rectifiers.fold_file(f"{at}converted.keras", f"{at}folded.keras")
    keras_rectifiers.revert_file(f"{at}converted.keras", f"{at}back.keras")

    assert keras_rectifiers.plan(stored).steps
    assert keras_rectifiers.estimate(stored).layers
    assert keras_rectifiers.diff(stored, f"{at}back.keras").same
    assert not list(tmp_path.iterdir())


def test_an_existing_target_stays(memory, stored):
    """As on the local disk, only `overwrite` replaces a file."""
    memory.pipe_file("/out.keras", b"mine")

    with pytest.raises(ArchiveError, match=r"must not exist.*memory://out\.keras"):
        keras_rectifiers.convert_file(stored, "memory://out.keras")
    assert memory.cat("/out.keras") == b"mine"
    keras_rectifiers.convert_file(stored, "memory://out.keras", overwrite=True)
    assert memory.cat("/out.keras")[:2] == b"PK"


@pytest.mark.parametrize(
    ("source", "target", "part"),
    [
        ("memory://none.keras", "memory://o.keras", "must name an existing file"),
        ("memory://models/model.keras", "memory://models", "must be a file"),
        (
            "memory://models/model.keras",
            "memory://models/model.keras",
            "must not be the source",
        ),
        ("memory://models/model.keras", "memory://out.txt", "must be written as"),
        ("memory://models/model.keras", "http://localhost/o.keras", "only read"),
        ("memory://models/model.keras", "nowhere://o.keras", "nowhere"),
    ],
)
def test_what_cannot_be_is_said(memory, stored, source, target, part):
    """Each is one sentence, with URLs and no temporary path, and nothing is written."""
    before = dict(memory.store)

    with pytest.raises(ArchiveError, match=part) as caught:
        keras_rectifiers.convert_file(source, target, overwrite=True)

    assert "keras-rectifiers-" not in str(caught.value)
    assert dict(memory.store) == before


def test_damage_is_named_by_its_url(memory):
    """What is wrong with the bytes is said of the URL."""
    memory.pipe_file("/cut.keras", b"PK no model")

    with pytest.raises(ArchiveError, match=r"'memory://cut\.keras'"):
        keras_rectifiers.plan("memory://cut.keras")


def test_a_folder_is_one_model(memory, model_file):
    """A model in a folder is read with all its files."""
    with zipfile.ZipFile(model_file) as archive:
        for name in archive.namelist():
            memory.pipe_file(f"/unpacked/{name}", archive.read(name))

    assert len(keras_rectifiers.plan("memory://unpacked").steps) == 1


@pytest.mark.parametrize("size", [10, 10**6, 10**15])
def test_no_declared_size_is_believed(wrong, model_file, size):
    """Less, more, and more than the disk has: one sentence each."""
    wrong().pipe_file("/model.keras", model_file.read_bytes())
    wrong.declared = size

    with pytest.raises(ArchiveError, match=r"size that it declares|room on the disk"):
        keras_rectifiers.plan(f"{wrong.url}model.keras")


@pytest.mark.parametrize("before", [None, b"mine"])
def test_a_failed_upload_leaves_nothing(wrong, model_file, tmp_path, before):
    """What arrived in part is removed; what was there is not touched."""
    target = f"{wrong.url}out.keras"
    if before and wrong is not _Store:
        wrong().pipe_file("/out.keras", before)
    wrong.arrives = b"half"

    with pytest.raises(ArchiveError, match="the line is broken"):
        keras_rectifiers.convert_file(model_file, target, overwrite=True)

    kept = {"/out.keras": before} if before and wrong is not _Store else {}
    assert {name: wrong().cat(name) for name in wrong.store} == kept


def test_a_failed_move_leaves_nothing(wrong, model_file):
    """Where a file is moved to its name, and that fails, no temporary file is left."""
    wrong.moves = False
    if wrong is _Store:
        keras_rectifiers.convert_file(model_file, f"{wrong.url}out.keras")
        assert sorted(wrong.store) == ["/out.keras"]  # nothing is moved there
        return

    with pytest.raises(ArchiveError, match="moving is not possible"):
        keras_rectifiers.convert_file(model_file, f"{wrong.url}out.keras")

    assert not wrong.store


def test_a_failed_conversion_uploads_nothing(memory, stored):
    """What is wrong is found before anything is uploaded."""
    with pytest.raises(keras_rectifiers.errors.SelectionError):
        keras_rectifiers.convert_file(stored, "memory://o.keras", include="none")

    assert sorted(memory.store) == ["/models/model.keras"]


def test_a_target_that_appears_meanwhile_stays(memory):
    """The last look is just before the file gets its name."""

    def written():
        with (
            remote.places() as here,
            replacing(here.target("memory://new.txt"), overwrite=False) as temporary,
        ):
            temporary.write_text("mine")
            memory.pipe_file("/new.txt", b"other")

    with pytest.raises(ArchiveError, match="must not exist"):
        written()
    assert {name: memory.cat(name) for name in memory.store} == {"/new.txt": b"other"}


def test_file_urls_are_paths(model_file, tmp_path):
    """`file://` is the local file itself."""
    target = tmp_path / "out.keras"

    keras_rectifiers.convert_file(f"file://{model_file}", f"file://{target}")

    assert target.is_file()
    with pytest.raises(ArchiveError, match="must not exist"):
        keras_rectifiers.convert_file(f"file://{model_file}", f"file://{target}")


def test_an_archive_is_read_only(model_file, tmp_path):
    """A model in a zip archive is read; a target in one is refused."""
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        archive.write(model_file, "deep/model.keras")
    at = f"::{tmp_path / 'all.zip'}"

    assert keras_rectifiers.plan(f"zip://deep/model.keras{at}").steps
    with pytest.raises(ArchiveError, match="which is only read"):
        keras_rectifiers.convert_file(model_file, f"zip://out.keras{at}")


def test_data_are_read_from_urls(memory, tmp_path):
    """Arrays at a URL are the same data; messages name the URL."""
    x = np.arange(12.0).reshape(4, 3)
    np.savez(tmp_path / "data.npz", x=x, y=np.arange(4))
    np.save(tmp_path / "x.npy", x)
    for name in ("data.npz", "x.npy"):
        memory.pipe_file(f"/{name}", (tmp_path / name).read_bytes())

    found = data_sets.load("memory://data.npz", labels=True)
    alone = data_sets.load("memory://x.npy")

    np.testing.assert_array_equal(found.x, x)
    np.testing.assert_array_equal(alone.x, x)
    assert found.source == "memory://data.npz"


@pytest.fixture
def server(tmp_path):
    """A web server for a folder: its URL, and the folder."""
    folder = tmp_path / "web"
    folder.mkdir()

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    handler = functools.partial(Quiet, directory=folder)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as found:
        thread = threading.Thread(target=found.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{found.server_port}", folder
        found.shutdown()
        thread.join()


def test_a_model_is_read_over_http(server, model_file, tmp_path):
    """A model on a web server is converted to a local file; a missing one is said."""
    pytest.importorskip("aiohttp", reason="fsspec reads HTTP with aiohttp")
    url, folder = server
    shutil.copy(model_file, folder)

    keras_rectifiers.convert_file(f"{url}/model.keras?key=1", tmp_path / "out.keras")

    keras_rectifiers.convert_file(model_file, tmp_path / "local.keras")
    assert (tmp_path / "out.keras").read_bytes() == (
        (tmp_path / "local.keras").read_bytes()
    )
    with pytest.raises(ArchiveError, match="existing file") as caught:
        keras_rectifiers.plan(f"{url}/none.keras?key=secret")
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("missing", "url", "part"),
    [
        ("fsspec", "memory://m.keras", "Run: pip install"),
        ("gcsfs", "gs://bucket/m.keras", "gcsfs"),
        ("s3fs", "s3://bucket/m.keras", "s3fs"),
    ],
)
def test_what_is_not_installed_is_said(monkeypatch, missing, url, part):
    """fsspec, or the package of a protocol: one sentence says what to install."""
    monkeypatch.setitem(sys.modules, missing, None)

    with pytest.raises(ArchiveError, match="nstall") as caught:
        keras_rectifiers.plan(url)

    assert part in str(caught.value)


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ("s3://bucket/a.keras", True),
        ("zip://a.keras::b.zip", True),
        ("C:/models/a.keras", False),
        ("models/a.keras", False),
        ("package.module:function", False),
        (3, False),
    ],
)
def test_what_is_a_url(value, found):
    """Drives, paths and functions are none."""
    assert urls.is_url(value) is found


def test_a_url_is_shown_without_secrets():
    """Passwords and signatures do not get into messages."""
    url = "https://me:secret@host/a/model.keras?signature=secret"

    assert urls.shown(url) == "https://host/a/model.keras"
    assert urls.name_of(url) == "model.keras"


def test_fsspec_is_imported_for_urls_only(model_file, tmp_path):
    """Whoever converts local files needs no fsspec."""
    code = (
        "import json, sys, keras_rectifiers\n"
        "keras_rectifiers.convert_file(sys.argv[1], 'out.keras')\n"
        "print(json.dumps('fsspec' in sys.modules))"
    )

    assert not fresh.run(tmp_path, code, model_file)
