import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import keras
import numpy as np
import pytest
from click.testing import CliRunner

from keras_rectifiers.cli.main import main

ROOT = Path(__file__).parents[2]


@keras.saving.register_keras_serializable("cli_tests", "Doubled")
class Doubled(keras.layers.Layer):
    def call(self, x):
        return 2 * x


def _classifier(*middle):
    layers = [
        keras.Input((4,)),
        keras.layers.Dense(8, activation="relu", name="first"),
        *middle,
        keras.layers.Dense(6, name="second"),
        keras.layers.ReLU(name="rectified"),
        keras.layers.Dense(3, activation="softmax", name="out"),
    ]
    return keras.Sequential(layers, name="small")


def _with_unknown_class(source, target):
    """A model whose class nobody registers under this name."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for member in old.infolist():
            content = old.read(member)
            if member.filename == "config.json":
                content = content.replace(b"cli_tests>Doubled", b"elsewhere>Tripled")
                content = content.replace(b'"Doubled"', b'"Tripled"')
            new.writestr(member, content)


@pytest.fixture(scope="session")
def made(tmp_path_factory):
    """Models and data that the tests of commands share; they never change them."""
    folder = tmp_path_factory.mktemp("made")
    keras.utils.set_random_seed(0)
    model = _classifier()
    model.save(folder / "uncompiled.keras")
    model.save_weights(folder / "only.weights.h5")
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.layers[0].bias.assign([-100.0] * 4 + [1.0] * 4)  # four dead units of 14
    model.save(folder / "model.keras")
    model.save(folder / "legacy.h5")
    keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)], name="plain").save(
        folder / "plain.keras"
    )
    _classifier(Doubled()).save(folder / "known.keras")
    _with_unknown_class(folder / "known.keras", folder / "unknown.keras")
    content = (folder / "model.keras").read_bytes()
    (folder / "cut.keras").write_bytes(content[: len(content) // 2])
    (folder / "text.keras").write_text("no model")
    x = np.random.default_rng(0).normal(size=(90, 4)).astype("float32")
    y = np.arange(90) % 3
    np.savez(folder / "data.npz", x=x, y=y)
    np.savez(folder / "wide.npz", x=np.ones((9, 7)), y=np.zeros(9))
    np.savez(folder / "odd.npz", images=x)
    np.save(folder / "inputs.npy", x)
    return folder


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Run a command in an empty folder; the result has `exit_code` and texts."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    runner = CliRunner()

    def call(*arguments):
        return runner.invoke(main, [str(each) for each in arguments])

    return call


@pytest.fixture
def fails(run, tmp_path):
    """Run a command that must fail in one sentence and leave nothing behind."""

    def call(*arguments, code=2):
        before = sorted(tmp_path.rglob("*"))
        result = run(*arguments)
        assert result.exit_code == code, result.output
        assert "Traceback" not in result.output
        assert "Unexpected" not in result.stderr, result.stderr
        assert result.stdout == ""
        assert sorted(tmp_path.rglob("*")) == before
        lines = result.stderr.strip().splitlines()
        error = lines[-1]
        assert error.startswith("Error: ")
        return error

    return call


@pytest.fixture(scope="session")
def fresh():
    """Run Python code in a fresh interpreter; give its stdout as JSON."""

    def call(code, **environment):
        done = subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout.splitlines()[-1])

    return call
