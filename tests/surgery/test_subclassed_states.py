"""Every optimizer of a model whose layers Python code makes, live and in a file."""

import keras
import numpy as np
import pytest
from keras import layers

import keras_rectifiers
from keras_rectifiers.errors import UnsupportedModelError
from tests.surgery.small import OPTIMIZERS
from tests.surgery.small import train

_RNG = np.random.default_rng(5)
BATCHES = [
    (
        _RNG.normal(size=(8, 5)).astype("float32"),
        _RNG.integers(0, 3, 8).astype("int32"),
    )
    for _ in range(3)
]
#: One with a layout of its own for each model; the rest is for the sweep.
_DEFAULT = {"Net": ("adam", "loss_scaled"), "Backbone": ("muon",)}


class Block(layers.Layer):
    """A layer that holds layers, and a rectifier in a list."""

    def __init__(self, units, activation="relu", **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.activation = keras.activations.get(activation)
        self.steps = [layers.Dense(units), layers.BatchNormalization(), layers.ReLU()]

    def call(self, x, training=False):
        dense, norm, rectify = self.steps
        x = rectify(norm(dense(x), training=training))
        return self.activation(x - 0.1)

    def get_config(self):
        return {**super().get_config(), "units": self.units}


class Net(keras.Model):
    """A model with a `call` of its own."""

    def __init__(self, units=6, **kwargs):
        super().__init__(**kwargs)
        self.block = Block(units)
        self.drop = layers.Dropout(0.3, seed=7)
        self.rest = {"inner": layers.Dense(4, "relu"), "head": layers.Dense(3)}

    def call(self, x, training=False):
        x = self.drop(self.block(x, training=training), training=training)
        return self.rest["head"](self.rest["inner"](x))


class Backbone(keras.Model):
    """A Functional model whose config has its arguments, not its layers."""

    def __init__(self, units=6, **kwargs):
        inputs = keras.Input((5,))
        x = layers.Dense(units, name="stem")(inputs)
        x = layers.ReLU(name="rectify")(layers.BatchNormalization(name="norm")(x))
        x = Block(units, name="block")(layers.Dropout(0.3, seed=7, name="drop")(x))
        super().__init__(inputs, layers.Dense(3, name="head")(x), **kwargs)
        self.units = units

    def get_config(self):
        return {"units": self.units, "name": self.name, "trainable": self.trainable}


class Spectral(keras.Model):
    """A model whose weights are normalized while it trains."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.first = layers.SpectralNormalization(layers.Dense(6, "relu"))
        self.last = [layers.ReLU(), layers.SpectralNormalization(layers.Dense(3))]

    def call(self, x, training=False):
        rectify, head = self.last
        x = rectify(self.first(x, training=training) - 0.1)
        return head(x, training=training)


OBJECTS = {each.__name__: each for each in (Block, Net, Backbone, Spectral)}


@keras.saving.register_keras_serializable("test_subclassed_states")
class AtZero(keras.constraints.Constraint):
    """Hold a weight at zero."""

    def __call__(self, w):
        return w * 0


def _cases():
    return [
        pytest.param(
            kind,
            name,
            marks=[] if name in _DEFAULT[kind.__name__] else [pytest.mark.slow],
            id=label,
        )
        for kind in (Net, Backbone)
        for name in sorted(OPTIMIZERS)
        for label in [f"{kind.__name__}-{name}"]
    ]


def _trained(kind, name, *, policy="float32", frozen=False, quantized=None):
    keras.utils.set_random_seed(3)
    keras.config.set_dtype_policy(policy)
    try:
        model = kind()
        model(BATCHES[0][0])
    finally:
        keras.config.set_dtype_policy("float32")
    if frozen:
        model.block.trainable = False
    if quantized == "lora":
        model.rest["inner"].enable_lora(2)
    elif quantized:
        model.rest["inner"].quantize(quantized)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(OPTIMIZERS[name](), loss, run_eagerly=True)
    if quantized == "float8":  # Keras differentiates it in compiled steps only
        model.optimizer.build(model.trainable_variables)
    else:
        train(model, BATCHES)
    return model


def _held(site):
    return keras_rectifiers.layers.PReLU(alpha_constraint=AtZero())


#: Other states of a model that trains, by what `_trained` takes.
_STATES = {
    "mixed_float16": (Net, {"policy": "mixed_float16"}),
    "mixed_bfloat16": (Backbone, {"policy": "mixed_bfloat16"}),
    "spectral": (Spectral, {}),
}


@pytest.mark.parametrize("state", _STATES)
def test_other_states_are_kept_live_and_in_a_file(state, tmp_path):
    """Losses go on as they would have, and a file says what a live conversion does."""
    kind, options = _STATES[state]
    model = _trained(kind, "adam", **options)
    source, target = tmp_path / "a.keras", tmp_path / "b.keras"
    model.save(source)
    keras_rectifiers.convert_file(
        source, target, custom_objects=OBJECTS, keep_training_state=True
    )
    converted = keras_rectifiers.convert(model, _held)
    leaky = keras_rectifiers.convert(model, "leaky_relu", negative_slope=0.0)

    result = keras_rectifiers.verify(source, target, custom_objects=OBJECTS)
    filed = keras_rectifiers.load_model(target, custom_objects=OBJECTS)
    assert result.holds
    assert result.slots == len(model.optimizer.variables)
    assert int(filed.optimizer.iterations) == int(model.optimizer.iterations) > 0
    expected = train(model, BATCHES)
    assert train(converted, BATCHES) == train(leaky, BATCHES) == expected


@pytest.mark.parametrize("quantized", ["int8", "int4", "float8", "lora"])
def test_layers_that_were_quantized_after_they_were_made_are_so_in_the_copy(quantized):
    """The class makes them anew as they were before; there and back again."""
    model = _trained(Net, "adam", quantized=quantized)

    converted = keras_rectifiers.convert(model)

    inner = converted.rest["inner"]
    assert inner.quantization_mode == model.rest["inner"].quantization_mode
    assert inner.lora_enabled == (quantized == "lora")
    for other in (converted, keras_rectifiers.revert(converted)):
        result = keras_rectifiers.verify(model, other)
        assert result.holds
        assert result.slots == len(model.optimizer.variables)


def test_a_frozen_part_stays_frozen_live():
    """Its class makes it anew with the flag not to."""
    model = _trained(Net, "adam", frozen=True)
    leaky = keras_rectifiers.convert(model, "leaky_relu", negative_slope=0.0)

    expected = train(model, BATCHES)

    assert not leaky.block.trainable
    assert train(leaky, BATCHES) == expected
    result = keras_rectifiers.verify(model, leaky)
    assert result.holds
    assert result.slots == len(model.optimizer.variables)


@pytest.mark.parametrize(
    ("options", "counts"),
    [({"quantized": "lora"}, (20, 18)), ({"frozen": True}, (10, 18))],
)
def test_a_state_that_keras_leaves_in_the_file_is_a_line_of_the_plan(
    options, counts, tmp_path
):
    """The class makes other variables that train than were trained."""
    model = _trained(Net, "adam", **options)
    source, target = tmp_path / "a.keras", tmp_path / "b.keras"
    model.save(source)

    made = keras_rectifiers.convert_file(source, target, custom_objects=OBJECTS)

    (repair,) = made.repairs
    assert (repair.rule, repair.caution) == ("optimizer state", True)
    stored, made_here = counts
    told = f"the file has {stored} of its variables, but the model has {made_here}"
    assert told in repair.text
    filed = keras_rectifiers.load_model(target, custom_objects=OBJECTS)
    assert int(filed.optimizer.iterations) == 0
    with pytest.raises(UnsupportedModelError, match="must be kept"):
        keras_rectifiers.convert_file(
            source,
            tmp_path / "c.keras",
            custom_objects=OBJECTS,
            keep_training_state=True,
        )


@pytest.mark.parametrize(("kind", "name"), _cases())
def test_training_goes_on_bit_for_bit(kind, name):
    """With slopes at 0 the next losses are those of the original."""
    model = _trained(kind, name)
    leaky = keras_rectifiers.convert(model, "leaky_relu", negative_slope=0.0)
    prelu = keras_rectifiers.convert(model, _held)

    expected = train(model, BATCHES)

    assert len(prelu.trainable_variables) == len(model.trainable_variables) + 3
    assert train(leaky, BATCHES) == expected
    assert train(prelu, BATCHES) == expected


@pytest.mark.parametrize(("kind", "name"), _cases())
def test_the_state_in_a_file_is_that_of_a_live_conversion(kind, name, tmp_path):
    """The file needs the code of its classes, and no registration."""
    model = _trained(kind, name)
    source, target = tmp_path / "a.keras", tmp_path / "b.keras"
    model.save(source)
    live = keras_rectifiers.convert(model, alpha=0.25)

    keras_rectifiers.convert_file(
        source, target, alpha=0.25, custom_objects=OBJECTS, keep_training_state=True
    )

    filed = keras_rectifiers.load_model(target, custom_objects=OBJECTS)
    for ours, theirs in zip(
        (*filed.weights, *filed.optimizer.variables),
        (*live.weights, *live.optimizer.variables),
        strict=True,
    ):
        np.testing.assert_array_equal(_array(ours), _array(theirs), ours.path)
    assert train(filed, BATCHES)[0] > 0


def _array(variable):
    return keras.ops.convert_to_numpy(variable.value)
