"""A run that was killed goes on where it was."""

import json

import keras
import numpy as np
import pytest

from keras_rectifiers.errors import ArchiveError
from keras_rectifiers.errors import DataError
from keras_rectifiers.finetuning.finetune import finetune
from keras_rectifiers.finetuning.resume import RunFile
from keras_rectifiers.finetuning.resume import RunState
from keras_rectifiers.finetuning.resume import remove

RNG = np.random.default_rng(0)
X = RNG.normal(size=(96, 4)).astype("float32")
Y = (X[:, 0] > 0).astype("int32")


class _KilledError(Exception):
    """Stands for the end of the process."""


class _Kill(keras.callbacks.Callback):
    def __init__(self, epoch):
        super().__init__()
        self.epoch = epoch
        self.begun = []

    def on_epoch_begin(self, epoch, logs=None):
        self.begun.append(epoch)
        if epoch == self.epoch:
            raise _KilledError


def _model(dead=4):
    keras.utils.set_random_seed(1)
    model = keras.Sequential(
        [
            keras.Input((4,)),
            keras.layers.Dense(8, activation="relu", name="h"),
            keras.layers.Dense(8, activation="relu", name="g"),
            keras.layers.Dense(2, activation="softmax"),
        ]
    )
    model.get_layer("h").bias.assign([-9.0] * dead + [0.5] * (8 - dead))
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def _tuned(folder, *callbacks, **options):
    chosen = {"treatment": "revive", "epochs": 6, "seed": 3, **options}
    return finetune(_model(), (X, Y), resume=folder, callbacks=callbacks, **chosen)


def test_a_killed_run_goes_on_at_the_epoch_it_was_in(tmp_path):
    """Epochs that are done are not done again, and the result knows all of them."""
    folder = tmp_path / "state"
    with pytest.raises(_KilledError):
        _tuned(folder, _Kill(4))
    watch = _Kill(None)
    result = _tuned(folder, watch)

    assert watch.begun == [4, 5]
    assert len(result.history) == 6
    assert float(result.model.optimizer.learning_rate) == pytest.approx(0.001)


@pytest.mark.slow
def test_what_was_kept_is_what_a_whole_run_would_have(tmp_path):
    """Weights, optimizer, best epoch and logs are those of before the kill."""
    whole = _tuned(None, epochs=6, keep_best=False, schedule="constant")
    with pytest.raises(_KilledError):
        _tuned(tmp_path, _Kill(3), keep_best=False, schedule="constant")
    rest = _tuned(tmp_path, keep_best=False, schedule="constant")

    for mine, theirs in zip(whole.history[:3], rest.history[:3], strict=True):
        assert mine == theirs
    assert int(rest.model.optimizer.iterations) == int(whole.model.optimizer.iterations)


def test_a_finished_run_is_not_trained_again(tmp_path):
    """A second call gives the same result at once."""
    first = _tuned(tmp_path)
    watch = _Kill(None)
    second = _tuned(tmp_path, watch)

    assert watch.begun == []
    assert first.to_dict() == second.to_dict()
    for mine, theirs in zip(
        first.model.get_weights(), second.model.get_weights(), strict=True
    ):
        np.testing.assert_array_equal(mine, theirs)


def test_trials_are_not_repeated(tmp_path):
    """A kill after the first trial goes on with the second one."""
    model = _model(dead=8)
    options = {"epochs": 10, "resume": tmp_path}
    kill = _Kill(0)
    kill.epoch = 3
    with pytest.raises(_KilledError):
        finetune(model, (X, Y), callbacks=[kill], **options)
    watch = _Kill(None)
    result = finetune(model, (X, Y), callbacks=[watch], **options)

    assert watch.begun[0] == 3
    assert len(result.history) == max(watch.begun) + 1


@pytest.mark.parametrize(
    "other",
    [
        {"seed": 4},
        pytest.param({"epochs": 7}, marks=pytest.mark.slow),
        pytest.param({"learning_rate": 0.1}, marks=pytest.mark.slow),
    ],
)
def test_the_state_of_another_run_is_refused(tmp_path, other):
    """Nothing is mixed, and the state stays."""
    with pytest.raises(_KilledError):
        _tuned(tmp_path, _Kill(2))
    before = (tmp_path / "run-0.npz").read_bytes()

    with pytest.raises(DataError, match="another model, other data or options"):
        _tuned(tmp_path, **other)
    assert (tmp_path / "run-0.npz").read_bytes() == before


@pytest.mark.parametrize("content", [b"", b"text", b"PK\x03\x04"])
def test_a_file_that_is_no_state_is_refused(tmp_path, content):
    """Damaged or foreign files are named, and stay."""
    (tmp_path / "run-0.npz").write_bytes(content)

    with pytest.raises(DataError, match=r"run-0\.npz"):
        _tuned(tmp_path)
    assert (tmp_path / "run-0.npz").read_bytes() == content


def test_a_header_without_a_mark_is_refused(tmp_path):
    """It is one sentence, as for any other file that is no state."""
    header = {"kind": "keras_rectifiers finetune 1", "counts": {}, "facts": {}}
    text = np.frombuffer(json.dumps(header).encode(), np.uint8)
    np.savez(tmp_path / "run-0.npz", header=text)

    with pytest.raises(DataError, match="lacks 'mark'"):
        RunFile(tmp_path / "run-0.npz", "mark").read()


def test_a_folder_that_cannot_be_made_is_refused(tmp_path):
    """With its name, before training."""
    (tmp_path / "file").write_text("mine")

    with pytest.raises(ArchiveError, match="cannot be made"):
        _tuned(tmp_path / "file")


def test_odd_numbers_and_types_survive(tmp_path):
    """Infinite and undefined numbers, and bfloat16."""
    odd = keras.ops.convert_to_numpy(keras.ops.cast([1.5, -2.0], "bfloat16"))
    file = RunFile(tmp_path / "run-0.npz", "mark")
    facts = {"a": float("inf"), "b": [float("nan"), 1.0], "c": {"d": -float("inf")}}
    file.write(RunState(facts, {"model": [odd]}))
    found = file.read()

    assert json.dumps(found.facts) == json.dumps(facts)
    np.testing.assert_array_equal(found.values["model"][0], [1.5, -2.0])


def test_only_states_are_removed(tmp_path):
    """What else is in the folder stays; an empty one goes."""
    folder = tmp_path / "state"
    _tuned(folder, epochs=1)
    (folder / "notes.txt").write_text("mine")
    remove(folder)
    assert [file.name for file in folder.iterdir()] == ["notes.txt"]
    (folder / "notes.txt").unlink()
    remove(folder)
    assert not folder.exists()
