import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers

from keras_rectifiers.callbacks import DeadUnitMonitor
from keras_rectifiers.callbacks import Threshold
from keras_rectifiers.callbacks import state
from keras_rectifiers.errors import DataError

_ROOT = Path(__file__).resolve().parents[2]

#: Trains for four epochs of four batches, and tells what the monitor knows. The
#: process is killed at the moment that its arguments name.
_RUN = """
import json, os, signal, sys
import keras, numpy as np
from keras_rectifiers.callbacks import DeadUnitMonitor, Threshold

folder, kind, order, frequency, kill = sys.argv[1:]
frequency = frequency if frequency == "epoch" else int(frequency)
rng = np.random.default_rng(0)
x = rng.normal(size=(28, 5)).astype("float32")
y = rng.normal(size=(28, 2)).astype("float32")
keras.utils.set_random_seed(3)
model = keras.Sequential([
    keras.Input((5,)), keras.layers.Dense(6, activation="relu", name="hidden"),
    keras.layers.Dense(2, name="last"),
])
model.compile(keras.optimizers.Adam(0.05), "mse")

def die():
    os.kill(os.getpid(), signal.SIGKILL)

class Killer(keras.callbacks.Callback):
    def on_train_batch_end(self, batch, logs=None):
        if kill == f"batch {self.epoch} {batch}":
            die()
    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch
    def on_epoch_end(self, epoch, logs=None):
        if kill == f"epoch {epoch}":
            die()

acted = []

def act(monitor, found):
    acted.append(monitor.history[-1]["epoch"])

monitor = DeadUnitMonitor(
    x if kind == "probe" else None,
    state_path=f"{folder}/monitor.npz", state_freq=frequency,
    thresholds=[Threshold("silent_fraction", above=-1, then=act, patience=2)],
)
backup = keras.callbacks.BackupAndRestore(f"{folder}/backup", save_freq=frequency)
parts = {"m": monitor, "b": backup, "k": Killer()}
model.fit(x, y, batch_size=8, epochs=4, verbose=0, shuffle=False,
          callbacks=[parts[each] for each in order])
seen = {}
if kind == "exact":
    found = monitor.total.layers[0].statistics
    seen = {"samples": found.samples, "fired": found.fired.tolist(),
            "sum": found.sum_abs.tolist(), "peaks": found.peaks.tolist()}
print("TOLD", json.dumps({
    "history": monitor.history, "acted": acted, "seen": seen,
    "timeline": [monitor.timeline.epochs, monitor.timeline.steps,
                 monitor.timeline.layers[0].fired_fraction.tolist()],
}))
"""


def _run(folder, kind, order, frequency, kill):
    folder.mkdir(exist_ok=True)
    return subprocess.run(
        [sys.executable, "-c", _RUN, str(folder), kind, order, str(frequency), kill],
        cwd=_ROOT,
        env=os.environ,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


def _told(run):
    assert run.returncode == 0, run.stderr[-3000:]
    (line,) = [each for each in run.stdout.splitlines() if each.startswith("TOLD ")]
    assert "counting starts again" not in run.stderr
    return json.loads(line.removeprefix("TOLD "))


#: Order of monitor, backup and killer in the list, and when it is killed: at the end
#: of an epoch before, between and after the two, and in the midst of an epoch.
_KILLS = [
    ("exact", "kmb", "epoch 2"),
    ("exact", "mkb", "epoch 2"),
    ("exact", "bkm", "epoch 2"),
    ("exact", "bmk", "epoch 2"),
    ("exact", "mbk", "batch 2 1"),
    ("probe", "bkm", "epoch 2"),
]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """What a run that nobody kills tells, in each mode."""
    folder = tmp_path_factory.mktemp("whole")
    return {
        kind: _told(_run(folder / kind, kind, "mb", "epoch", "never"))
        for kind in ("exact", "probe")
    }


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "order", "kill"), _KILLS)
def test_killed_run_goes_on_exactly(kind, order, kill, whole, tmp_path):
    """Killed anywhere and resumed, the monitor tells what it tells of a whole run."""
    killed = _run(tmp_path, kind, order, "epoch", kill)
    assert killed.returncode == -signal.SIGKILL, killed.stderr[-3000:]

    told = _told(_run(tmp_path, kind, order, "epoch", "never"))

    # What was done before the kill is known to the process that was killed.
    assert told.pop("acted") in ([], [3])
    assert told == {key: whole[kind][key] for key in told}


@pytest.mark.slow
def test_killed_between_batches_that_were_saved(tmp_path):
    """With save_freq=3 every step in the model's weights is counted once.

    Keras begins the broken epoch anew, with the weights of its last backup.
    """
    killed = _run(tmp_path, "exact", "mbk", 3, "batch 2 1")
    assert killed.returncode == -signal.SIGKILL, killed.stderr[-3000:]

    told = _told(_run(tmp_path, "exact", "mb", 3, "never"))

    # Killed at step 10, saved at 9: two whole epochs, and the first batch of the
    # third; then Keras trains the third and the fourth.
    assert told["seen"]["samples"] == 2 * 28 + 8 + 2 * 28
    assert told["history"][-1]["step"] == 9 + 8


def _fitted(monitor, model=None, epochs=1, **options):
    x = np.linspace(-1, 1, 36).reshape(12, 3).astype("float32")
    if model is None:
        model = keras.Sequential(
            [keras.Input((3,)), layers.ReLU(name="r"), layers.Dense(1)]
        )
        model.compile("sgd", "mse")
    model.fit(x, x[:, :1], batch_size=4, epochs=epochs, verbose=0, callbacks=[monitor])
    return model


def test_same_process_goes_on(tmp_path):
    """A second fit of the same model goes on from the file; nothing is lost."""
    path = tmp_path / "monitor.npz"
    model = _fitted(DeadUnitMonitor(state_path=path))
    second = DeadUnitMonitor(state_path=path)

    _fitted(second, model)

    assert [each["step"] for each in second.history] == [3, 6]
    assert second.total.layers[0].statistics.samples == 24
    assert len(second.timeline) == 2


def test_state_of_another_step_is_told(tmp_path):
    """A new run with an old file says in one warning that it begins anew."""
    path = tmp_path / "monitor.npz"
    _fitted(DeadUnitMonitor(state_path=path), epochs=2)
    monitor = DeadUnitMonitor(state_path=path)

    with pytest.warns(UserWarning, match="counting starts again"):
        _fitted(monitor)

    assert monitor.total.layers[0].statistics.samples == 12
    assert not state.earlier(path).exists()


def test_snapshots_are_what_was_written(tmp_path):
    """Everything comes back equal, and the file holds no pickle."""
    path = tmp_path / "monitor.npz"
    monitor = DeadUnitMonitor(state_path=path, thresholds=[Threshold("x", above=1)])
    _fitted(monitor, epochs=2)

    found = state.read(path)

    assert (found.step, found.epoch, found.paths) == (6, 2, ["r"])
    assert found.history == monitor.history
    assert found.total["r"] == monitor.total.layers[0].statistics
    assert found.timeline.steps == [3, 6]
    assert state.read(state.earlier(path)).step == 3
    with np.load(path, allow_pickle=False) as arrays:
        assert all(arrays[name].dtype.kind in "iuf" for name in arrays)


@pytest.mark.parametrize("damage", ["foreign", "cut", "forged", "other units"])
def test_files_that_are_something_else_stay(damage, tmp_path):
    """A file that is no state is refused before training, and not overwritten."""
    path = tmp_path / "monitor.npz"
    if damage == "foreign":
        np.savez(path, x=np.ones(3))
    else:
        _fitted(DeadUnitMonitor(state_path=path))
        if damage == "cut":
            path.write_bytes(path.read_bytes()[:300])
        else:
            with np.load(path) as file:
                arrays = dict(file)
            if damage == "forged":
                arrays["header"] = np.frombuffer(b'{"kind": 3}', np.uint8)
            else:
                arrays["total/0/fired"] = np.ones(7, np.int64)
            np.savez(path, **arrays)
    content = path.read_bytes()

    with pytest.raises(DataError):
        _fitted(DeadUnitMonitor(state_path=path))

    assert path.read_bytes() == content


@pytest.mark.parametrize(
    ("option", "error"),
    [
        ({"state_path": "monitor.txt"}, ValueError),
        ({"state_path": "/nowhere/at/all/monitor.npz"}, FileNotFoundError),
        ({"state_path": "monitor.npz", "state_freq": 0}, ValueError),
    ],
)
def test_wrong_options(option, error):
    """Paths and frequencies are checked when the callback is made."""
    with pytest.raises(error, match="Received"):
        DeadUnitMonitor(**option)
