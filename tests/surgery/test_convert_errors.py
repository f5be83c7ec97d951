"""Wrong options, wrong targets, malformed documents: one sentence, nothing lost."""

import errno
import json
import os
import zipfile

import keras
import numpy as np
import pytest
from hypothesis import HealthCheck
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

import keras_rectifiers
from keras_rectifiers.errors import ArchiveError
from keras_rectifiers.errors import RectifierError
from keras_rectifiers.errors import SelectionError
from keras_rectifiers.files import zipcopy
from keras_rectifiers.surgery import weights_file
from tests.meddling import meddle
from tests.surgery.archives import document
from tests.surgery.archives import good
from tests.surgery.archives import pack
from tests.surgery.archives import refused
from tests.surgery.archives import with_config
from tests.surgery.archives import with_weights


@pytest.fixture
def source(tmp_path):
    """A good archive in a folder of its own."""
    return pack(tmp_path / "good.keras", good())


@pytest.mark.parametrize(
    ("options", "error", "match"),
    [
        ({"to": "elu"}, ValueError, "to must be one of 'leaky_relu', 'prelu'"),
        ({"to": 3}, TypeError, "to=3 of type int"),
        ({"to": None}, TypeError, "NoneType"),
        ({"to": "leaky_relu", "negative_slope": float("nan")}, ValueError, "finite"),
        ({"to": "leaky_relu", "negative_slope": float("inf")}, ValueError, "finite"),
        ({"to": "leaky_relu", "negative_slope": "0.1"}, TypeError, "be a number"),
        ({"to": "leaky_relu", "negative_slope": True}, TypeError, "be a number"),
        ({"to": "prelu", "negative_slope": 0.1}, ValueError, "can only be used with"),
        ({"to": "leaky_relu", "alpha": 0.1}, ValueError, "can only be used with"),
        ({"to": "prelu", "alpha": float("nan")}, ValueError, "finite"),
        ({"of": "elu"}, ValueError, "of must be one of"),
        ({"roles": ("hidden", "gates")}, ValueError, "roles='gates'"),
        ({"include": "nothing*"}, SelectionError, "include='nothing\\*'"),
        ({"exclude": "nothing"}, SelectionError, "exclude='nothing'"),
        ({"where": lambda _: False}, SelectionError, "at least one site"),
    ],
)
def test_wrong_options_are_told_before_anything_is_written(
    source, tmp_path, options, error, match
):
    """Each names the argument and what was received; the folder stays as it was."""
    with pytest.raises(error, match=match):
        keras_rectifiers.convert_file(source, tmp_path / "out.keras", **options)

    assert [path.name for path in tmp_path.iterdir()] == ["good.keras"]


@pytest.mark.parametrize("code", ["where", "to"])
def test_an_error_in_the_users_own_function_stays_what_it_is(source, tmp_path, code):
    """A mistake in a predicate is not blamed on the file."""

    def mistaken(site):
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        keras_rectifiers.convert_file(
            source, tmp_path / "out.keras", **{code: mistaken}
        )
    assert [path.name for path in tmp_path.iterdir()] == ["good.keras"]


def test_a_callable_must_return_a_layer(source):
    """What else it returns is named with the site."""
    with pytest.raises(TypeError, match=r"must return a Keras layer.*site 'shared'"):
        keras_rectifiers.plan(source, lambda _: 3)


@pytest.mark.parametrize("model", [3, None, b"model.keras", object()])
def test_what_is_no_model_and_no_path_is_refused(model):
    """The type that was received is named."""
    with pytest.raises(TypeError, match=r"must be a keras\.Model or a path"):
        keras_rectifiers.plan(model)


def test_a_subclassed_model_is_refused(tmp_path):
    """Its layers are made in code that is not at hand; the file does not hold them."""

    class Own(keras.Model):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.dense = keras.layers.Dense(2, activation="relu")

        def call(self, x):
            return self.dense(x)

    model = Own()
    model(np.zeros((1, 3), "float32"))
    model.save(tmp_path / "own.keras")

    refused(tmp_path / "own.keras", "Python code")


def test_a_model_without_rectifiers_is_copied(tmp_path):
    """That is no error: the plan is empty, and the new file is the same model."""
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    model.save(tmp_path / "plain.keras")

    plan = keras_rectifiers.convert_file(
        tmp_path / "plain.keras", tmp_path / "out.keras"
    )

    assert plan.steps == plan.skips == ()
    assert "no rectifier found" in str(plan)
    twin = keras.saving.load_model(tmp_path / "out.keras")
    assert [w.tobytes() for w in twin.get_weights()] == [
        w.tobytes() for w in model.get_weights()
    ]


# The target.


def _link(kind, source, target):
    if kind == "symlink":
        target.symlink_to(source)
    else:
        target.hardlink_to(source)


def test_the_source_is_never_the_target(source):
    """Not even with overwrite."""
    for overwrite in (False, True):
        with pytest.raises(ArchiveError, match="must not be the source file"):
            keras_rectifiers.convert_file(source, source, overwrite=overwrite)


@pytest.mark.parametrize("kind", ["symlink", "hard link"])
def test_another_name_of_the_source_is_no_other_file(source, tmp_path, kind):
    """Links are seen through, in both directions."""
    other = tmp_path / "other.keras"
    _link(kind, source, other)
    content = source.read_bytes()

    for pair in ((source, other), (other, source)):
        with pytest.raises(ArchiveError, match="must not be the source file"):
            keras_rectifiers.convert_file(*pair, overwrite=True)
    assert source.read_bytes() == other.read_bytes() == content


def test_a_mistake_midway_leaves_nothing(source, tmp_path, monkeypatch):
    """A full disk while weights are copied: no target, no temporary file."""
    _fail(monkeypatch, zipcopy, "_copy_bytes")

    message = refused(source, "No space left on device", to="leaky_relu")
    assert "No partial file was left" in message


def test_a_full_disk_while_weights_are_edited_is_the_targets_trouble(
    source, monkeypatch
):
    """The source is not called damaged for it."""
    _fail(monkeypatch, weights_file, "edit")

    refused(source, "target must be writable.*No space left")


@pytest.mark.parametrize("failing", [(zipcopy, "_copy_bytes"), (weights_file, "edit")])
def test_an_existing_target_survives_a_failed_overwrite(
    source, tmp_path, monkeypatch, failing
):
    """It is replaced by a whole file, or not at all."""
    target = tmp_path / "out.keras"
    target.write_bytes(b"precious")
    _fail(monkeypatch, *failing)

    with pytest.raises(ArchiveError):
        keras_rectifiers.convert_file(source, target, overwrite=True)
    assert target.read_bytes() == b"precious"
    assert {path.name for path in tmp_path.iterdir()} == {"good.keras", "out.keras"}


def test_an_interruption_leaves_nothing(source, tmp_path, monkeypatch):
    """Ctrl-C in the middle is not caught, but cleaned up after."""

    def interrupt(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr(weights_file, "edit", interrupt)

    with pytest.raises(KeyboardInterrupt):
        keras_rectifiers.convert_file(source, tmp_path / "out.keras")
    assert [path.name for path in tmp_path.iterdir()] == ["good.keras"]


def test_the_source_is_never_changed(source, tmp_path):
    """Neither a byte nor its time of change."""
    before = source.read_bytes(), source.stat().st_mtime_ns

    for to in ("prelu", "leaky_relu"):
        keras_rectifiers.convert_file(source, tmp_path / f"{to}.keras", to)

    assert (source.read_bytes(), source.stat().st_mtime_ns) == before


def test_a_source_that_may_only_be_read_is_enough(source, tmp_path):
    """Nothing is ever opened for writing but the new file."""
    source.chmod(0o444)

    keras_rectifiers.convert_file(source, tmp_path / "out.keras")

    assert source.stat().st_mode & 0o777 == 0o444
    assert (tmp_path / "out.keras").stat().st_mode & 0o200


# Documents that somebody has meddled with.


@st.composite
def _meddled(draw):
    config = document()
    for _ in range(draw(st.integers(1, 3))):
        meddle(config, draw)
    return config


def _fuzz(folder, config, to):
    source = with_config(folder / "fuzz.keras", config)
    target = folder / "out.keras"
    raw = source.read_bytes()
    try:
        plan = keras_rectifiers.plan(source, to)
        assert str(plan)
        keras_rectifiers.convert_file(source, target, to)
    except RectifierError as error:
        assert "\n" not in str(error), error  # noqa: PT017 (either end is right)
        assert not target.exists()
    else:
        with zipfile.ZipFile(target) as archive:
            assert archive.testzip() is None
            assert json.loads(archive.read("config.json"))
        target.unlink()
    assert source.read_bytes() == raw
    assert [path.name for path in folder.iterdir()] == ["fuzz.keras"]


_FUZZ = {"suppress_health_check": list(HealthCheck), "deadline": None}


@settings(max_examples=75, derandomize=True, **_FUZZ)
@given(config=_meddled(), to=st.sampled_from(["prelu", "leaky_relu"]))
def test_a_meddled_document_is_one_sentence_or_a_whole_file(
    config, to, tmp_path_factory
):
    """Whatever stands in it: never a traceback of another class, never remains."""
    _fuzz(tmp_path_factory.mktemp("fuzz"), config, to)


@pytest.mark.slow
@settings(max_examples=5000, **_FUZZ)
@given(config=_meddled(), to=st.sampled_from(["prelu", "leaky_relu"]))
def test_many_meddled_documents(config, to, tmp_path_factory):
    """The same, for longer and never alike."""
    _fuzz(tmp_path_factory.mktemp("fuzz"), config, to)


@settings(max_examples=50, derandomize=True, **_FUZZ)
@given(data=st.data())
def test_meddled_weights_are_refused_or_harmless(data, tmp_path_factory):
    """Arrays and groups that are gone, renamed, or of another shape."""
    folder = tmp_path_factory.mktemp("fuzz")
    path = folder / "fuzz.keras"

    def edit(file):
        names = []
        file.visit(names.append)
        name = data.draw(st.sampled_from(names))
        match data.draw(st.sampled_from(["remove", "rename", "replace", "scalar"])):
            case "remove":
                del file[name]
            case "rename":
                file.move(name, f"{name}x")
            case "replace":
                del file[name]
                file.create_dataset(name, data=np.zeros((3, 1, 2), "float64"))
            case "scalar":
                del file[name]
                file.create_dataset(name, data=b"text")

    with_weights(path, edit)
    before = path.read_bytes()
    try:
        keras_rectifiers.convert_file(path, folder / "out.keras", "prelu")
    except RectifierError as error:
        assert "\n" not in str(error)  # noqa: PT017 (either end is right)
    else:
        (folder / "out.keras").unlink()
    assert path.read_bytes() == before
    assert [each.name for each in folder.iterdir()] == ["fuzz.keras"]


def _fail(monkeypatch, module, name):
    def fail(*args, **kwargs):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(module, name, fail)


def test_h5py_tells_of_a_full_disk_as_it_is(source, monkeypatch):
    """Where the disk is full under HDF5's feet, that is what the message says."""
    written = []

    def write(self, data):
        if len(written) > 3:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        written.append(len(data))
        return original(self, data)

    original = zipcopy.Window.write
    monkeypatch.setattr(zipcopy.Window, "write", write)

    refused(source, "target must be writable.*No space left on device")
