"""`.h5` files of Keras 3: what they list otherwise than a `.keras` file has it."""

import json
import zipfile

import keras
import numpy as np
import pytest

from keras_rectifiers import convert_file
from keras_rectifiers import plan
from keras_rectifiers import upgrade_file
from keras_rectifiers.errors import ArchiveError
from keras_rectifiers.errors import UnsupportedModelError

layers = keras.layers

#: Layers that may have LoRA: the layer, and the shape of its inputs.
ADAPTED = {
    "dense": (lambda: layers.Dense(5), (3,)),
    "dense without bias": (lambda: layers.Dense(5, use_bias=False), (3,)),
    "einsum": (lambda: layers.EinsumDense("abc,cd->abd", (None, 4)), (2, 3)),
    "convolution": (lambda: layers.Conv2D(4, 2), (3, 3, 2)),
    "embedding": (lambda: layers.Embedding(7, 6), (3,)),
    "two ways": (lambda: layers.ReversibleEmbedding(7, 6), (3,)),
}


def _numbered(model):
    """The model with random weights."""
    rng = np.random.default_rng(0)
    for weight in model.weights:
        weight.assign(rng.uniform(0.1, 1, weight.shape))
    return model


def _adapted(name, *, rank=2, alpha=None, frozen=False):
    make, shape = ADAPTED[name]
    layer = make()
    model = keras.Sequential([keras.Input(shape), layer, layers.ReLU()])
    layer.enable_lora(rank, lora_alpha=alpha)
    layer.trainable = not frozen
    x = np.random.default_rng(1).integers(0, 7, (2, *shape))
    return _numbered(model), x


def _difference(model, other, x):
    found, expected = (
        keras.ops.convert_to_numpy(each(x)).astype("float64") for each in (other, model)
    )
    return np.abs(found - expected).max() / np.abs(expected).max()


@pytest.mark.parametrize("name", ADAPTED)
@pytest.mark.parametrize("alpha", [None, 6])
def test_factors_of_lora_go_into_the_kernel(name, alpha, tmp_path):
    """As Keras merges them when it saves a `.keras` file, by `lora_alpha` as well."""
    model, x = _adapted(name, alpha=alpha)
    model.save(tmp_path / "old.h5")
    upgrade_file(tmp_path / "old.h5", tmp_path / "new.keras")
    convert_file(tmp_path / "old.h5", tmp_path / "prelu.keras")
    convert_file(tmp_path / "old.h5", tmp_path / "prelu.h5")
    upgrade_file(tmp_path / "prelu.h5", tmp_path / "again.keras")
    for each in ("new.keras", "prelu.keras", "again.keras"):
        opened = keras.saving.load_model(tmp_path / each)
        assert opened.layers[0].lora_enabled
        assert _difference(model, opened, x) < 1e-6


def test_factors_of_a_frozen_layer_are_found_by_name(tmp_path):
    """A frozen layer lists its variables in another order."""
    model, x = _adapted("dense", frozen=True)
    model.save(tmp_path / "old.h5")
    upgrade_file(tmp_path / "old.h5", tmp_path / "new.keras")
    convert_file(tmp_path / "old.h5", tmp_path / "prelu.h5")
    for each in ("new.keras", "prelu.h5"):
        opened = keras.saving.load_model(tmp_path / each)
        assert _difference(model, opened, x) < 1e-6


def test_factors_stay_apart_in_an_h5(tmp_path):
    """An `.h5` made from one lists them as Keras does, beside the kernel."""
    model, x = _adapted("dense")
    model.save(tmp_path / "old.h5")
    convert_file(tmp_path / "old.h5", tmp_path / "prelu.h5")
    opened = keras.saving.load_model(tmp_path / "prelu.h5")
    for weight, other in zip(model.weights, opened.weights[:4], strict=True):
        assert np.array_equal(weight, other)
    assert np.array_equal(opened(x), model(x))


def test_factors_are_of_the_rank_that_the_config_states(tmp_path):
    """A config that states another rank is not the config of these weights."""
    model, _ = _adapted("dense", rank=2)
    model.layers[0].lora_rank = 3
    model.save(tmp_path / "old.h5")
    with pytest.raises(ArchiveError, match=r"lora_kernel_a \(in, 3\)"):
        upgrade_file(tmp_path / "old.h5", tmp_path / "new.keras")
    assert not (tmp_path / "new.keras").exists()


def test_grouped_attention_is_known_by_the_name_of_its_class(tmp_path):
    """Keras exports it as GroupQueryAttention, and an `.h5` has the class' own name."""
    x = keras.Input((5, 4))
    model = _numbered(keras.Model(x, layers.GroupQueryAttention(3, 4, 2)(x, x)))
    model.save(tmp_path / "old.h5")
    upgrade_file(tmp_path / "old.h5", tmp_path / "new.keras")
    values = np.random.default_rng(1).normal(size=(2, 5, 4)).astype("float32")
    opened = keras.saving.load_model(tmp_path / "new.keras")
    assert np.array_equal(opened(values), model(values))


def test_a_users_class_keeps_its_name(tmp_path):
    """What is Keras' own under another name is not, where a user registered it."""

    @keras.saving.register_keras_serializable(package="mine")
    class GroupedQueryAttention(layers.Dense):
        """No attention at all."""

    @keras.saving.register_keras_serializable(package="mine")
    class AvgPool2D(layers.Dense):
        """No pooling either."""

    model = keras.Sequential(
        [keras.Input((3,)), GroupedQueryAttention(4), AvgPool2D(2)]
    )
    model.save(tmp_path / "old.keras")
    upgrade_file(tmp_path / "old.keras", tmp_path / "new.keras")
    with zipfile.ZipFile(tmp_path / "new.keras") as file:
        config = json.loads(file.read("config.json"))["config"]
    names = [each["class_name"] for each in config["layers"][1:]]
    assert names == ["GroupedQueryAttention", "AvgPool2D"]
    x = np.ones((2, 3), "float32")
    opened = keras.saving.load_model(tmp_path / "new.keras")
    assert np.array_equal(opened(x), model(x))


def _block():
    class Block(layers.Layer):
        """A layer that holds a layer."""

        def __init__(self, **arguments):
            super().__init__(**arguments)
            self.inner = layers.Dense(3, activation="relu")

        def build(self, shape):
            self.inner.build(shape)
            self.built = True

        def call(self, inputs):
            return self.inner(inputs)

    return Block


@pytest.mark.parametrize("registered", [True, False])
def test_a_class_at_hand_says_where_its_weights_go(registered, tmp_path):
    """What Keras opens with a class that the program has is opened here as well."""
    before = dict(keras.saving.get_custom_objects())
    block = _block()
    given = {} if registered else {"custom_objects": {"Block": block}}
    try:
        if registered:
            keras.saving.register_keras_serializable(package="hand")(block)
        top = [layers.Dense(2, "relu"), layers.Dense(2)]
        model = keras.Sequential([keras.Input((4,)), block(), *top])
        _numbered(model).save(tmp_path / "old.h5")
        upgrade_file(tmp_path / "old.h5", tmp_path / "new.keras", **given)
        convert_file(tmp_path / "old.h5", tmp_path / "prelu.keras", **given)
        # A class that is handed over is looked into.
        steps = plan(tmp_path / "old.h5", **given).steps
        assert len(steps) == (1 if registered else 2)
        x = np.random.default_rng(1).normal(size=(3, 4)).astype("float32")
        for each in ("new.keras", "prelu.keras"):
            opened = keras.saving.load_model(tmp_path / each, **given)
            assert np.array_equal(opened(x), model(x))
    finally:
        keras.saving.get_custom_objects().clear()
        keras.saving.get_custom_objects().update(before)
    with pytest.raises(UnsupportedModelError, match="Block that contains other layers"):
        upgrade_file(tmp_path / "old.h5", tmp_path / "late.keras")
    assert not (tmp_path / "late.keras").exists()
