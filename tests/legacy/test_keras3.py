"""Files that an earlier Keras 3 wrote, and that the current one misreads."""

import json
import zipfile
from pathlib import Path

import keras
import numpy as np
import pytest

import keras_rectifiers
from keras_rectifiers.conversion.modern import is_modern
from keras_rectifiers.files.members import CONFIG
from tests.legacy.zoo.opened import Specimen

layers = keras.layers

#: What a release wrote -> what is repaired in it, and what Keras alone makes of it.
ZOO = {
    ("3.0.5", "compiled_by_names"): (set(), "opens"),
    ("3.0.5", "normalization_rms_scaling"): ({"rms_scaling"}, "refuses"),
    ("3.0.5", "trained_nadam"): ({"optimizer state"}, "refuses"),
    ("3.4.1", "augmented"): ({"value_range", "random_crop"}, "refuses"),
    ("3.4.1", "backbone_in_sequential"): ({"listed_output"}, "refuses"),
    ("3.8.0", "trained_nadam"): ({"optimizer state"}, "refuses"),
    ("3.10.0", "backbone_in_wrapper"): ({"listed_output"}, "refuses"),
    ("3.10.0", "compiled_mixed"): ({"optimizer"}, "forgets"),
}
#: The outputs were computed by TensorFlow on one processor; others, and other
#: backends, add in another order.
_TOLERANCE = 1e-6 if keras.backend.backend() == "tensorflow" else 1e-5
#: What holds less than was saved.
LOST = ("3.2.1", "shared_layer")
_FOLDER = Path(__file__).with_name("zoo")


def _backbone():
    x = keras.Input((8, 8, 3))
    y = layers.Conv2D(4, 3, activation="relu", name="stem")(x)
    return keras.Model(x, layers.Conv2D(5, 3, name="top")(y), name="backbone")


def _in_sequential():
    head = (layers.GlobalAveragePooling2D(), layers.Dense(3))
    return keras.Sequential([keras.Input((8, 8, 3)), _backbone(), *head])


def _in_nested_sequential():
    x = keras.Input((8, 8, 3))
    inner = keras.Sequential([_backbone(), layers.ReLU(), layers.Flatten()])
    return keras.Model(x, layers.Dense(3)(inner(x)))


def _in_wrapper():
    x = keras.Input((2, 8, 8, 3))
    return keras.Model(x, layers.Dense(3)(layers.TimeDistributed(_backbone())(x)))


def _in_functional():
    x = keras.Input((8, 8, 3))
    return keras.Model(x, layers.Dense(3)(layers.Flatten()(_backbone()(x))))


def _listed(value):
    """The ends of every model in lists, as Keras 3.0 to 3.10 wrote them."""
    if isinstance(value, list):
        return [_listed(each) for each in value]
    if not isinstance(value, dict):
        return value
    new = {key: _listed(each) for key, each in value.items()}
    for key in {"input_layers", "output_layers"} & set(new):
        new[key] = [new[key]] if isinstance(new[key][0], str) else new[key]
    return new


def _save_with_lists(model, path):
    plain = path.with_name("plain.keras")
    model.save(plain)
    with zipfile.ZipFile(plain) as old, zipfile.ZipFile(path, "w") as new:
        for name in old.namelist():
            data = old.read(name)
            if name == CONFIG:
                data = json.dumps(_listed(json.loads(data)))
            new.writestr(name, data)


@pytest.mark.parametrize(
    "build",
    [_in_sequential, _in_nested_sequential, _in_wrapper],
    ids=lambda x: x.__name__,
)
def test_a_backbone_whose_output_is_in_a_list_opens(build, tmp_path):
    """Keras hands the list to the next layer, and does not open such a file."""
    model = build()
    x = np.random.default_rng(0).normal(size=(3, *model.input_shape[1:]))
    old, new, converted = (tmp_path / f"{each}.keras" for each in "abc")
    _save_with_lists(model, old)
    with pytest.raises((ValueError, AttributeError)):
        keras.saving.load_model(old)

    record = keras_rectifiers.upgrade_file(old, new)
    keras_rectifiers.convert_file(old, converted, "prelu")

    assert [each.rule for each in record.repairs] == ["listed_output"]
    want = model.predict(x, verbose=0).tobytes()
    for path in (new, converted):
        opened = keras.saving.load_model(path)
        assert opened.predict(x, verbose=0).tobytes() == want


def test_a_list_that_keras_opens_is_left_as_it_is(tmp_path):
    """In a Functional model the calls say which tensor they take: nothing to repair."""
    _save_with_lists(_in_functional(), tmp_path / "old.keras")

    assert is_modern(tmp_path / "old.keras")
    keras.saving.load_model(tmp_path / "old.keras")


@pytest.mark.parametrize(("release", "name"), ZOO, ids=map("-".join, ZOO))
def test_a_file_of_an_earlier_release_is_the_function_that_it_was(
    release, name, tmp_path
):
    """The outputs and the optimizer's state are those that the release computed."""
    specimen = Specimen(_FOLDER / release, name, "keras")
    rules, alone = ZOO[release, name]
    if alone == "refuses":
        with pytest.raises((ValueError, TypeError)):
            specimen.alone()
    else:
        assert (specimen.held(specimen.alone())[1] == 0) == (alone == "opens")

    record = specimen.upgraded(tmp_path / "new.keras")
    specimen.converted(tmp_path / "converted.keras")

    assert {each.rule for each in record.repairs} == rules
    outputs, state = specimen.held(specimen.alone(tmp_path / "new.keras"))
    assert outputs <= _TOLERANCE
    assert state == 0
    converted = specimen.alone(tmp_path / "converted.keras")
    assert specimen.held(converted)[0] <= _TOLERANCE


def test_the_zoo_is_whole():
    """Each file in the folder is held to what its release computed, and none lacks."""
    kept = {(path.parent.name, path.stem) for path in _FOLDER.glob("*/*.keras")}

    assert kept == {*ZOO, LOST}


def test_a_file_that_does_not_say_which_call_is_meant_is_told_of(tmp_path):
    """Keras 3.2 wrote the first of three calls thrice: nobody can know the others."""
    specimen = Specimen(_FOLDER / LOST[0], LOST[1], "keras")
    assert specimen.held(specimen.alone())[0] > 0.1

    record = specimen.upgraded(tmp_path / "new.keras")

    assert [(each.rule, each.layer) for each in record.cautions] == [
        ("lost_calls", "dense")
    ]


def _with_plain_dtypes(value):
    """A config whose dtypes are strings, as Keras 3.0 to 3.3 wrote them."""
    if isinstance(value, list):
        return [_with_plain_dtypes(each) for each in value]
    if not isinstance(value, dict):
        return value
    if value.get("class_name") == "DTypePolicy":
        return value["config"]["name"]
    return {key: _with_plain_dtypes(each) for key, each in value.items()}


@pytest.mark.parametrize("plain", [True, False])
def test_an_architecture_that_states_no_version_is_not_taken_for_an_older_one(
    plain, tmp_path
):
    """`hard_sigmoid` stays what Keras 3 computes, and so does LoRA."""
    adapted = layers.Dense(3, activation="hard_sigmoid", name="adapted")
    model = keras.Sequential([keras.Input((4,)), adapted, layers.Dense(2, "relu")])
    adapted.enable_lora(2)
    config = json.loads(model.to_json())
    if plain:
        config = _with_plain_dtypes(config)
    (tmp_path / "model.json").write_text(json.dumps(config))
    model.save_weights(tmp_path / "model.weights.h5")
    keras_rectifiers.upgrade_file(
        tmp_path / "model.json",
        tmp_path / "new.keras",
        weights=tmp_path / "model.weights.h5",
    )
    opened = keras.saving.load_model(tmp_path / "new.keras")
    x = np.random.default_rng(0).normal(size=(5, 4)).astype("float32")
    assert opened.get_layer("adapted").lora_rank == 2
    expected, found = map(keras.ops.convert_to_numpy, (model(x), opened(x)))
    assert np.array_equal(found, expected)
