"""What people get wrong: each ends in one sentence that says what to do."""

import json
import zipfile

import numpy as np
import pytest

_STREAMS = """
import keras
import numpy as np

_X, _Y = np.ones((12, 4), "float32"), np.arange(12) % 3


class _Batches(keras.utils.PyDataset):
    def __init__(self, x, y):
        super().__init__()
        self.x, self.y = x, y

    num_batches = 3

    def __getitem__(self, index):
        return self.x[index], self.y[index]


def batches():
    return _Batches(_X.reshape(3, 4, 4), _Y.reshape(3, 4))


def samples():
    return _Batches(_X, _Y)


def wide():
    return _Batches(np.ones((3, 4, 7), "float32"), _Y.reshape(3, 4))


def named():
    return {"x": _X, "y": _Y}
"""


@pytest.fixture
def wrong(tmp_path, made, monkeypatch):
    """Files that look like models and data, and are not."""
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "wrong_streams.py").write_text(_STREAMS)
    (tmp_path / "text.keras").write_text("no model")
    (tmp_path / "text.h5").write_text("no model")
    (tmp_path / "zero.keras").write_bytes(b"")
    (tmp_path / "folder.keras").mkdir()
    (tmp_path / "bad.json").write_text("{")
    with zipfile.ZipFile(tmp_path / "zip.keras", "w") as archive:
        archive.writestr("a.txt", "a")
    x = np.ones((12, 4), "float32")
    for name, arrays in {
        "empty": {},
        "unlabelled": {"x": x},
        "short": {"x": x, "y": np.zeros(5)},
        "none": {"x": x[:0], "y": np.zeros(0)},
        "texts": {"x": x, "y": np.array(list("abcabcabcabc"))},
        "past": {"x": x, "y": np.arange(12) + 50},
        "columns": {"x": x, "y": np.eye(3)[np.arange(12) % 3]},
        "nan": {"x": x * np.nan, "y": np.zeros(12)},
    }.items():
        np.savez(tmp_path / f"{name}.npz", **arrays)
    (tmp_path / "text.npz").write_text("no data")
    (tmp_path / "model.keras").write_bytes((made / "model.keras").read_bytes())
    return tmp_path


_MODELS = ("text.keras", "text.h5", "zero.keras", "folder.keras", "zip.keras")


@pytest.mark.parametrize("name", [*_MODELS, "bad.json", "missing.keras"])
@pytest.mark.parametrize(
    "command",
    [
        "inspect {}",
        "inspect {} --estimate",
        "diagnose {} --data unlabelled.npz",
        "convert {} out.keras",
        "convert {} out.keras --verify",
        "convert {} out.keras --calibrate unlabelled.npz",
        "upgrade {} out.keras --verify",
        "finetune {} --out out.keras --data past.npz",
        "fold {} out.keras",
        "export {} out.tflite",
        "revert {} out.keras",
        "diff model.keras {}",
    ],
)
def test_what_is_no_model(fails, wrong, command, name):
    """Every command names the file."""
    assert name.split(".")[0] in fails(*command.format(name).split())


@pytest.mark.parametrize("target", ["nowhere/out.keras", "folder.keras", "model.keras"])
@pytest.mark.parametrize(
    "command",
    [
        "convert model.keras {}",
        "convert model.keras {} --verify",
        "upgrade model.keras {}",
        "finetune model.keras --out {} --data past.npz",
        "fold model.keras {}",
        "revert model.keras {}",
    ],
)
def test_what_cannot_be_written(fails, wrong, command, target):
    """A missing folder, a folder, and the source itself are refused first."""
    assert target in fails(*command.format(target).split())


_TRAIN = "finetune model.keras --out out.keras --epochs 1 --data "
_DIAGNOSE = "diagnose model.keras --data "
_FOLD = "fold model.keras out.keras --data "
_CALIBRATE = "convert model.keras out.keras --calibrate "


@pytest.mark.parametrize(
    ("command", "told"),
    [
        *(
            (f"{each}empty.npz", "must contain 'x'")
            for each in (_TRAIN, _DIAGNOSE, _FOLD)
        ),
        *(
            (f"{each}text.npz", "damaged or not an .npz")
            for each in (_TRAIN, _DIAGNOSE, _FOLD)
        ),
        *((f"{each}none.npz", "no sample") for each in (_TRAIN, _DIAGNOSE, _FOLD)),
        *((f"{each}short.npz", "12 and 5") for each in (_TRAIN, _DIAGNOSE, _FOLD)),
        *(
            (f"{each}wrong_streams:{name}", told)
            for each in (_DIAGNOSE, _FOLD, _CALIBRATE, _TRAIN)
            for name, told in (
                ("wide", "batch of shape"),
                ("samples", "must give batches"),
            )
        ),
        *(
            (f"{each}wrong_streams:named", "Received keys")
            for each in (_DIAGNOSE, _FOLD)
        ),
        (f"{_TRAIN}unlabelled.npz", "has none"),
        (f"{_TRAIN}texts.npz", "must be numbers"),
        (f"{_TRAIN}past.npz", "classes from 0 to 2"),
        (f"{_TRAIN}columns.npz", "one column for each class"),
        (f"{_TRAIN}nan.npz", "finite numbers"),
        (f"{_CALIBRATE}past.npz", "must match the model's loss"),
        (f"{_DIAGNOSE}past.npz --criterion autotrainer", "must fit the model's loss"),
        (
            f"{_TRAIN}wrong_streams:batches --class-weight balanced",
            "counts the labels of arrays. Received: a data set object",
        ),
        (f"{_TRAIN}past.npz --metric accuracy", "--metric goes with --loss"),
        (
            f"{_TRAIN}past.npz --loss mse --metric mean_squared_eror",
            "Did you mean 'mean_squared_error'?",
        ),
        ("fold model.keras out.keras --input-range 3 1", "LO <= HI"),
        ("export model.keras out.tflite --input-range 3 1", "LO <= HI"),
    ],
)
def test_data_and_options_that_do_not_fit(fails, wrong, command, told):
    """The rule or what was received is in the sentence, and nothing is written."""
    assert told in fails(*command.split())


def test_a_fold_that_cannot_be_measured_leaves_the_target(fails, wrong):
    """The file that was there before is not replaced."""
    (wrong / "out.keras").write_text("mine")

    fails(*f"{_FOLD}wrong_streams:wide --force".split())

    assert (wrong / "out.keras").read_text() == "mine"


def test_a_fold_that_is_measured_is_written(run, wrong):
    """The target has its name once its change is known."""
    result = run(*f"{_FOLD}wrong_streams:batches --json".split())

    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["target"] == "out.keras"
    assert run("diff", "model.keras", "out.keras").exit_code == 0
    assert sorted(each.name for each in wrong.glob(".*")) == []
