"""SavedModel folders that the old Keras writes, read without TensorFlow."""

import contextlib
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from keras_rectifiers.errors import ArchiveError
from keras_rectifiers.errors import UnsupportedModelError
from keras_rectifiers.graph.document import Place
from keras_rectifiers.graph.document import name_of
from keras_rectifiers.graph.variables.variable import Variable
from keras_rectifiers.legacy.containers.savedmodel import bundle
from keras_rectifiers.legacy.containers.savedmodel import metadata
from keras_rectifiers.legacy.containers.savedmodel import table
from keras_rectifiers.legacy.containers.savedmodel.crc import masked_crc32c
from keras_rectifiers.legacy.containers.savedmodel.read import is_savedmodel
from keras_rectifiers.legacy.containers.savedmodel.read import read
from keras_rectifiers.legacy.weights.nested import NestedArray
from keras_rectifiers.legacy.weights.owners import Owner
from tests.legacy import checkpoints

tf_keras = pytest.importorskip("tf_keras")
tf = pytest.importorskip("tensorflow")
layers = tf_keras.layers

REVERSI = (
    Path(__file__).resolve().parents[3]
    / "shared"
    / "models"
    / "AndreiSva+ReversiML"
    / "model"
)
DENSE = ("kernel", "bias")
CELL = ("kernel", "recurrent_kernel", "bias")


def owner_of(document, path, attributes, *, custom=False):
    """An owner as the modern document has it.

    Args:
        document: The old document.
        path: Names of models and layers; `key=name` for what is inside a wrapper.
        attributes: Those of its variables, each with `/` between.
        custom: Whether it is of a class that is not Keras' own.
    """
    place, names = Place((), (), (), document, None, ("top",)), []
    for step in path:
        key, _, name = step.rpartition("=")
        names.append(name)
        address = ("config", *(key.split("/") if key else ("layers", 0)))
        entry = {"class_name": "Wrapper", "config": {}}
        if not key:
            entries = place.entry["config"]["layers"]
            entry = next(each for each in entries if name_of(each) == name)
        place = Place(
            tuple(names), (*place.address, *address), (), entry, place, ("own", name)
        )
    stored = tuple(Variable(a, (), tuple(a.split("/")), None) for a in attributes)
    return Owner(place, stored, stored, tuple(names), "Any", custom=custom)


def found_in(folder, *wanted):
    """The values that a folder has for some layers; each is (path, attributes)."""
    with read(folder) as saved:
        owners = [owner_of(saved.document, *each) for each in wanted]
        return [[a.read() for a in each] for each in saved.weights.find(owners)]


def assert_same(found, expected):
    """Each layer has the arrays that the live one has, bit for bit."""
    assert [len(each) for each in found] == [len(each) for each in expected]
    for mine, theirs in zip(found, expected, strict=True):
        for a, b in zip(mine, map(np.asarray, theirs), strict=True):
            assert (a.dtype, a.shape) == (b.dtype, b.shape)
            assert a.tobytes() == b.tobytes()


def saved(model, folder, **arguments):
    """Write a SavedModel, without its functions unless they are asked for."""
    model.save(folder, save_format="tf", **{"save_traces": False, **arguments})
    return folder


def fitted(model, optimizer):
    """A model after one step, so that its optimizer has state."""
    model.compile(optimizer, "mse", metrics=["mae"], run_eagerly=True)
    shapes = [(4, *each.shape[1:]) for each in (*model.inputs, *model.outputs)]
    rng = np.random.default_rng(0)
    x, y = (rng.normal(size=shape).astype("f4") for shape in shapes)
    model.fit(x, y, verbose=0)
    return model


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """A model with a name of its own for each of its two layers; and its folder."""
    tf_keras.utils.set_random_seed(0)
    model = tf_keras.Sequential(
        [
            tf_keras.Input((3,), name="start"),
            layers.Dense(4, activation="relu", name="one"),
            layers.Dropout(0.5),
            layers.Dense(2, name="two"),
        ]
    )
    fitted(model, "adam")
    return model, saved(model, tmp_path_factory.mktemp("small") / "model")


@pytest.fixture
def copy(small, tmp_path):
    """A copy of the small model's folder, to be damaged."""
    return shutil.copytree(small[1], tmp_path / "copy")


SMALL = [(["one"], DENSE), (["two"], DENSE)]


@pytest.fixture(scope="module")
def rich(tmp_path_factory):
    """Wrappers, cells, a shared nested model and an operation; and its folder."""
    tf_keras.utils.set_random_seed(1)
    x = inputs = tf_keras.Input((6, 4), name="start")
    x = layers.Bidirectional(layers.LSTM(3, return_sequences=True), name="both")(x)
    x = layers.TimeDistributed(layers.Dense(5, activation="relu"), name="each")(x)
    x = layers.MultiHeadAttention(2, 3, name="heads")(x, x)
    x = layers.BatchNormalization(name="norm")(x)
    cells = [layers.GRUCell(3), layers.LSTMCell(4)]
    x = layers.RNN(cells, return_sequences=True, name="stack")(x)
    inner = tf_keras.Sequential([layers.Dense(4, name="in"), layers.ReLU()], "inner")
    nested = tf_keras.Sequential([inner, layers.Dense(4, name="in")], "nested")
    x = layers.Add()([nested(x), nested(nested(x))]) * 2.0
    x = layers.SeparableConv1D(3, 2, name="separable")(x)
    x = layers.GlobalAveragePooling1D()(x)
    model = tf_keras.Model(inputs, layers.Dense(2, name="end")(x))
    fitted(model, tf_keras.optimizers.legacy.Adam())
    return model, saved(model, tmp_path_factory.mktemp("rich") / "model")


HEADS = [f"_{part}_dense/{v}" for part in ("query", "key", "value") for v in DENSE]
RICH = [
    (["both", "layer=lstm"], [f"cell/{v}" for v in CELL]),
    (["both", "backward_layer=lstm"], [f"cell/{v}" for v in CELL]),
    (["each", "layer=dense"], DENSE),
    (["heads"], [*HEADS, "_output_dense/kernel", "_output_dense/bias"]),
    (["norm"], ["gamma", "beta", "moving_mean", "moving_variance"]),
    (["stack", "cell=cells", "cells/0=gru_cell"], CELL),
    (["stack", "cell=cells", "cells/1=lstm_cell"], CELL),
    (["nested", "inner", "in"], DENSE),
    (["nested", "in"], DENSE),
    (["separable"], ["depthwise_kernel", "pointwise_kernel", "bias"]),
    (["end"], DENSE),
]


def rich_weights(model):
    """The live weights, in the order of `RICH`."""
    both, stack, nested = (
        model.get_layer(name) for name in ("both", "stack", "nested")
    )
    plain = [model.get_layer(name) for name in ("heads", "norm", "separable", "end")]
    heads, norm, separable, end = (each.weights for each in plain)
    return [
        both.forward_layer.cell.weights,
        both.backward_layer.cell.weights,
        model.get_layer("each").layer.weights,
        heads,
        norm,
        stack.cell.cells[0].weights,
        stack.cell.cells[1].weights,
        nested.get_layer("inner").get_layer("in").weights,
        nested.get_layer("in").weights,
        separable,
        end,
    ]


# What is read


def test_every_layer_finds_its_own_weights(rich):
    """Through models, wrappers and cells, also where layers have equal names."""
    model, folder = rich
    assert_same(found_in(folder, *RICH), rich_weights(model))


@pytest.mark.parametrize("name", ["small", "rich"])
def test_arrays_are_those_that_tensorflow_reads(name, request):
    """Every one in the checkpoint, those of the optimizer and metrics too."""
    _compare_with_tensorflow(request.getfixturevalue(name)[1])


@pytest.mark.skipif(
    not REVERSI.is_dir(), reason="the strangers' models are not beside this checkout"
)
def test_a_strangers_model_is_read():
    """Written by Keras 2.11, with the state of its training."""
    _compare_with_tensorflow(REVERSI)
    names = ["dense", *(f"dense_{number}" for number in range(1, 7))]
    found = found_in(REVERSI, *(([name], DENSE) for name in names))
    assert [kernel.shape for kernel, _ in found] == [
        (128, 512),
        (512, 128),
        (128, 256),
        (256, 64),
        (64, 32),
        (32, 16),
        (16, 1),
    ]
    with read(REVERSI) as saved_model:
        assert (saved_model.version, saved_model.backend) == ("2.11.0", "tensorflow")
        loss = saved_model.training["loss"]
        assert loss["class_name"] == "BinaryCrossentropy"
        assert saved_model.slots.arrays[0].read() == 274730


def _compare_with_tensorflow(folder):
    reader = tf.train.load_checkpoint(str(folder / "variables" / "variables"))
    shapes = reader.get_variable_to_shape_map()
    with contextlib.ExitStack() as stack:
        mine = bundle.Bundle(folder, stack)
        graph = mine.text("_CHECKPOINTABLE_OBJECT_GRAPH")
        assert graph == reader.get_tensor("_CHECKPOINTABLE_OBJECT_GRAPH")
        names = set(shapes) - {"_CHECKPOINTABLE_OBJECT_GRAPH"}
        assert len(names) > 10
        for name in names:
            array, expected = mine.array(name, name), reader.get_tensor(name)
            assert array.shape == tuple(shapes[name])
            assert array.read().dtype == np.asarray(expected).dtype
            np.testing.assert_array_equal(array.read(), expected)


@pytest.mark.parametrize("name", ["small", "rich"])
def test_the_document_is_that_of_other_files(name, request):
    """As JSON has it: tuples are lists, for one set of rules."""
    model, folder = request.getfixturevalue(name)
    told = json.loads(model.to_json())
    with read(folder) as saved_model:
        assert saved_model.container == "SavedModel"
        assert saved_model.document["class_name"] == told["class_name"]
        assert _plain(saved_model.document["config"]) == _plain(told["config"])
        written_by = (saved_model.version, saved_model.backend)
        assert written_by == (told["keras_version"], told["backend"])
        assert saved_model.training["loss"] == "mse"
        assert "Adam" in saved_model.training["optimizer_config"]["class_name"]


def _plain(value):
    """Without what is only in one of them: where classes are, and shared numbers."""
    only = ("shared_object_id", "module", "registered_name", "build_config")
    if isinstance(value, dict):
        return {k: _plain(v) for k, v in value.items() if k not in only}
    return [_plain(v) for v in value] if isinstance(value, list) else value


def test_metadata_inside_the_graph_is_the_same(rich, tmp_path):
    """Before TensorFlow 2.5 there was no file beside the graph."""
    from tensorflow.core.protobuf import saved_model_pb2
    from tf_keras.protobuf import saved_metadata_pb2

    model, folder = rich
    old = shutil.copytree(folder, tmp_path / "old")
    described = saved_metadata_pb2.SavedMetadata()
    described.ParseFromString((old / metadata.METADATA).read_bytes())
    (old / metadata.METADATA).unlink()
    whole = saved_model_pb2.SavedModel()
    whole.ParseFromString((old / metadata.GRAPH).read_bytes())
    nodes = whole.meta_graphs[0].object_graph_def.nodes
    for each in described.nodes:
        assert nodes[each.node_id].user_object.identifier == each.identifier
        nodes[each.node_id].user_object.metadata = each.metadata
    (old / metadata.GRAPH).write_bytes(whole.SerializeToString())

    assert_same(found_in(old, *RICH), rich_weights(model))
    with read(old) as before, read(folder) as after:
        assert before.document == after.document
        assert before.training == after.training


def test_layers_are_found_by_their_places_where_names_are_lost(rich, monkeypatch):
    """Some metadata names the model only."""
    model, folder = rich
    real = metadata.read

    def root_only(path):
        return metadata.Metadata(real(path).root, ())

    monkeypatch.setattr(metadata, "read", root_only)
    # Metrics are below Keras' own attributes, and are not missed.
    assert_same(found_in(folder, *RICH), rich_weights(model))


def test_a_layer_may_stand_in_two_models(tmp_path):
    """Its arrays are for both places; where the config says nothing of it."""
    shared = layers.Dense(3, name="shared")
    left = tf_keras.Sequential([shared, layers.Dense(3, name="l")], "left")
    right = tf_keras.Sequential([shared, layers.Dense(3, name="r")], "right")
    x = inputs = tf_keras.Input((3,))
    model = tf_keras.Model(inputs, right(left(x)))
    folder = saved(model, tmp_path / "model")
    paths = (["left", "shared"], ["left", "l"], ["right", "shared"], ["right", "r"])
    expected = [shared.weights, left.layers[1].weights]
    expected += [shared.weights, right.layers[1].weights]
    assert_same(found_in(folder, *((path, DENSE) for path in paths)), expected)


def test_states_that_every_model_makes_anew_belong_to_nobody(tmp_path):
    """Those of random generators, and of a stateful layer."""
    tf_keras.backend.experimental.enable_tf_random_generator()
    try:
        model = tf_keras.Sequential(
            [
                tf_keras.Input(batch_shape=(2, 4, 3)),
                layers.LSTM(2, stateful=True, dropout=0.5, name="memory"),
                layers.GaussianNoise(0.1),
                layers.Dropout(0.5),
            ]
        )
        folder = saved(model, tmp_path / "model")
    finally:
        tf_keras.backend.experimental.disable_tf_random_generator()
    found = found_in(folder, (["memory"], [f"cell/{v}" for v in CELL]))
    assert_same(found, [model.get_layer("memory").cell.weights])


def test_mixed_precision_keeps_its_variables(tmp_path):
    """They are float32 beside a float16 computation."""
    policy = tf_keras.mixed_precision.Policy("mixed_float16")
    dense = layers.Dense(2, name="dense", dtype=policy)
    model = tf_keras.Sequential([tf_keras.Input((3,)), dense])
    folder = saved(model, tmp_path / "model")
    assert_same(found_in(folder, (["dense"], DENSE)), [dense.weights])


def test_a_custom_layer_has_what_the_file_has(tmp_path):
    """In the order of its weights, trainable ones first; no class is needed."""
    folder, scale = _with_custom(tmp_path, "scale", Scale(name="own"))
    with read(folder) as saved_model:
        owner = owner_of(saved_model.document, ["own"], [], custom=True)
        ((first, second),) = saved_model.weights.find([owner])
        assert_same([[first.read(), second.read()]], [scale.weights])


def test_arrays_of_layers_inside_a_custom_layer_are_marked(tmp_path):
    """Only its class knows where Keras 3 keeps them."""
    folder, _ = _with_custom(tmp_path, "around", Around(name="own"))
    with read(folder) as saved_model:
        # The class says nothing of itself, so that the config has not even a name.
        owner = owner_of(saved_model.document, ["Around"], [], custom=True)
        (arrays,) = saved_model.weights.find([owner])
    assert arrays
    assert all(isinstance(each, NestedArray) for each in arrays)


class Scale(layers.Layer):
    """A layer with variables of its own; the second is not trained."""

    def build(self, shape):
        """Make the variables, the other way round."""
        self.seen = self.add_weight("seen", (2,), trainable=False)
        self.factor = self.add_weight("factor", shape[-1:])

    def call(self, inputs):
        """Multiply."""
        return inputs * self.factor


class Around(layers.Layer):
    """A layer with a layer inside."""

    def __init__(self, **arguments):
        super().__init__(**arguments)
        self.inside = layers.Dense(3)

    def call(self, inputs):
        """Pass on."""
        return self.inside(inputs)


def _with_custom(folder, name, layer):
    model = tf_keras.Sequential([tf_keras.Input((3,)), layer])
    return saved(model, folder / name, save_traces=True), layer


def with_words(folder):
    """A SavedModel of every layer that looks words up."""
    adapted = layers.TextVectorization(name="text")
    adapted.adapt(np.array(["x y y", "z x y"]))
    words = [
        ("string", layers.StringLookup(vocabulary=["b", "a"], mask_token="", name="s")),
        ("string", adapted),
        ("int64", layers.IntegerLookup(vocabulary=[9, -7], name="i")),
        ("int64", layers.StringLookup(vocabulary=["ü", "v"], invert=True, name="back")),
        ("int64", layers.IntegerLookup(vocabulary=[5], invert=True, name="backs")),
    ]
    inputs = [tf_keras.Input((1,), dtype=kind) for kind, _ in words]
    pairs = zip(words, inputs, strict=True)
    model = tf_keras.Model(inputs, [layer(x) for (_, layer), x in pairs])
    return saved(model, folder, save_traces=True)


def test_vocabularies_come_from_the_graph(tmp_path):
    """Keras takes them out of the config; they are constants that fill tables."""
    with read(with_words(tmp_path / "words")) as saved_model:
        found = {
            each["config"]["name"]: each["config"]["vocabulary"]
            for each in saved_model.document["config"]["layers"]
            if each["class_name"] != "InputLayer"
        }
        assert saved_model.weights.find([]) == []
    assert found == {
        "s": ["b", "a"],
        "text": ["y", "x", "z"],
        "i": [9, -7],
        "back": ["ü", "v"],
        "backs": [5],
    }


# The optimizer


def test_a_list_of_the_optimizers_variables(small):
    """As Keras 2.11 and later have it: the steps, then two for each weight."""
    model, folder = small
    with read(folder) as saved_model:
        slots = saved_model.slots
        assert slots.kind == "listed"
        found = [each.read() for each in slots.arrays]
    assert_same([found], [model.optimizer.variables])


def test_slots_by_weight(rich):
    """As older optimizers have it: each slot says which weight it is of."""
    model, folder = rich
    with read(folder) as saved_model:
        slots = saved_model.slots
        owners = [owner_of(saved_model.document, *each) for each in RICH]
        weights = [a for each in saved_model.weights.find(owners) for a in each]
        found = {(each.slot, each.variable): each.array.read() for each in slots.slots}
        numbers = {name: array.read() for name, array in slots.numbers.items()}
    assert slots.kind == "slots"
    assert numbers["iter"] == 1
    assert numbers["beta_1"] == np.float32(0.9)
    live = [variable for each in rich_weights(model) for variable in each]
    trained = {id(each) for each in model.trainable_weights}
    count = 0
    for weight, variable in zip(weights, live, strict=True):
        if id(variable) in trained:
            for slot in ("m", "v"):
                expected = model.optimizer.get_slot(variable, slot)
                assert_same([[found[slot, weight.name]]], [[expected]])
                count += 1
    assert count == len(found) == 2 * len(model.trainable_weights)


@pytest.mark.parametrize(
    ("optimizer", "kind", "count"),
    [
        (tf_keras.optimizers.Adam, "listed", 5),
        (lambda: tf_keras.optimizers.legacy.SGD(momentum=0.9), "slots", 6),
    ],
)
def test_the_optimizer_inside_one_that_scales_the_loss(
    optimizer, kind, count, tmp_path
):
    """Its variables are among those of the outer one, or inside."""
    policy = tf_keras.mixed_precision.Policy("mixed_float16")
    dense = layers.Dense(2, name="dense", dtype=policy)
    model = tf_keras.Sequential([tf_keras.Input((3,)), dense])
    scaling = tf_keras.mixed_precision.LossScaleOptimizer(optimizer())
    folder = saved(fitted(model, scaling), tmp_path / "model")
    with read(folder) as saved_model:
        assert saved_model.slots.kind == kind
        assert len(saved_model.slots.arrays) == count


def test_no_optimizer_is_none(tmp_path):
    """A model that was never compiled."""
    model = tf_keras.Sequential([tf_keras.Input((3,)), layers.Dense(2)])
    with read(saved(model, tmp_path / "model")) as saved_model:
        assert saved_model.slots is None
        assert saved_model.training is None


# What is refused


def refused(error, said, folder, *wanted):
    """Reading a folder must end in one sentence."""
    with pytest.raises(error, match=said) as caught:
        found_in(folder, *wanted)
    assert str(folder) in str(caught.value)
    assert "Received: " in str(caught.value)


def test_a_folder_that_is_no_saved_model_is_refused(tmp_path):
    """And a file is none either."""
    (tmp_path / "file").write_bytes(b"x")
    assert not is_savedmodel(tmp_path)
    assert not is_savedmodel(tmp_path / "file")
    refused(ArchiveError, "must be a SavedModel", tmp_path)


def test_a_graph_without_keras_is_refused(small, tmp_path):
    """What `tf.saved_model.save` and `export` write."""
    folder = tmp_path / "graph"
    tf.saved_model.save(small[0], str(folder))
    refused(UnsupportedModelError, "holds only a graph", folder)
    module = tf.Module()
    module.v = tf.Variable(1.0)
    tf.saved_model.save(module, str(tmp_path / "module"))
    refused(UnsupportedModelError, "holds only a graph", tmp_path / "module")


def test_a_saved_model_of_tensorflow_1_is_refused(copy):
    """It has a graph, and no objects."""
    (copy / metadata.METADATA).unlink()
    graph = checkpoints.field(1, 1) + checkpoints.field(2, checkpoints.field(2, b""))
    (copy / metadata.GRAPH).write_bytes(graph)
    refused(UnsupportedModelError, "which TensorFlow 1 wrote", copy)


def test_a_checkpoint_of_tensorflow_1_is_refused(copy):
    """It has names, and no objects."""
    checkpoints.write(copy, b"", x=checkpoints.entry())
    refused(UnsupportedModelError, "checkpoint TensorFlow 1 wrote", copy)


def test_a_model_whose_layers_are_made_in_code_is_refused(tmp_path):
    """Its config has no layers."""

    class Own(tf_keras.Model):
        def __init__(self):
            super().__init__()
            self.dense = layers.Dense(2)

        def call(self, inputs):
            return self.dense(inputs)

    model = Own()
    model(np.zeros((1, 3), "f4"))
    folder = saved(model, tmp_path / "own", save_traces=True)
    refused(
        UnsupportedModelError, "'Own' creates its layers in code that is not", folder
    )


def test_a_vocabulary_that_is_nowhere_is_refused(tmp_path):
    """The model would find no word."""
    folder = with_words(tmp_path / "words")
    empty = checkpoints.field(2, checkpoints.field(7, checkpoints.field(1, b"")))
    (folder / metadata.GRAPH).write_bytes(empty)
    refused(
        UnsupportedModelError, "'s' .StringLookup.*vocabulary is in neither", folder
    )
    (folder / metadata.GRAPH).write_bytes(b"")
    refused(ArchiveError, "saved_model.pb", folder)


def test_weights_that_are_nobodys_are_refused(small):
    """Never a partial load without a word; the layer is named."""
    refused(ArchiveError, "of the layer 'two'", small[1], SMALL[0])


def test_variables_of_the_model_itself_are_refused(tmp_path):
    """Keras 3 has no place for them in a model of layers."""
    model = tf_keras.Sequential([tf_keras.Input((3,)), layers.Dense(2, name="one")])
    model.extra = tf.Variable([1.0])
    folder = saved(model, tmp_path / "model")
    refused(ArchiveError, "'extra' in .* of the model itself", folder, SMALL[0])


def test_weights_that_are_missing_are_refused(small):
    """The layer, the variable, and what there is instead."""
    wanted = (["two"], (*DENSE, "gamma"))
    said = "lacks 'gamma' of the layer 'two'; it has 'two/kernel', 'two/bias'"
    refused(ArchiveError, said, small[1], SMALL[0], wanted)


def test_a_layer_that_is_missing_is_refused(copy, monkeypatch):
    """The config and the checkpoint may be of two models."""
    real = metadata.read

    def renamed(path):
        found = real(path)
        for each in (found.root.data["model_config"], *(e.data for e in found.others)):
            for layer in each["config"].get("layers", [each]):
                if layer["config"].get("name") == "two":
                    layer["config"]["name"] = "three"
        return found

    monkeypatch.setattr(metadata, "read", renamed)
    said = "no object for the layer 'three'"
    refused(ArchiveError, said, copy, SMALL[0], (["three"], DENSE))


def test_two_layers_cannot_own_one_array(small):
    """Nor can one own it twice."""
    twice = (["two"], ("kernel", "kernel"))
    refused(ArchiveError, "and to 'two'", small[1], SMALL[0], twice)


# Damage


@pytest.mark.parametrize("name", [checkpoints.INDEX, checkpoints.DATA])
def test_a_file_that_is_missing_is_named(name, copy):
    """A folder is often uploaded without its subfolder."""
    (copy / name).unlink()
    refused(ArchiveError, Path(name).name, copy, *SMALL)


@pytest.mark.parametrize("keep", [0, 10, 47, 48, 200, -1])
def test_an_index_that_ends_too_early_is_refused(keep, copy):
    """A download that broke off."""
    whole = (copy / checkpoints.INDEX).read_bytes()
    (copy / checkpoints.INDEX).write_bytes(whole[:keep])
    refused(ArchiveError, "variables.index", copy, *SMALL)


@pytest.mark.parametrize("keep", [0, 10, -1])
def test_data_that_end_too_early_are_refused(keep, copy):
    """Before anything is read."""
    whole = (copy / checkpoints.DATA).read_bytes()
    (copy / checkpoints.DATA).write_bytes(whole[:keep])
    refused(ArchiveError, "of a data file of", copy, *SMALL)


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "null", "[" * 100_000, '{"class_name": "Sequential"}', "{}"],
)
def test_metadata_that_are_no_model_are_refused(text, copy):
    """Malformed, nested without end, or of nothing."""
    node = checkpoints.field(3, "root") + checkpoints.field(4, "_tf_keras_sequential")
    node += checkpoints.field(5, text)
    (copy / metadata.METADATA).write_bytes(checkpoints.field(1, node))
    refused((ArchiveError, UnsupportedModelError), "Received: ", copy, *SMALL)


def test_files_that_are_too_long_are_not_read(copy, monkeypatch):
    """A file that is mostly holes takes no room on a disk."""
    monkeypatch.setattr(metadata, "_MAX_METADATA", 100)
    refused(ArchiveError, "must be at most 100 bytes", copy, *SMALL)
    monkeypatch.undo()
    monkeypatch.setattr(bundle, "_MAX_INDEX", 100)
    refused(ArchiveError, "must be at most 100 bytes", copy, *SMALL)


@settings(max_examples=75)
@given(
    name=st.sampled_from(
        [checkpoints.INDEX, checkpoints.DATA, metadata.METADATA, metadata.GRAPH]
    ),
    flips=st.lists(
        st.tuples(st.floats(0, 1, exclude_max=True), st.integers(1, 255)),
        min_size=1,
        max_size=3,
    ),
)
def test_changed_bytes_are_one_sentence_or_harmless(
    small, tmp_path_factory, name, flips
):
    """Never a traceback, and never other weights."""
    model, folder = small
    damaged = tmp_path_factory.mktemp("damaged") / "model"
    shutil.copytree(folder, damaged)
    data = bytearray((damaged / name).read_bytes())
    for place, change in flips:
        data[int(place * len(data))] ^= change
    (damaged / name).write_bytes(data)
    try:
        found = found_in(damaged, *SMALL)
    except (ArchiveError, UnsupportedModelError):
        return
    except StopIteration:
        return  # a layer's name was changed, so that the test finds none
    finally:
        shutil.rmtree(damaged)
    assert_same(found, [model.get_layer(each[0]).weights for each, _ in SMALL])


@settings(max_examples=75)
@given(data=st.data())
def test_checksums_that_were_made_to_fit_do_not_help(small, tmp_path_factory, data):
    """Who changes a file can change its checksums too: objects and places."""
    folder = small[1]
    rows = dict(table.entries((folder / checkpoints.INDEX).read_bytes()))
    stored = (folder / checkpoints.DATA).read_bytes()
    header, objects = rows.pop(b""), b"_CHECKPOINTABLE_OBJECT_GRAPH"
    with contextlib.ExitStack() as stack:
        graph = bytearray(bundle.Bundle(folder, stack).text(objects.decode()))
    changed = bytearray(rows[b"layer_with_weights-1/kernel" + SUFFIX])
    before = bytes(graph), bytes(changed)
    for target in (graph, changed):
        for _ in range(data.draw(st.integers(0, 3))):
            place = data.draw(st.integers(0, len(target) - 1))
            target[place] = data.draw(st.integers(0, 255))
    rows[b"layer_with_weights-1/kernel" + SUFFIX] = bytes(changed)
    length = checkpoints.varint(len(graph))
    checksum = masked_crc32c(len(graph).to_bytes(4, "little")).to_bytes(4, "little")
    text = length + checksum + bytes(graph)
    rows[objects] = checkpoints.entry(7, (), 0, len(stored), len(text))

    damaged = tmp_path_factory.mktemp("damaged") / "model"
    shutil.copytree(folder, damaged)
    (damaged / checkpoints.DATA).write_bytes(stored + text)
    block = checkpoints.block([(b"", header), *sorted(rows.items())])
    (damaged / checkpoints.INDEX).write_bytes(checkpoints.table(block))
    try:
        found = found_in(damaged, *SMALL)
    except (ArchiveError, UnsupportedModelError):
        assert (bytes(graph), bytes(changed)) != before
        return
    finally:
        shutil.rmtree(damaged)
    assert [len(each) for each in found] == [2, 2]


SUFFIX = b"/.ATTRIBUTES/VARIABLE_VALUE"
