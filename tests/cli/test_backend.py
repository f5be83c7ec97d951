import importlib.util
import json
import logging
import os
import sys

import pytest

from keras_rectifiers.cli import backend
from keras_rectifiers.errors import RectifierError


@pytest.fixture
def installed(monkeypatch, tmp_path):
    """Pretend that only some backends are installed, with no settings file."""
    monkeypatch.delenv("KERAS_BACKEND", raising=False)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))

    def only(*names):
        monkeypatch.setattr(
            importlib.util, "find_spec", lambda name: name if name in names else None
        )

    yield only
    os.environ.pop("KERAS_BACKEND", None)


@pytest.mark.parametrize(
    ("names", "chosen"),
    [
        (("torch",), "torch"),
        (("jax",), "jax"),
        (("jax", "torch"), "jax"),
        (("tensorflow", "jax"), "tensorflow"),
    ],
)
def test_an_installed_backend_is_chosen(installed, names, chosen):
    """Without any setting, whatever is installed is used."""
    installed(*names)

    assert backend.choose_backend() == chosen
    assert os.environ["KERAS_BACKEND"] == chosen


@pytest.mark.parametrize(("present", "chosen"), [(True, "torch"), (False, "jax")])
def test_keras_settings_count_if_they_can(installed, tmp_path, present, chosen):
    """The backend of Keras' settings is used where it is installed."""
    (tmp_path / "keras.json").write_text(json.dumps({"backend": "torch"}))
    installed("jax", *(["torch"] if present else []))

    assert backend.choose_backend() == chosen


@pytest.mark.parametrize("content", ["{", "[]", '{"backend": "theano"}'])
def test_broken_settings_are_passed_over(installed, tmp_path, content):
    """A settings file that makes no sense does not stop the command."""
    (tmp_path / "keras.json").write_text(content)
    installed("jax")

    assert backend.choose_backend() == "jax"


def test_an_unknown_backend_is_named(installed, monkeypatch):
    """KERAS_BACKEND with another name gives the names that there are."""
    installed("jax")
    monkeypatch.setenv("KERAS_BACKEND", "theano")

    with pytest.raises(RectifierError, match=r"tensorflow, jax or torch.*theano"):
        backend.choose_backend()


def test_no_backend_tells_what_to_install(installed):
    """Without a backend the message has the line that installs one."""
    installed()

    with pytest.raises(RectifierError, match="`pip install tensorflow`"):
        backend.choose_backend()


def test_the_backend_asked_for_must_be_there(installed, monkeypatch):
    """KERAS_BACKEND is never overruled: a missing one is an error."""
    installed("tensorflow")
    monkeypatch.setenv("KERAS_BACKEND", "torch")

    with pytest.raises(RectifierError, match="`pip install torch`"):
        backend.choose_backend()


def test_chatter_is_dropped_and_errors_are_kept(capfd):
    """Lines of information from C++ are dropped; anything else is shown after."""
    with backend.without_chatter():
        os.write(2, b"I0000 00:00:1700000000.1 1 port.cc:1] oneDNN is on\n")
        os.write(2, b"WARNING: All log messages before absl::InitializeLog()\n")
        os.write(2, b"E0000 00:00:1700000000.1 1 x.cc:1] out of memory\n")
    sys.stderr.flush()

    shown = capfd.readouterr().err
    assert "out of memory" in shown
    assert "oneDNN" not in shown
    assert "absl" not in shown


def test_warnings_for_developers_are_not_shown(monkeypatch):
    """TensorFlow says through its logger that it traces again; nobody is to read it."""
    for name in ("absl", "tensorflow"):
        monkeypatch.setattr(logging.getLogger(name), "level", logging.WARNING)

    backend.prepare_backend()

    assert logging.getLogger("tensorflow").level == logging.ERROR
    assert logging.getLogger("absl").level == logging.ERROR
