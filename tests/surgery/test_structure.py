"""A file's arrays against its config: the verdict is Keras' own."""

import io
import json
import random
import zipfile

import h5py
import keras
import numpy as np
import pytest
from keras import layers

from keras_rectifiers import convert
from keras_rectifiers import convert_file
from keras_rectifiers import fold_file
from keras_rectifiers import upgrade_file
from keras_rectifiers.errors import ArchiveError
from keras_rectifiers.files import hdf5
from keras_rectifiers.surgery import structure


def _convolutions():
    model = keras.Sequential(
        [
            keras.Input((6, 6, 3)),
            layers.Conv2D(4, 3, activation="relu"),
            layers.BatchNormalization(),
            layers.SeparableConv2D(4, 2, depth_multiplier=2),
            layers.PReLU(shared_axes=[1, 2]),
            layers.DepthwiseConv2D(2, data_format="channels_last"),
            layers.Flatten(),
            layers.Dropout(0.5, seed=1),
            layers.Dense(3, "relu"),
        ]
    )
    return convert(model, roles=["hidden", "output"])


def _recurrent():
    return keras.Sequential(
        [
            keras.Input((4, 3)),
            layers.Bidirectional(layers.LSTM(2, return_sequences=True)),
            layers.TimeDistributed(layers.Dense(3, "relu")),
            layers.RNN([layers.GRUCell(2), layers.SimpleRNNCell(3)]),
        ]
    )


def _attention():
    query, value = keras.Input((4, 5)), keras.Input((6, 7))
    made = layers.MultiHeadAttention(2, 3)(query, value)
    made = layers.LayerNormalization(axis=[1, 2])(made)
    made = layers.EinsumDense("...x,xy->...y", output_shape=3, bias_axes="y")(made)
    return keras.Model([query, value], layers.Normalization()(made))


def _nested():
    inner = keras.Sequential([keras.Input((5,)), layers.Dense(5), layers.PReLU()])
    shared, inputs = layers.Dense(5), keras.Input((5,))
    made = inner(shared(inner(shared(inputs))))
    return keras.Model(inputs, keras.Sequential([layers.Dense(2)])(made))


def _built_by_shape():
    model = keras.Sequential([layers.Dense(3), layers.SpectralNormalization(_dense())])
    model.build((None, 4))
    return model


def _dense():
    return layers.Dense(2, use_bias=False)


def _quantized(mode):
    def make():
        model = keras.Sequential(
            [keras.Input((8,)), layers.Dense(6, "relu"), layers.Dense(2)]
        )
        model.quantize(mode)
        return model

    return make


def _lora():
    model = keras.Sequential([keras.Input((8,)), layers.Dense(6), layers.Dense(2)])
    model.layers[0].enable_lora(2)
    return model


def _texts():
    return keras.Sequential(
        [
            keras.Input((1,), dtype="string"),
            layers.TextVectorization(
                vocabulary=["a", "b"], idf_weights=[1.0, 2.0], output_mode="tf_idf"
            ),
            layers.Dense(2),
        ]
    )


MODELS = {
    "convolutions": _convolutions,
    "recurrent": _recurrent,
    "attention": _attention,
    "nested": _nested,
    "built by a shape": _built_by_shape,
    "never built": lambda: keras.Sequential([layers.Dense(2)]),
    "int8": _quantized("int8"),
    "int4": _quantized("int4"),
    "lora": _lora,
    "texts": _texts,
}


def _drop(file, arrays, rng):
    if arrays:
        del file[rng.choice(arrays)]


def _longer_axis(file, arrays, rng):
    if not arrays:
        return
    name = rng.choice(arrays)
    values = file[name][()]
    axis = rng.randrange(max(1, values.ndim))
    shape = [each + (i == axis) for i, each in enumerate(values.shape)] or [2]
    del file[name]
    file[name] = np.zeros(shape, "float32")


def _add(file, arrays, rng):
    groups = [
        name for name in _groups(file) if name.endswith("vars") and "_" not in name[:1]
    ]
    named = [name for name in groups if "/_" not in name]
    if named:
        file[f"{rng.choice(named)}/41"] = np.zeros(3, "float32")


def _rename_group(file, arrays, rng):
    groups = _groups(file)
    if groups:
        name = rng.choice(groups)
        file.move(name, f"{name}_renamed")


def _drop_group(file, arrays, rng):
    groups = _groups(file)
    if groups:
        del file[rng.choice(groups)]


def _renumber(file, arrays, rng):
    if arrays:
        name = rng.choice(arrays)
        file.move(name, f"{name}7")


CHANGES = (_drop, _longer_axis, _add, _rename_group, _drop_group, _renumber)


def _groups(file):
    found = []
    file.visititems(
        lambda name, item: found.append(name) if isinstance(item, h5py.Group) else None
    )
    return found


def _parts(path):
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def _write(path, parts):
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content)


def _arrays(content):
    with h5py.File(io.BytesIO(content)) as file:
        shapes = hdf5.array_shapes(file)
    return {tuple(name.split("/")): shape for name, shape in shapes.items()}


def _faults(parts):
    document = json.loads(parts["config.json"])
    return structure.faults(document, _arrays(parts["model.weights.h5"]))


def _changed(parts, change):
    """The same file after a change of its weights, or of its config."""
    content = io.BytesIO(parts["model.weights.h5"])
    with h5py.File(content, "r+") as file:
        change(file)
    return {**parts, "model.weights.h5": content.getvalue()}


def _keras_opens(path):
    try:
        keras.saving.load_model(path)
    except ValueError:
        return False
    return True


@pytest.mark.parametrize("name", MODELS)
def test_the_verdict_is_that_of_keras(name, tmp_path):
    """A file is refused where Keras refuses it, and only there."""
    path = tmp_path / "model.keras"
    MODELS[name]().save(path)
    parts = _parts(path)
    assert _faults(parts) == []
    rng = random.Random(name)
    for change in CHANGES:

        def changed(file, change=change):
            change(file, list(hdf5.array_shapes(file)), rng)

        made = _changed(parts, changed)
        _write(path, made)
        refused = any(fault.refused for fault in _faults(made))
        assert _keras_opens(path) != refused, change.__name__


def _saved(model, path):
    model.save(path)
    return _parts(path)


def _small():
    return keras.Sequential(
        [
            keras.Input((4,)),
            layers.Dense(3, "relu", name="first"),
            layers.PReLU(name="second"),
        ]
    )


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (
            lambda file: file.__delitem__("layers/dense/vars/1"),
            "the layer 'first' has no array for its bias",
        ),
        (
            lambda file: file["layers/dense/vars"].create_dataset("2", data=[1.0]),
            "'first' has the array 'layers/dense/vars/2', and no variable for it",
        ),
        (
            lambda file: file.move("layers/dense", "layers/dense_1"),
            "'first' has no array for its kernel",
        ),
    ],
    ids=["missing", "left over", "elsewhere"],
)
@pytest.mark.parametrize("command", [convert_file, fold_file])
def test_no_file_is_written_that_keras_would_not_open(command, change, told, tmp_path):
    """The sentence names the layer and the variable, and no file is left behind."""
    source, target = tmp_path / "model.keras", tmp_path / "new.keras"
    _write(source, _changed(_saved(_small(), source), change))
    assert not _keras_opens(source)
    with pytest.raises(ArchiveError, match=told):
        command(source, target)
    assert [each.name for each in tmp_path.iterdir()] == ["model.keras"]


def test_a_shape_that_the_wiring_contradicts_is_refused(tmp_path):
    """What the inputs say of a kernel's shape counts, not only the layer's config."""
    source, target = tmp_path / "model.h5", tmp_path / "new.h5"
    _small().save(source)
    with h5py.File(source, "r+") as file:
        group = file["model_weights/first"]
        name = group.attrs["weight_names"][0]
        del group[name]
        group[name] = np.zeros((5, 3), "float32")
    told = r"'first' has an array of shape \(5, 3\) for its kernel, whose shape is \(4"
    for write in (convert_file, upgrade_file):
        suffix = ".h5" if write is convert_file else ".keras"
        with pytest.raises(ArchiveError, match=told):
            write(source, target.with_suffix(suffix))
    assert [each.name for each in tmp_path.iterdir()] == ["model.h5"]


def test_a_model_of_unknown_input_is_not_written_with_weights(tmp_path):
    """Keras would build none of its layers, and refuse the arrays."""
    source = tmp_path / "model.keras"
    parts = _saved(_small(), source)
    document = json.loads(parts["config.json"])
    document.pop("build_config")
    document["config"].pop("build_input_shape", None)
    members = document["config"]["layers"] = document["config"]["layers"][1:]
    for each in members:
        each.pop("build_config")
    parts["config.json"] = json.dumps(document).encode()
    _write(source, parts)
    assert not _keras_opens(source)
    arrays = _arrays(parts["model.weights.h5"])
    with pytest.raises(ArchiveError, match="'first' has weights, but Keras would not"):
        structure.check(document, arrays, "the model")
    empty = _changed(parts, lambda file: file.__delitem__("layers"))
    assert _faults(empty) == []


def test_arrays_that_no_layer_reads_stay_where_they_were(tmp_path):
    """Keras ignores them, so a conversion may keep them, but must not add any."""
    source, target = tmp_path / "model.keras", tmp_path / "new.keras"
    parts = _saved(_small(), source)

    def leave(file):
        file["layers/gone/vars/0"] = np.zeros(3)

    _write(source, _changed(parts, leave))
    convert_file(source, target)
    assert _keras_opens(target)
    (fault,) = _faults(_parts(target))
    assert not fault.refused
    document = json.loads(parts["config.json"])
    with pytest.raises(ArchiveError, match="layers/gone/vars/0"):
        structure.check(
            document, _arrays(_parts(source)["model.weights.h5"]), "the model"
        )


def test_a_custom_layer_has_whatever_it_has(tmp_path):
    """A class that is not Keras' own may store any arrays, also in layers inside."""
    document = json.loads(_saved(_small(), tmp_path / "model.keras")["config.json"])
    entry = document["config"]["layers"][1]
    entry |= {"module": "mine", "registered_name": "Mine>Dense"}
    arrays = {
        ("layers", "dense", "a", "vars", "0"): (3,),
        ("layers", "p_re_lu", "vars", "0"): (3,),
    }
    assert structure.faults(document, arrays) == []
