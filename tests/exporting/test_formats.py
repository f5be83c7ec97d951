"""The table of formats, and what is said where something is missing."""

import dataclasses
from pathlib import Path

import pytest

from keras_rectifiers.cli import export as command
from keras_rectifiers.errors import ArgumentError
from keras_rectifiers.errors import ExportError
from keras_rectifiers.exporting import formats

_ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("name", "target", "expected"),
    [
        (None, "a.tflite", "litert"),
        (None, "a.onnx", "onnx"),
        (None, "a.xml", "openvino"),
        (None, "a.pt2", "torch"),
        ("savedmodel", "folder", "savedmodel"),
        ("savedmodel", "folder.v1", "savedmodel"),
        ("onnx", "a.onnx", "onnx"),
    ],
)
def test_the_target_tells_the_format(name, target, expected):
    """The ending says it, or the argument."""
    assert formats.wanted(name, Path(target)).name == expected


@pytest.mark.parametrize(
    ("name", "target", "words"),
    [
        (None, "a.pb", ["'a.pb'", ".tflite (litert)", "format="]),
        (None, "folder", ["'folder'"]),
        ("onnxx", "a.onnx", ["'onnxx'", "Did you mean 'onnx'?"]),
        ("tflite", "a.tflite", ["litert, onnx"]),
        ("onnx", "a.tflite", ["ends in .onnx", "a.onnx"]),
        ("savedmodel", "a.tflite", ["a folder"]),
    ],
)
def test_a_format_that_is_not_one_is_refused(name, target, words):
    """The message names what there is."""
    with pytest.raises(ArgumentError) as error:
        formats.wanted(name, Path(target))

    assert all(word in str(error.value) for word in words)


def test_a_missing_extra_is_named_with_its_command():
    """A module that nobody has, so that it lacks wherever the test runs."""
    known = formats.FORMATS["onnx"]
    lacking = dataclasses.replace(known, backends={"torch": ("no_such_module",)})

    with pytest.raises(ExportError) as error:
        formats.backend_for(lacking, "tensorflow")

    assert "no_such_module" in str(error.value)
    assert "Install them with `pip install " in str(error.value)


def test_the_backend_in_use_is_kept_where_it_can():
    """Another backend writes the format only where that in use cannot."""
    form = dataclasses.replace(
        formats.FORMATS["onnx"],
        backends={"tensorflow": ("json",), "torch": ("csv",), "jax": ("no_such",)},
    )

    assert formats.backend_for(form, "torch") == "torch"
    assert formats.backend_for(form, "jax") == "tensorflow"


def test_extras_and_choices_are_those_of_the_table():
    """What the errors tell to install exists, and the command has every format."""
    setup = (_ROOT / "setup.cfg").read_text(encoding="utf-8")
    extras = {each.extra for each in formats.FORMATS.values()}

    assert all(f"\n{extra} =\n" in setup for extra in extras)
    assert list(formats.FORMATS) == list(command.FORMATS)
